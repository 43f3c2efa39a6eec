//! GIF: the first frame, on its screen.

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use crate::decoded::{Decoded, opaque};
use crate::limits::{check_memory, check_pixels};
use crate::scale::{Picture, Samples};
use crate::{Settings, Unmade};

pub(crate) fn is_gif(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a")
}

pub(crate) fn decode(bytes: &[u8], settings: &Settings) -> Result<Decoded, Unmade> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.set_memory_limit(MemoryLimit::Unlimited);
    // An extension that nobody knows is passed over, as the specification has it (GIF89a, 12).
    options.allow_unknown_blocks(true);
    let mut decoder = options.read_info(bytes)?;
    let screen = (decoder.width(), decoder.height());
    let frame =
        decoder.next_frame_info()?.ok_or_else(|| Unmade::Damaged("GIF without a frame".to_owned()))?;
    let (left, top, across, down) = (frame.left, frame.top, frame.width, frame.height);
    // Where there is no screen, browsers take the frame.
    let (left, top, (width, height)) =
        if screen.0 == 0 || screen.1 == 0 { (0, 0, (across, down)) } else { (left, top, screen) };
    check_pixels(width.into(), height.into(), settings)?;
    check_pixels(across.into(), down.into(), settings)?;
    let bytes_of = |width: u16, height: u16| usize::from(width) * usize::from(height) * 4;
    let whole = (left, top, across, down) == (0, 0, width, height);
    let canvas = if whole { 0 } else { bytes_of(width, height) };
    check_memory((bytes_of(across, down) + canvas) as u64, settings)?;

    let mut data = vec![0; bytes_of(across, down)];
    decoder.read_into_buffer(&mut data)?;
    if !whole {
        let mut screen = vec![0; canvas];
        let (pitch, from_pitch) = (bytes_of(width, 1), bytes_of(across, 1));
        let start = bytes_of(left, 1);
        let length = from_pitch.min(pitch.saturating_sub(start));
        let rows = screen.chunks_exact_mut(pitch.max(1)).skip(top.into());
        for (to, from) in rows.zip(data.chunks_exact(from_pitch.max(1))).filter(|_| length > 0) {
            to[start..start + length].copy_from_slice(&from[..length]);
        }
        data = screen;
    }
    let profile = decoder.icc_profile().map(<[u8]>::to_vec);
    let picture = Picture::new(width.into(), height.into(), Samples::Rgba, data)?;
    Ok(Decoded { picture: opaque(picture), full_edge: width.max(height).into(), profile })
}

impl From<DecodingError> for Unmade {
    fn from(error: DecodingError) -> Self {
        Self::Damaged(error.to_string().chars().take(200).collect())
    }
}

#[cfg(test)]
mod tests;
