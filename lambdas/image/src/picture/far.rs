//! Headers that are not at the front: TIFF's directory is often written last, and so can the boxes of
//! AVIF and HEIC be. Who holds only the first bytes of a file reads on where they are.

use crate::format::Format;

/// Where a file goes on with its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Far {
    /// In bytes from the start of the bytes that were looked at.
    pub at: u64,
    /// What is to be put before the bytes from there, so that [`inspect`](crate::picture::inspect) can read them.
    pub before: Vec<u8>,
}

/// Where the header of a file is that these are the first bytes of. `None` if it is among them or nowhere, or if
/// the format always has it in front.
pub fn far(bytes: &[u8]) -> Option<Far> {
    match Format::of(bytes)? {
        Format::Avif | Format::Heic => {
            let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
            Some(Far { at: heif::header_at(bytes)?, before: bytes.get(..length)?.to_vec() })
        }
        Format::Tiff => directory(bytes),
        _ => None,
    }
    .filter(|far| far.at >= far.before.len() as u64)
}

/// A TIFF's header says where its first directory is (TIFF 6.0, section 2; in BigTIFF in 64 bits). Width and
/// height are in its entries, so it can be read in any place.
fn directory(bytes: &[u8]) -> Option<Far> {
    let (little, big) = (bytes.starts_with(b"II"), bytes.get(..4)?.contains(&0x2b));
    // Before the offset, which is followed by what it is to be.
    let head = bytes.get(..if big { 8 } else { 4 })?;
    let offset = &bytes[head.len()..];
    let (at, behind_it) = match (big, little) {
        (false, true) => (u32::from_le_bytes(*offset.first_chunk()?).into(), 8_u32.to_le_bytes().to_vec()),
        (false, false) => (u32::from_be_bytes(*offset.first_chunk()?).into(), 8_u32.to_be_bytes().to_vec()),
        (true, true) => (u64::from_le_bytes(*offset.first_chunk()?), 16_u64.to_le_bytes().to_vec()),
        (true, false) => (u64::from_be_bytes(*offset.first_chunk()?), 16_u64.to_be_bytes().to_vec()),
    };
    Some(Far { at, before: [head, &behind_it].concat() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Picture, inspect};

    fn iso(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
        [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], &kind, content].concat()
    }

    /// What is read of a file by somebody who holds four thousand bytes at once.
    fn piecewise(file: &[u8]) -> Option<Picture> {
        let mut shift = 0;
        let mut bytes = file[..file.len().min(4000)].to_vec();
        for _ in 0..4 {
            if let Ok(picture) = inspect(&bytes, None, u64::MAX) {
                return Some(picture);
            }
            let Far { at, before } = far(&bytes)?;
            let at = usize::try_from(at).unwrap() + shift;
            shift = at - before.len();
            bytes = [before, file.get(at..)?.iter().copied().take(4000).collect()].concat();
        }
        None
    }

    #[test]
    fn boxes_behind_the_pictures_data_are_found() {
        let heif = include_bytes!("../../../../tests/images/chelsea.heic");
        let wanted = Some(Picture { format: Format::Heic, width: 450, height: 300 });
        assert_eq!(piecewise(heif), wanted);
        let length = u32::from_be_bytes(*heif.first_chunk().unwrap()) as usize;
        let (ftyp, rest) = heif.split_at(length);
        let free = iso(*b"free", &[7; 3000]);
        let wide = [&b"\0\0\0\x01mdat\0\0\0\0\0\0\x13\x98"[..], &[7; 5000]].concat();
        assert_eq!(piecewise(&[ftyp, &free, &wide, rest].concat()), wanted);
        assert_eq!(piecewise(&[ftyp, &iso(*b"free", &[7; 3900]), rest].concat()), wanted);
        assert_eq!(piecewise(&[ftyp, &free, &wide].concat()), None);
        assert_eq!(far(heif), None);
    }

    #[test]
    fn a_directory_behind_the_pixels_is_found_in_both_orders_and_sizes() {
        let wanted = Some(Picture { format: Format::Tiff, width: 3, height: 2 });
        let pixels = [7; 5000];
        let entries = |entry: fn(u16, u16) -> Vec<u8>| [entry(0x100, 3), entry(0x101, 2)].concat();
        let little = |tag: u16, value: u16| {
            [&tag.to_le_bytes()[..], b"\x03\0\x01\0\0\0", &value.to_le_bytes(), b"\0\0"].concat()
        };
        let file = [&b"II\x2A\0\x90\x13\0\0"[..], &pixels, b"\x02\0", &entries(little)].concat();
        assert_eq!(piecewise(&file), wanted);
        let big = |tag: u16, value: u16| {
            [&tag.to_be_bytes()[..], b"\0\x03\0\0\0\0\0\0\0\x01", &value.to_be_bytes(), &[0; 6]].concat()
        };
        let head = b"MM\0\x2B\0\x08\0\0\0\0\0\0\0\0\x13\x98";
        let file = [&head[..], &pixels, &[0, 0, 0, 0, 0, 0, 0, 2], &entries(big)].concat();
        assert_eq!(piecewise(&file), wanted);
        // It points before itself, and past the end.
        assert_eq!(far(b"II\x2A\0\x04\0\0\0 and so on"), None);
        assert_eq!(piecewise(b"II\x2A\0\xFF\xFF\xFF\xFF and so on"), None);
    }

    #[test]
    fn other_formats_and_cut_headers_have_nothing_far() {
        for bytes in [&b""[..], b"GIF89a", b"\xFF\xD8\xFF\xE0", b"II\x2A\0\x08", b"MM\0\x2B\0\x08\0\0\0\0\0"]
        {
            assert_eq!(far(bytes), None, "{bytes:?}");
        }
    }
}
