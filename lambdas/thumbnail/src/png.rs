//! PNG, in 8 bits, and what it says of its colours (PNG, third edition, 4.3 and 11.3.2).

use std::io::{Cursor, Read};

use flate2::read::ZlibDecoder;
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, MatrixCoefficients,
    TransferCharacteristics, curve_from_gamma,
};
use png::{ColorType, DecodeOptions, DecodingError, Info, Limits, Transformations};

use crate::colour::MAX_PROFILE;
use crate::decoded::{Decoded, opaque};
use crate::limits::{check_memory, check_pixels};
use crate::scale::{Picture, Samples};
use crate::{Settings, Unmade};

/// Bytes that chunks and one row may take, beside the pixels. A picture may be one row of a hundred megapixels, which
/// the decoder would hold a second and a third time.
const MAX_CHUNKS: u64 = 32 << 20;

/// A file's gamma that is meant to be that of sRGB, in its units of 1/100,000.
const AS_SRGB: std::ops::RangeInclusive<u32> = 45_000..=46_000;

pub(crate) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

pub(crate) fn decode(bytes: &[u8], settings: &Settings) -> Result<Decoded, Unmade> {
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    // The decoder would inflate a profile of any size.
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits {
        bytes: usize::try_from(settings.max_memory.min(MAX_CHUNKS)).unwrap_or(usize::MAX),
    });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info()?;
    let (width, height) = (reader.info().width, reader.info().height);
    check_pixels(width, height, settings)?;
    let too_large = || Unmade::TooLarge(format!("{width} x {height} pixels"));
    let size = reader.output_buffer_size().ok_or_else(too_large)?;
    let (colour, _) = reader.output_color_type();
    let copy = if colour == ColorType::GrayscaleAlpha { 2 * size } else { 0 };
    check_memory((size + copy) as u64, settings)?;

    let mut data = vec![0; size];
    reader.next_frame(&mut data)?;
    let samples = match colour {
        ColorType::Grayscale => Samples::Grey,
        ColorType::Rgb => Samples::Rgb,
        _ => Samples::Rgba,
    };
    if colour == ColorType::GrayscaleAlpha {
        data = data.chunks_exact(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]).collect();
    }
    let picture = opaque(Picture::new(width, height, samples, data)?);
    let profile = profile(reader.info(), bytes, picture.samples);
    Ok(Decoded { picture, full_edge: width.max(height), profile })
}

/// The file's colours as an ICC profile; `None` is sRGB. Of several chunks the first of cICP, iCCP, sRGB,
/// and gAMA with cHRM counts.
fn profile(info: &Info<'_>, bytes: &[u8], samples: Samples) -> Option<Vec<u8>> {
    let profile = match (by_code_points(info), embedded(bytes)) {
        (Some(profile), _) => profile,
        (None, Some(profile)) => return Some(profile),
        (None, None) if info.srgb.is_some() => return None,
        (None, None) => by_gamma(info, samples)?,
    };
    profile.encode().ok()
}

/// Of ITU-T H.273, for red, green and blue with all values.
fn by_code_points(info: &Info<'_>) -> Option<ColorProfile> {
    let points = info.coding_independent_code_points.as_ref()?;
    if points.matrix_coefficients != 0 || !points.is_video_full_range_image {
        return None;
    }
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(points.color_primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(points.transfer_function).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    // Points that it does not know leave it without curves.
    profile.red_trc.is_some().then_some(profile)
}

/// gAMA and cHRM; what one of them leaves open is as in sRGB.
fn by_gamma(info: &Info<'_>, samples: Samples) -> Option<ColorProfile> {
    let gamma = info.gama_chunk.map(png::ScaledFloat::into_scaled).filter(|gamma| !AS_SRGB.contains(gamma));
    // Beyond these nothing could be seen.
    let gamma = gamma.filter(|gamma| (5_000..=1_000_000).contains(gamma));
    let curve = gamma.map(|gamma| 100_000.0 / f64::from(gamma));
    #[expect(clippy::cast_possible_truncation, reason = "0.1 to 20")]
    let curve = curve.map(|exponent| exponent as f32);
    if samples == Samples::Grey {
        return curve.map(ColorProfile::new_gray_with_gamma);
    }
    let mut profile = ColorProfile::new_srgb();
    let primaries = info.chrm_chunk.as_ref().filter(|chrm| !is_srgb(chrm));
    if let Some(chrm) = primaries {
        let point = |(x, y): (png::ScaledFloat, png::ScaledFloat)| {
            (y.into_scaled() > 0).then(|| Chromaticity::new(x.into_value(), y.into_value()))
        };
        let (red, green, blue) = (point(chrm.red)?, point(chrm.green)?, point(chrm.blue)?);
        // Points on one line span no colours.
        let area = (green.x - red.x) * (blue.y - red.y) - (green.y - red.y) * (blue.x - red.x);
        if area.abs() < 0.01 {
            return None;
        }
        profile.update_rgb_colorimetry(point(chrm.white)?.to_xyyb(), ColorPrimaries { red, green, blue });
    }
    if let Some(curve) = curve {
        profile.cicp = None;
        profile.red_trc = Some(curve_from_gamma(curve));
        profile.green_trc.clone_from(&profile.red_trc);
        profile.blue_trc.clone_from(&profile.red_trc);
    }
    (curve.is_some() || primaries.is_some()).then_some(profile)
}

/// Within a thousandth, as writers round.
fn is_srgb(chrm: &png::SourceChromaticities) -> bool {
    let told = [chrm.white, chrm.red, chrm.green, chrm.blue];
    let srgb = [(31_270, 32_900), (64_000, 33_000), (30_000, 60_000), (15_000, 6_000)];
    told.iter().zip(srgb).all(|((x, y), wanted)| {
        x.into_scaled().abs_diff(wanted.0) <= 100 && y.into_scaled().abs_diff(wanted.1) <= 100
    })
}

/// The iCCP chunk's profile, if it is not too large: name, NUL, method 0, and a zlib stream.
fn embedded(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.get(8..)?;
    let chunk = loop {
        let [l1, l2, l3, l4, kind @ ..] = rest else { return None };
        let length = usize::try_from(u32::from_be_bytes([*l1, *l2, *l3, *l4])).ok()?;
        let data = kind.get(4..)?;
        match kind.first_chunk::<4>()? {
            b"iCCP" => break data.get(..length)?,
            b"IDAT" | b"IEND" => return None,
            _ => rest = data.get(length.checked_add(4)?..)?,
        }
    };
    let name = chunk.iter().position(|byte| *byte == 0)?;
    inflated(chunk.get(name + 2..)?, MAX_PROFILE + 1).filter(|profile| profile.len() <= MAX_PROFILE)
}

/// A zlib stream's data, or so many bytes of it.
pub(crate) fn inflated(stream: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    ZlibDecoder::new(stream).take(most as u64).read_to_end(&mut data).ok()?;
    Some(data)
}

impl From<DecodingError> for Unmade {
    fn from(error: DecodingError) -> Self {
        let text: String = error.to_string().chars().take(200).collect();
        match error {
            DecodingError::LimitsExceeded => Self::TooLarge(text),
            _ => Self::Damaged(text),
        }
    }
}

#[cfg(test)]
mod tests;
