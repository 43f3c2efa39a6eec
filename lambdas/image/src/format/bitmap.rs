//! A bitmap's size, from its header.

/// `imagesize` knows neither the oldest header, with 16-bit sides, nor heights below zero (rows from
/// the top). And `BM` alone is too short to tell an image from a text, so the header must be sound.
pub(crate) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let long = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let short = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let header_length = long(14)?;
    match header_length {
        _ if !bytes.starts_with(b"BM") => None,
        12 if short(22)? == 1 => Some((short(18)?.into(), short(20)?.into())),
        16 | 40 | 52 | 56 | 64 | 108 | 124 if short(26)? == 1 => {
            Some((long(18)?, long(22)?.cast_signed().unsigned_abs()))
        }
        _ => None,
    }
}
