//! What the boxes of a HEIC or AVIF file (ISO/IEC 23008-12, in the boxes of 14496-12) say of its picture
//! without any decoding: how large it is shown, and where its EXIF is.
//!
//! All input is a stranger's: what is cut off or contradicts itself is passed over, nothing panics, and
//! no walk is longer than the bytes are.

mod boxes;
mod exif;
mod size;

pub use crate::exif::exif;

use crate::boxes::Boxes;

/// Width and height in pixels as the picture is to be shown: of the primary item, after its clean
/// aperture and its rotation, or of the first track where there is no such item. EXIF's orientation
/// repeats the rotation (23008-12, annex A.2.1 and 6.5.10) and is not to be applied to them.
///
/// The first bytes of a file suffice, if they hold its header; where that is, [`header_at`] tells.
pub fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let of = |kind: [u8; 4], read: fn(&[u8]) -> Option<(u32, u32)>| {
        Boxes::new(bytes).of(kind).find_map(|found| read(found.content))
    };
    of(*b"meta", size::of_primary_item).or_else(|| of(*b"moov", size::of_track))
}

/// Where to read on, in bytes from the file's start, if these are its first and its header is not all
/// there: it can stand behind the picture's own data. It is read from there as if nothing but `ftyp` stood
/// before it. Nothing if the header is here, or nowhere.
pub fn header_at(bytes: &[u8]) -> Option<u64> {
    let there = bytes.len() as u64;
    let mut next = 0;
    for found in Boxes::new(bytes) {
        if matches!(&found.kind, b"meta" | b"moov") {
            return (!found.whole).then_some(found.start);
        }
        next = found.end;
    }
    // Past these bytes, or so near to their end that the next box's length and kind are not all there.
    (next > 0 && next < u64::MAX && next.saturating_add(16) > there).then_some(next)
}

#[cfg(test)]
mod tests;
