//! What every decoder returns.

use crate::scale::{Picture, Samples};

pub(crate) struct Decoded {
    /// As large as the original, or less where the decoder scales while it decodes.
    pub(crate) picture: Picture,
    /// The original's long edge.
    pub(crate) full_edge: u32,
    /// ICC
    pub(crate) profile: Option<Vec<u8>>,
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
