//! BMP as `image` reads it, and what it does not: the headers of OS/2, and alpha that is not meant.

use std::borrow::Cow;

use crate::Unmade;
use crate::scale::{Picture, Samples};

/// Bytes of a file's header before the bitmap's, and of a bitmap's header as Windows writes it.
const FILE_HEADER: usize = 14;
const HEADER: usize = 40;

/// OS/2 2.x has a header of 64 bytes, or just its first 16, which has the fields of Windows' in their places.
pub(crate) fn with_windows_header(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Unmade> {
    let long = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let length = match long(FILE_HEADER) {
        Some(16) => 16,
        Some(64) => 64,
        _ => return Ok(Cow::Borrowed(bytes)),
    };
    let damaged = || Unmade::Damaged("BMP ends in its header".to_owned());
    let (header, rest) =
        bytes.get(FILE_HEADER..).and_then(|after| after.split_at_checked(length)).ok_or_else(damaged)?;
    // 3 is Huffman's code and 4 RLE of 24 bits to OS/2, and other things to Windows.
    if length == 64 && long(30).is_some_and(|compression| compression > 2) {
        return Err(Unmade::Unsupported("this kind of OS/2 bitmap"));
    }
    let mut windows = bytes[..FILE_HEADER].to_vec();
    // Where the pixels begin.
    let moved = (long(10).ok_or_else(damaged)? as usize).saturating_add(HEADER).saturating_sub(length);
    windows[10..14].copy_from_slice(&u32::try_from(moved).unwrap_or(u32::MAX).to_le_bytes());
    windows.extend(&header[..length.min(HEADER)]);
    windows.resize(FILE_HEADER + HEADER, 0);
    windows[FILE_HEADER..FILE_HEADER + 4].copy_from_slice(&[40, 0, 0, 0]);
    windows.extend_from_slice(rest);
    Ok(Cow::Owned(windows))
}

/// Many writers leave zero in the bits of alpha. A picture of which nothing could be seen is opaque.
pub(crate) fn seen(mut picture: Picture) -> Picture {
    if picture.samples == Samples::Rgba && picture.data.chunks_exact(4).all(|pixel| pixel[3] == 0) {
        picture.data.chunks_exact_mut(4).for_each(|pixel| pixel[3] = u8::MAX);
    }
    picture
}

#[cfg(test)]
mod tests;
