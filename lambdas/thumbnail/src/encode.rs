//! A thumbnail's pixels to its file, without metadata.

use webpx::Unstoppable;
use yuv::{YuvChromaSubsampling, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use crate::Unmade;
use crate::scale::{Picture, Samples};

/// WebP counts a side in 14 bits
/// ([container specification](https://developers.google.com/speed/webp/docs/riff_container)).
pub(crate) const MAX_EDGE: u32 = 16_383;

/// libwebp's effort, 0 to 6. Its default, 4, takes 2.4 times as long as 2 to save 4 to 5 % of the bytes.
const METHOD: u8 = 2;

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
    let config = webpx::EncoderConfig::new().method(METHOD).quality(f32::from(quality));
    let Picture { width, height, .. } = *picture;
    if picture.samples == Samples::Rgba {
        return config.encode_rgba(&picture.data, width, height, Unstoppable).map_err(|error| wrong(&error));
    }
    // libwebp would do so too, by way of a copy of four bytes a pixel.
    let mut planes = YuvPlanarImageMut::alloc(width, height, YuvChromaSubsampling::Yuv420);
    let (range, matrix, mode) = (YuvRange::Limited, YuvStandardMatrix::Bt601, YuvConversionMode::Balanced);
    yuv::rgb_to_yuv420(&mut planes, &picture.data, 3 * width, range, matrix, mode)
        .map_err(|error| wrong(&error))?;
    let planes = webpx::YuvPlanesRef {
        y: planes.y_plane.borrow(),
        y_stride: planes.y_stride as usize,
        u: planes.u_plane.borrow(),
        u_stride: planes.u_stride as usize,
        v: planes.v_plane.borrow(),
        v_stride: planes.v_stride as usize,
        a: None,
        a_stride: 0,
        width,
        height,
    };
    webpx::Encoder::new_yuv(planes).config(config).encode(Unstoppable).map_err(|error| wrong(&error))
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
