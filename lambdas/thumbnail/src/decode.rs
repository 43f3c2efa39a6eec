//! A file's bytes to pixels, within limits.

use std::io::Cursor;

use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::scale::{Picture, Samples};
use crate::{Settings, Unmade, jpeg, tiff_limits, webp_limits};

/// Bytes that a PNG's chunks and one of its rows may take, beside the pixels: a profile inflates to a
/// thousand times its size before anything is known of the picture.
const MAX_CHUNKS: u64 = 32 << 20;

pub(crate) struct Decoded {
    /// As large as the original, or less where the decoder scales while it decodes.
    pub(crate) picture: Picture,
    /// The original's long edge.
    pub(crate) full_edge: u32,
    /// ICC
    pub(crate) profile: Option<Vec<u8>>,
}

/// Decodes to at least `edge` pixels on the long edge, if the original has as many.
pub(crate) fn decode(bytes: &[u8], edge: u32, settings: &Settings) -> Result<Decoded, Unmade> {
    let format = match bytes {
        _ if jpeg::is_jpeg(bytes) => return jpeg::decode(bytes, edge, settings),
        [b'B', b'M', ..] => ImageFormat::Bmp,
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => {
            return Err(Unmade::Unsupported("AVIF"));
        }
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => return Err(Unmade::Unsupported("HEIC")),
        _ => match image::guess_format(bytes) {
            Ok(format @ (ImageFormat::Gif | ImageFormat::Png | ImageFormat::Tiff | ImageFormat::WebP)) => {
                format
            }
            _ => return Err(Unmade::Unsupported("this format")),
        },
    };
    if format == ImageFormat::Tiff {
        tiff_limits::check(bytes)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    let of_png = format == ImageFormat::Png;
    limits.max_alloc = Some(if of_png { settings.max_memory.min(MAX_CHUNKS) } else { settings.max_memory });
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(|error| unmade(&error))?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height, settings)?;
    check_memory(held(&decoder, format, bytes), settings)?;
    if format == ImageFormat::Gif {
        // A frame that is not all of the screen may be larger than it.
        limits.max_alloc = Some(settings.max_memory.saturating_sub(decoder.total_bytes()));
        decoder.set_limits(limits).map_err(|error| unmade(&error))?;
    }
    let profile = decoder.icc_profile().unwrap_or(None);
    let image = DynamicImage::from_decoder(decoder).map_err(|error| unmade(&error))?;
    Ok(Decoded { picture: eight_bits(image)?, full_edge: width.max(height), profile })
}

pub(crate) fn check_pixels(width: u32, height: u32, settings: &Settings) -> Result<(), Unmade> {
    if u64::from(width) * u64::from(height) > settings.max_pixels {
        return Err(Unmade::TooLarge(format!("{width} x {height} pixels")));
    }
    Ok(())
}

pub(crate) fn check_memory(bytes: u64, settings: &Settings) -> Result<(), Unmade> {
    if bytes > settings.max_memory {
        return Err(Unmade::TooLarge(format!("decoding takes {} MB", bytes.div_ceil(1_000_000))));
    }
    Ok(())
}

/// Bytes that decoding holds at its peak: the pixels, what they are decoded from, and their copy in
/// the layout that is worked on.
fn held(decoder: &impl ImageDecoder, format: ImageFormat, bytes: &[u8]) -> u64 {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width).saturating_mul(u64::from(height));
    let decoded = decoder.total_bytes();
    let copied = match decoder.color_type() {
        ColorType::L8 | ColorType::Rgb8 | ColorType::Rgba8 => 0,
        ColorType::L16 => pixels,
        ColorType::Rgb16 | ColorType::Rgb32F => pixels.saturating_mul(3),
        _ => pixels.saturating_mul(4),
    };
    let inside = match format {
        ImageFormat::WebP => webp_limits::held(bytes),
        // A strip or tile may be the whole picture.
        ImageFormat::Tiff => decoded,
        // A frame, and the canvas that it is put on.
        ImageFormat::Gif => pixels.saturating_mul(4),
        _ => 0,
    };
    decoded.saturating_add(copied.max(inside))
}

/// Rounds 16 bits and floats to 8, and leaves out an alpha channel that is opaque throughout.
fn eight_bits(image: DynamicImage) -> Result<Picture, Unmade> {
    let (width, height) = (image.width(), image.height());
    let (samples, data) = match image.color() {
        ColorType::L8 | ColorType::L16 => (Samples::Grey, image.into_luma8().into_raw()),
        ColorType::Rgb8 | ColorType::Rgb16 | ColorType::Rgb32F => {
            (Samples::Rgb, image.into_rgb8().into_raw())
        }
        _ => (Samples::Rgba, image.into_rgba8().into_raw()),
    };
    let picture = Picture::new(width, height, samples, data)?;
    let opaque = samples == Samples::Rgba && picture.data.chunks_exact(4).all(|pixel| pixel[3] == u8::MAX);
    Ok(if opaque { without_alpha(picture) } else { picture })
}

/// In place: a copy would be as large as the original.
fn without_alpha(mut picture: Picture) -> Picture {
    let pixels = picture.data.len() / 4;
    for pixel in 1..pixels {
        picture.data.copy_within(pixel * 4..pixel * 4 + 3, pixel * 3);
    }
    picture.data.truncate(pixels * 3);
    Picture { samples: Samples::Rgb, ..picture }
}

/// The decoders' errors, bounded: some quote the file.
fn unmade(error: &ImageError) -> Unmade {
    let text: String = error.to_string().chars().take(200).collect();
    match error {
        ImageError::Limits(_) => Unmade::TooLarge(text),
        _ => Unmade::Damaged(text),
    }
}
