//! A file's bytes to pixels, within limits.

use std::io::Cursor;

use image_rs::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::scale::{Picture, Samples};
use crate::{Settings, Unmade, bmp, gif, jpeg, png, tiff, webp_limits};

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
    match bytes {
        _ if jpeg::is_jpeg(bytes) => jpeg::decode(bytes, edge, settings),
        _ if png::is_png(bytes) => png::decode(bytes, settings),
        _ if gif::is_gif(bytes) => gif::decode(bytes, settings),
        _ if tiff::is_tiff(bytes) => tiff::decode(bytes, edge, settings),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            by_image(bytes, ImageFormat::WebP, settings)
        }
        [b'B', b'M', ..] => by_image(&bmp::with_windows_header(bytes)?, ImageFormat::Bmp, settings),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => {
            Err(Unmade::Unsupported("AVIF"))
        }
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Err(Unmade::Unsupported("HEIC")),
        _ => Err(Unmade::Unsupported("this format")),
    }
}

fn by_image(bytes: &[u8], format: ImageFormat, settings: &Settings) -> Result<Decoded, Unmade> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(settings.max_memory);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| unmade(&error))?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height, settings)?;
    check_memory(held(&decoder, format, bytes), settings)?;
    let profile = decoder.icc_profile().unwrap_or(None);
    let mut picture = eight_bits(DynamicImage::from_decoder(decoder).map_err(|error| unmade(&error))?)?;
    if format == ImageFormat::Bmp {
        picture = bmp::seen(picture);
    }
    Ok(Decoded { picture: opaque(picture), full_edge: width.max(height), profile })
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

/// Bytes that decoding holds at its peak: the pixels, and what they are decoded from.
fn held(decoder: &impl ImageDecoder, format: ImageFormat, bytes: &[u8]) -> u64 {
    let inside = match format {
        ImageFormat::WebP => webp_limits::held(bytes),
        _ => 0,
    };
    decoder.total_bytes().saturating_add(inside)
}

/// BMP and WebP have no others.
fn eight_bits(image: DynamicImage) -> Result<Picture, Unmade> {
    let (width, height) = (image.width(), image.height());
    let (samples, data) = match image.color() {
        ColorType::L8 => (Samples::Grey, image.into_luma8().into_raw()),
        ColorType::Rgb8 => (Samples::Rgb, image.into_rgb8().into_raw()),
        _ => (Samples::Rgba, image.into_rgba8().into_raw()),
    };
    Picture::new(width, height, samples, data)
}

/// Leaves out an alpha channel that is opaque throughout.
pub(crate) fn opaque(picture: Picture) -> Picture {
    let rgba = picture.samples == Samples::Rgba;
    if rgba && picture.data.chunks_exact(4).all(|pixel| pixel[3] == u8::MAX) {
        return without_alpha(picture);
    }
    picture
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
