//! A thumbnail's pixels to its file, without metadata.

use crate::Unmade;
use crate::scale::{Picture, Samples};

/// WebP counts a side in 14 bits
/// ([container specification](https://developers.google.com/speed/webp/docs/riff_container)).
pub(crate) const MAX_EDGE: u32 = 16_383;

/// libwebp's effort, 0 to 6. Its default, 4, takes 2.4 times as long as 2 to save 4 to 5 % of the bytes.
const METHOD: i32 = 2;

/// What thumbnails are encoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Lossy, with alpha where the image has some.
    Webp,
    /// Without alpha: on white.
    Jpeg,
}

impl Output {
    /// Of a file's name, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Webp => "webp",
            Self::Jpeg => "jpg",
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Webp => "image/webp",
            Self::Jpeg => "image/jpeg",
        }
    }

    /// As the settings say it: `webp` or `jpeg`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "webp" => Some(Self::Webp),
            "jpeg" => Some(Self::Jpeg),
            _ => None,
        }
    }
}

/// Encodes a picture in RGB or RGBA whose sides are at most [`MAX_EDGE`].
pub(crate) fn encode(picture: &Picture, format: Output, quality: u8) -> Result<Vec<u8>, Unmade> {
    let quality = quality.clamp(1, 100);
    match format {
        Output::Webp => webp(picture, quality),
        Output::Jpeg => jpeg(picture, quality),
    }
}

fn webp(picture: &Picture, quality: u8) -> Result<Vec<u8>, Unmade> {
    let wrong = |error: &dyn std::fmt::Debug| Unmade::Damaged(format!("encoding WebP: {error:?}"));
    let mut config = webp::WebPConfig::new().map_err(|error| wrong(&error))?;
    config.method = METHOD;
    config.quality = f32::from(quality);
    let encoder = match picture.samples {
        Samples::Rgba => webp::Encoder::from_rgba(&picture.data, picture.width, picture.height),
        _ => webp::Encoder::from_rgb(&picture.data, picture.width, picture.height),
    };
    Ok(encoder.encode_advanced(&config).map_err(|error| wrong(&error))?.to_vec())
}

fn jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>, Unmade> {
    let wrong = |error: &dyn std::fmt::Display| Unmade::Damaged(format!("encoding JPEG: {error}"));
    let (Ok(width), Ok(height)) = (u16::try_from(picture.width), u16::try_from(picture.height)) else {
        return Err(Unmade::TooLarge(format!("{} x {} for JPEG", picture.width, picture.height)));
    };
    let opaque;
    let rgb = match picture.samples {
        Samples::Rgba => {
            opaque = on_white(&picture.data);
            &opaque
        }
        _ => &picture.data,
    };
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.set_optimized_huffman_tables(true);
    encoder.encode(rgb, width, height, jpeg_encoder::ColorType::Rgb).map_err(|error| wrong(&error))?;
    Ok(bytes)
}

fn on_white(rgba: &[u8]) -> Vec<u8> {
    let blend = |sample: u8, alpha: u8| {
        let (sample, alpha) = (u32::from(sample), u32::from(alpha));
        // Below 256: a mean of two bytes.
        u8::try_from((sample * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
    };
    rgba.chunks_exact(4).flat_map(|p| [blend(p[0], p[3]), blend(p[1], p[3]), blend(p[2], p[3])]).collect()
}
