//! JPEG (ITU-T T.81), scaled by the decoder while it decodes: to 1/8, 2/8, … of the original.

mod header;

use std::borrow::Cow;

use turbojpeg::{
    Colorspace, DecompressHeader, Decompressor, Error, Image, PixelFormat, ScalingFactor, Subsamp, YuvImage,
};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

use crate::decoded::Decoded;
use crate::limits::{check_memory, check_pixels};
use crate::scale::{self, Picture, Samples};
use crate::{Settings, Unmade};
use header::Header;

/// Blocks of 8 × 8 that all scans together may walk over, each of which takes some 25 ns however few bits
/// the file has for it
/// ([Two issues with the JPEG standard](https://libjpeg-turbo.org/pmwiki/uploads/About/TwoIssueswiththeJPEGStandard.pdf)).
/// A progressive file of 100 megapixels in 10 scans has 25 million.
const MAX_WALKED: u64 = 100_000_000;

/// Grey, which libjpeg gives for what a file does not have.
const UNKNOWN: u8 = 128;

/// Scans that any file may have, and that small ones may have. Encoders write about ten.
const SCANS: (u32, u32) = (16, 100);

pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

pub(crate) fn decode(bytes: &[u8], edge: u32, settings: &Settings) -> Result<Decoded, Unmade> {
    let segments = Header::read(bytes);
    segments.check_kind()?;
    let sound = segments.without_oddities(bytes);
    let bytes = &*sound;
    let mut decoder = Decompressor::new()?;
    let header = decoder.read_header(bytes)?;
    check_pixels(side(header.width)?, side(header.height)?, settings)?;
    let full_edge = side(header.width.max(header.height))?;

    let factor = factor(&header, edge);
    decoder.set_scaling_factor(factor)?;
    decoder.set_scan_limit(scan_limit(segments.coefficients / 64))?;
    let scaled = header.scaled(factor);
    let kept = if segments.several_scans { 2 * segments.coefficients } else { 0 };
    let mended = if matches!(sound, Cow::Owned(_)) { bytes.len() as u64 } else { 0 };
    // Four bytes a pixel, or three and planes of half as much.
    let pixels = scaled.width as u64 * scaled.height as u64;
    check_memory(kept + mended + pixels * 9 / 2, settings)?;

    let (format, samples) = match header.colorspace {
        Colorspace::YCbCr if header.subsamp == Subsamp::Sub2x2 => {
            let picture = by_planes(&mut decoder, bytes, &scaled, edge)?;
            return Ok(Decoded { picture, full_edge, profile: segments.profile() });
        }
        Colorspace::Gray => (PixelFormat::GRAY, Samples::Grey),
        Colorspace::CMYK | Colorspace::YCCK => (PixelFormat::CMYK, Samples::Cmyk),
        _ => (PixelFormat::RGB, Samples::Rgb),
    };
    let mut data = pixels_of(&mut decoder, bytes, &scaled, format)?;
    // Ink is stored inverted, as Adobe's programs began it: whoever leaves their mark out does so, too.
    if samples == Samples::Cmyk {
        for ink in &mut data {
            *ink = u8::MAX - *ink;
        }
    }
    let picture = Picture::new(side(scaled.width)?, side(scaled.height)?, samples, data)?;
    Ok(Decoded { picture, full_edge, profile: segments.profile() })
}

fn scan_limit(blocks: u64) -> u32 {
    let scans = u32::try_from(MAX_WALKED / blocks.max(1)).unwrap_or(u32::MAX);
    scans.clamp(SCANS.0, SCANS.1)
}

fn side(pixels: usize) -> Result<u32, Unmade> {
    u32::try_from(pixels).map_err(|_| Unmade::TooLarge(format!("side of {pixels} pixels")))
}

/// The least that leaves `edge` pixels on the long edge.
fn factor(header: &DecompressHeader, edge: u32) -> ScalingFactor {
    let long = header.width.max(header.height);
    (1..8)
        .map(|eighths| ScalingFactor::new(eighths, 8))
        .find(|factor| factor.scale(long) >= edge as usize)
        .unwrap_or(ScalingFactor::ONE)
}

