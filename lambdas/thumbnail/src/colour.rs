//! Colours to sRGB, by the image's ICC profile where it has one that fits.
//!
//! Run after scaling down, which leaves a tenth of the pixels or fewer.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::scale::{Picture, Samples};

/// A press profile with its tables has 0.5 to 3 MB.
const MAX_PROFILE: usize = 8 << 20;

/// To RGB or RGBA in sRGB. A profile that is broken, or of other channels, is no profile.
pub(crate) fn to_srgb(picture: Picture, profile: Option<&[u8]>) -> Picture {
    match profile.filter(|bytes| bytes.len() <= MAX_PROFILE).and_then(|bytes| by_profile(&picture, bytes)) {
        Some(converted) => converted,
        None => plain(picture),
    }
}

fn by_profile(picture: &Picture, bytes: &[u8]) -> Option<Picture> {
    let profile = ColorProfile::new_from_slice(bytes).ok()?;
    let (space, from, to) = match picture.samples {
        Samples::Grey => (DataColorSpace::Gray, Layout::Gray, Layout::Rgb),
        Samples::Rgb => (DataColorSpace::Rgb, Layout::Rgb, Layout::Rgb),
        Samples::Rgba => (DataColorSpace::Rgb, Layout::Rgba, Layout::Rgba),
        // Four channels are `Rgba` to moxcms, whatever they mean.
        Samples::Cmyk => (DataColorSpace::Cmyk, Layout::Rgba, Layout::Rgb),
    };
    if profile.color_space != space {
        return None;
    }
    let samples = if to == Layout::Rgba { Samples::Rgba } else { Samples::Rgb };
    let transform = profile
        .create_transform_8bit(from, &ColorProfile::new_srgb(), to, TransformOptions::default())
        .ok()?;
    let mut data = vec![0; picture.data.len() / picture.samples.count() * samples.count()];
    transform.transform(&picture.data, &mut data).ok()?;
    Some(Picture { samples, data, ..*picture })
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
