//! A file's bytes to pixels, within limits.

use std::io::Cursor;

use image_rs::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::decoded::{Decoded, opaque};
use crate::limits::{check_memory, check_pixels};
use crate::scale::{Picture, Samples};
use crate::{Settings, Unmade, bmp, gif, jpeg, png, tiff, webp_limits};

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

/// The decoders' errors, bounded: some quote the file.
fn unmade(error: &ImageError) -> Unmade {
    let text: String = error.to_string().chars().take(200).collect();
    match error {
        ImageError::Limits(_) => Unmade::TooLarge(text),
        _ => Unmade::Damaged(text),
    }
}
