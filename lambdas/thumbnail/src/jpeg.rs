//! JPEG (ITU-T T.81), scaled by the decoder while it decodes: to 1/8, 2/8, … of the original.

use turbojpeg::{
    Colorspace, DecompressHeader, Decompressor, Error, Image, PixelFormat, ScalingFactor, Subsamp, YuvImage,
};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

use crate::decode::{Decoded, check_memory, check_pixels};
use crate::scale::{self, Picture, Samples};
use crate::{Settings, Unmade};

/// Scans of a progressive file, each of which costs a walk over the whole picture
/// ([Two issues with the JPEG standard](https://libjpeg-turbo.org/pmwiki/uploads/About/TwoIssueswiththeJPEGStandard.pdf)).
/// Encoders write about ten.
const MAX_SCANS: u32 = 100;

/// What the decoder does not tell before it decodes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Segments<'a> {
    /// Coefficients of all components, in whole blocks.
    coefficients: u64,
    /// Not all of the picture is in the first scan, so that coefficients are kept.
    several_scans: bool,
    /// Written by a program of Adobe's.
    adobe: bool,
    /// Parts of the ICC profile as the file has them: number, count of all parts, data.
    profile: Vec<(u8, u8, &'a [u8])>,
}

impl Segments<'_> {
    /// The ICC profile, if all of it is there (ICC.1, annex B.4): parts numbered from 1.
    fn profile(&self) -> Option<Vec<u8>> {
        let mut parts = self.profile.clone();
        parts.sort_by_key(|(number, ..)| *number);
        let in_order = parts
            .iter()
            .zip(1..=u8::MAX)
            .all(|((number, count, _), at)| *number == at && usize::from(*count) == parts.len());
        (in_order && !parts.is_empty()).then(|| parts.iter().flat_map(|(.., part)| *part).copied().collect())
    }
}

pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

pub(crate) fn decode(bytes: &[u8], edge: u32, settings: &Settings) -> Result<Decoded, Unmade> {
    let mut decoder = Decompressor::new()?;
    let header = decoder.read_header(bytes)?;
    check_pixels(side(header.width)?, side(header.height)?, settings)?;
    let full_edge = side(header.width.max(header.height))?;

    let factor = factor(&header, edge);
    decoder.set_scaling_factor(factor)?;
    decoder.set_scan_limit(MAX_SCANS)?;
    let scaled = header.scaled(factor);
    let segments = segments(bytes);
    let kept = if segments.several_scans { 2 * segments.coefficients } else { 0 };
    // Four bytes a pixel, or three and planes of half as much.
    let pixels = scaled.width as u64 * scaled.height as u64;
    check_memory(kept + pixels * 9 / 2, settings)?;

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
    // Adobe's programs store ink inverted.
    if samples == Samples::Cmyk && segments.adobe {
        for ink in &mut data {
            *ink = u8::MAX - *ink;
        }
    }
    let picture = Picture::new(side(scaled.width)?, side(scaled.height)?, samples, data)?;
    Ok(Decoded { picture, full_edge, profile: segments.profile() })
}

fn side(pixels: usize) -> Result<u32, Unmade> {
    u32::try_from(pixels).map_err(|_| Unmade::TooLarge(format!("side of {pixels} pixels")))
}

/// The least that leaves `edge` pixels on the long edge. Lossless files (T.81, annex H) have no
/// coefficients to leave out.
fn factor(header: &DecompressHeader, edge: u32) -> ScalingFactor {
    let long = header.width.max(header.height);
    (1..8)
        .map(|eighths| ScalingFactor::new(eighths, 8))
        .find(|factor| !header.is_lossless && factor.scale(long) >= edge as usize)
        .unwrap_or(ScalingFactor::ONE)
}

fn pixels_of(
    decoder: &mut Decompressor,
    bytes: &[u8],
    scaled: &DecompressHeader,
    format: PixelFormat,
) -> Result<Vec<u8>, Unmade> {
    let (width, height, pitch) = (scaled.width, scaled.height, scaled.width * format.size());
    let mut pixels = vec![0; pitch * height];
    whole(decoder.decompress(bytes, Image { pixels: &mut pixels[..], width, height, pitch, format }))?;
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
    let mut planes = vec![0; 6 * half.0 * half.1];
    let output = YuvImage { pixels: &mut planes[..], width, align: 1, height, subsamp };
    whole(decoder.decompress_to_yuv(bytes, output))?;

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

/// Bytes between the scans, which some cameras leave, harm nothing; all else that libjpeg warns of
/// leaves grey or garbled areas.
fn whole(decoded: turbojpeg::Result<()>) -> Result<(), Unmade> {
    match decoded {
        Err(Error::TurboJpegError(text)) if text.contains("extraneous bytes before marker") => Ok(()),
        decoded => Ok(decoded?),
    }
}

/// Walks the segments up to the first scan (T.81, B.2.2); what is cut off says nothing.
fn segments(bytes: &[u8]) -> Segments<'_> {
    let mut found = Segments::default();
    let mut components = 0;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xff, marker, after @ ..] = rest {
        match (*marker, after) {
            // Fill bytes.
            (0xff, _) => rest = &rest[1..],
            // Markers without a segment, which the decoder passes over, too.
            (0x01 | 0xd0..=0xd7, _) => rest = after,
            (0xd9, _) => break,
            (_, [high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let body = after.get(2..length).unwrap_or_default();
                match *marker {
                    // Frames, but for the tables between them.
                    0xc0..=0xcf if !matches!(*marker, 0xc4 | 0xc8 | 0xcc) => {
                        components = body.get(5).copied().unwrap_or(0);
                        found.several_scans = matches!(*marker, 0xc2 | 0xc6 | 0xca | 0xce);
                        found.coefficients = coefficients(body);
                    }
                    // The first scan has all components, or others follow.
                    0xda => {
                        found.several_scans |= body.first().is_some_and(|scanned| *scanned < components);
                        break;
                    }
                    0xe2 => {
                        if let Some([number, count, part @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                            found.profile.push((*number, *count, part));
                        }
                    }
                    0xee => found.adobe = body.starts_with(b"Adobe"),
                    _ => (),
                }
                rest = after.get(length.max(2)..).unwrap_or_default();
            }
            _ => break,
        }
    }
    found
}

/// Of a frame header: precision, height, width, count of components, and three bytes of each.
fn coefficients(body: &[u8]) -> u64 {
    let [_, h1, h2, w1, w2, _, components @ ..] = body else { return 0 };
    let blocks = |high: &u8, low: &u8| u64::from(u16::from_be_bytes([*high, *low])).div_ceil(8);
    let factors = || {
        components
            .chunks_exact(3)
            .map(|component| (u64::from(component[1] >> 4), u64::from(component[1] & 15)))
    };
    let across = factors().map(|(h, _)| h).max().unwrap_or(1).max(1);
    let down = factors().map(|(_, v)| v).max().unwrap_or(1).max(1);
    let units = blocks(w1, w2).div_ceil(across) * blocks(h1, h2).div_ceil(down);
    units * 64 * factors().map(|(h, v)| h * v).sum::<u64>()
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
