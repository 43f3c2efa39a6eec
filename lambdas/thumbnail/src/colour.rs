//! Colours to sRGB, by the image's ICC profile where it has one that fits.
//!
//! Run after scaling down, which leaves a tenth of the pixels or fewer.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::scale::{Picture, Samples};

/// Bytes. A press profile with its tables has 0.5 to 3 MB.
pub(crate) const MAX_PROFILE: usize = 8 << 20;

/// The tags that say how colours are converted (ICC.1, 8.3 to 8.5): tables, and curves with a matrix.
const TABLES: [&[u8]; 3] = [b"A2B0", b"A2B1", b"A2B2"];
const CURVES: [&[u8]; 9] = [b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"chad"];

/// To RGB or RGBA in sRGB. A profile that is broken, or of other channels, is no profile.
///
/// Old profiles have faults in what has nothing to do with colours, such as a text or the version, and some
/// have tables that are broken beside a matrix that is not: such a profile is tried without the one, then
/// without the other, before it is given up.
pub(crate) fn to_srgb(picture: Picture, profile: Option<&[u8]>) -> Picture {
    let profile = profile.filter(|bytes| bytes.len() <= MAX_PROFILE);
    let converted = profile.and_then(|bytes| {
        by_profile(&picture, bytes)
            .or_else(|| by_profile(&picture, &reduced(bytes, &[&TABLES[..], &CURVES].concat())?))
            .or_else(|| by_profile(&picture, &reduced(bytes, &CURVES)?))
    });
    converted.unwrap_or_else(|| plain(picture))
}

fn by_profile(picture: &Picture, bytes: &[u8]) -> Option<Picture> {
    let profile = ColorProfile::new_from_slice(bytes).ok()?;
    let (from, to) = match (picture.samples, profile.color_space) {
        (Samples::Grey, DataColorSpace::Gray) => (Layout::Gray, Layout::Rgb),
        (Samples::Rgb, DataColorSpace::Rgb) => (Layout::Rgb, Layout::Rgb),
        (Samples::Rgba, DataColorSpace::Rgb) => (Layout::Rgba, Layout::Rgba),
        // Grey with alpha was spread to RGBA, and palettes of grey to RGB.
        (Samples::Rgb, DataColorSpace::Gray) if is_grey(picture) => (Layout::Gray, Layout::Rgb),
        (Samples::Rgba, DataColorSpace::Gray) if is_grey(picture) => (Layout::GrayAlpha, Layout::Rgba),
        // Four channels are `Rgba` to moxcms, whatever they mean.
        (Samples::Cmyk, DataColorSpace::Cmyk) => (Layout::Rgba, Layout::Rgb),
        _ => return None,
    };
    let samples = if to == Layout::Rgba { Samples::Rgba } else { Samples::Rgb };
    let transform = profile
        .create_transform_8bit(from, &ColorProfile::new_srgb(), to, TransformOptions::default())
        .ok()?;
    let pixels = picture.data.len() / picture.samples.count();
    let mut data = vec![0; pixels * samples.count()];
    let narrow: Vec<u8> = match (picture.samples, from) {
        (Samples::Rgb, Layout::Gray) => picture.data.iter().step_by(3).copied().collect(),
        (_, Layout::GrayAlpha) => picture.data.chunks_exact(4).flat_map(|p| [p[0], p[3]]).collect(),
        _ => Vec::new(),
    };
    transform.transform(if narrow.is_empty() { &picture.data } else { &narrow }, &mut data).ok()?;
    Some(Picture { samples, data, ..*picture })
}

fn is_grey(picture: &Picture) -> bool {
    picture.data.chunks_exact(picture.samples.count()).all(|p| p[0] == p[1] && p[1] == p[2])
}

/// A copy whose header has defaults for what is only told of a profile, and no tags but these.
fn reduced(profile: &[u8], tags: &[&[u8]]) -> Option<Vec<u8>> {
    let mut profile = profile.to_vec();
    // Header (ICC.1, 7.2): version, date with signature, intent.
    let version = if profile.get(8)? == &2 { [2, 0x40, 0, 0] } else { [4, 0x40, 0, 0] };
    profile.get_mut(8..12)?.copy_from_slice(&version);
    profile.get_mut(36..40)?.copy_from_slice(b"acsp");
    profile.get_mut(64..68)?.fill(0);
    // D50, which is the only one.
    profile.get_mut(68..80)?.copy_from_slice(&[0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]);
    let count = u32::from_be_bytes(*profile.get(128..)?.first_chunk()?);
    let length = profile.len();
    let table = profile.get_mut(132..)?;
    let count = usize::try_from(count).ok()?.min(table.len() / 12);
    for entry in table.chunks_exact_mut(12).take(count) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (start, size) = (number(&entry[4..8]), number(&entry[8..12]));
        if !tags.contains(&&entry[..4]) || start.saturating_add(size) > length {
            // No tag has that name.
            entry[..4].fill(0);
        }
    }
    let count = u32::try_from(count).ok()?;
    profile.get_mut(128..132)?.copy_from_slice(&count.to_be_bytes());
    Some(profile)
}

fn plain(picture: Picture) -> Picture {
    let data = match picture.samples {
        Samples::Rgb | Samples::Rgba => return picture,
        Samples::Grey => picture.data.iter().flat_map(|grey| [*grey; 3]).collect(),
        Samples::Cmyk => {
            picture.data.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]].map(|c| light(c, p[3]))).collect()
        }
    };
    Picture { samples: Samples::Rgb, data, ..picture }
}

/// What two inks over each other leave of white.
fn light(ink: u8, black: u8) -> u8 {
    let left = (255 - u32::from(ink)) * (255 - u32::from(black)) / 255;
    u8::try_from(left).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests;