fn pixels_of(
    decoder: &mut Decompressor,
    bytes: &[u8],
    scaled: &DecompressHeader,
    format: PixelFormat,
) -> Result<Vec<u8>, Unmade> {
    let (width, height, pitch) = (scaled.width, scaled.height, scaled.width * format.size());
    let mut pixels = vec![UNKNOWN; pitch * height];
    let decoded = decoder.decompress(bytes, Image { pixels: &mut pixels[..], width, height, pitch, format });
    what_there_is(decoded, &pixels)?;
    Ok(pixels)
}

/// As most cameras store it, with one sample of colour for four of light (4:2:0). Light and colour are
/// scaled to `edge` as they are, which is half of the work that it is after the colours are spread.
fn by_planes(
    decoder: &mut Decompressor,
    bytes: &[u8],
    scaled: &DecompressHeader,
    edge: u32,
) -> Result<Picture, Unmade> {
    let wrong = |error: &dyn std::fmt::Display| Unmade::Damaged(format!("colours: {error}"));
    let DecompressHeader { width, height, subsamp, .. } = *scaled;
    // The plane of light is padded to even sides.
    let half = (width.div_ceil(2), height.div_ceil(2));
    let mut planes = vec![UNKNOWN; 6 * half.0 * half.1];
    let output = YuvImage { pixels: &mut planes[..], width, align: 1, height, subsamp };
    let decoded = decoder.decompress_to_yuv(bytes, output);
    what_there_is(decoded, &planes)?;

    let (light, colours) = planes.split_at(4 * half.0 * half.1);
    let (blue, red) = colours.split_at(half.0 * half.1);
    let (width, height, half) = (side(width)?, side(height)?, (side(half.0)?, side(half.1)?));
    let to = scale::within((width, height), edge);
    // Half a sample of colour more than there is light would move all of it.
    let even = to.0.is_multiple_of(2) && to.1.is_multiple_of(2);
    let to_colour = if even { (to.0 / 2, to.1 / 2) } else { to };
    let part = (f64::from(width), f64::from(height));
    let colour_part = (part.0 / 2.0, part.1 / 2.0);
    let y_plane = scale::resample(light, Samples::Grey, (2 * half.0, 2 * half.1), part, to)?;
    let u_plane = scale::resample(blue, Samples::Grey, half, colour_part, to_colour)?;
    let v_plane = scale::resample(red, Samples::Grey, half, colour_part, to_colour)?;
    drop(planes);

    let image = YuvPlanarImage {
        y_plane: &y_plane,
        y_stride: to.0,
        u_plane: &u_plane,
        u_stride: to_colour.0,
        v_plane: &v_plane,
        v_stride: to_colour.0,
        width: to.0,
        height: to.1,
    };
    let mut rgb = vec![0; 3 * to.0 as usize * to.1 as usize];
    let to_rgb = if even { yuv::yuv420_to_rgb } else { yuv::yuv444_to_rgb };
    // JFIF (ITU-T T.871): BT.601 with all 256 values.
    to_rgb(&image, &mut rgb, 3 * to.0, YuvRange::Full, YuvStandardMatrix::Bt601)
        .map_err(|error| wrong(&error))?;
    Picture::new(to.0, to.1, Samples::Rgb, rgb)
}

/// Damage in the middle of a file costs what is behind it and no more, as in browsers, and most of what
/// libjpeg warns of costs nothing. An error stays one if there is no picture at all.
fn what_there_is(decoded: turbojpeg::Result<()>, samples: &[u8]) -> Result<(), Unmade> {
    match decoded {
        // Half of the ink is a step less.
        Err(error) if samples.iter().all(|sample| (UNKNOWN - 1..=UNKNOWN).contains(sample)) => {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

impl From<Error> for Unmade {
    fn from(error: Error) -> Self {
        let text = error.to_string().chars().take(200).collect::<String>();
        match error {
            Error::BadColorspace(_) | Error::BadSubsamp(_) => Self::Unsupported("this kind of JPEG"),
            _ if text.contains("Maximum supported image dimension") => Self::TooLarge(text),
            _ => Self::Damaged(text),
        }
    }
}

#[cfg(test)]
mod tests;
