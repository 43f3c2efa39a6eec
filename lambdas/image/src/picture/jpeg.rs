//! A JPEG's size, from its segments (ITU-T T.81, B.2.2).

/// Width and height of the frame. `imagesize` gives up at fill bytes, of which there may be any number
/// before a marker (B.1.1.2), and at bytes that belong to no segment, which decoders pass over.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.get(2..)?;
    loop {
        rest = &rest[rest.iter().position(|byte| *byte == 0xFF)?..];
        let fill = rest.iter().position(|byte| *byte != 0xFF)?;
        let (marker, after) = (rest[fill], &rest[fill + 1..]);
        rest = match marker {
            // No marker, or one without a segment.
            0 | 0x01 | 0xD0..=0xD7 => after,
            // The image begins again, ends, or has a scan before its frame.
            0xD8..=0xDA => return None,
            // Tables and an extension are no frames.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let side = |at: usize| Some(u16::from_be_bytes(*after.get(at..)?.first_chunk()?).into());
                return Some((side(5)?, side(3)?));
            }
            _ => {
                let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
                after.get(length.max(2)..)?
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn bytes_before_a_marker_of_a_jpeg_hide_nothing() {
        let start = b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
        let frame = b"\xFF\xC2\0\x11\x08\0\x02\0\x03\x03";
        for between in [
            &b"\xFF\xFF\xFF"[..],
            b"\xFF\0",
            b"stray",
            b"\xFF\x01\xFF\xD3",
            b"\xFF\xE1\0\x0EExif\0\0\xFF\xC0\0\x11\x08\0\0\0\0",
            b"\xFF\xC4\0\x05\0\0\0\xFF\xDB\0\x03\0\xFF",
        ] {
            assert_eq!(size(&[start, between, frame].concat()), Some((3, 2)), "{between:?}");
        }
        // As a phone writes it: fill bytes right at the start.
        assert_eq!(size(&[b"\xFF\xD8\xFF\xFF", &start[2..], frame].concat()), Some((3, 2)));
    }

    #[test]
    fn what_has_no_frame_has_no_size() {
        for bytes in [
            &b"\xFF\xD8\xFF\xE0\0\x10JFIF"[..],
            b"\xFF\xD8\xFF\xC0\0\x11\x08\0\x02\0",
            b"\xFF\xD8\xFF\xD9\xFF\xC0\0\x11\x08\0\x02\0\x03",
            b"\xFF\xD8\xFF\xDA\0\x0C\x03\xFF\xC0\0\x11\x08\0\x02\0\x03",
            b"\xFF\xD8\xFF\xFF",
            b"\xFF\xD8",
            b"",
        ] {
            assert_eq!(size(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn no_cut_or_changed_header_makes_it_panic() {
        let header = b"\xFF\xD8\xFF\xE0\0\x04\0\0\xFF\xFF\xC0\0\x11\x08\0\x02\0\x03";
        for at in 0..header.len() {
            assert_eq!(size(&header[..at]), None);
            for byte in 0..=u8::MAX {
                let mut changed = header.to_vec();
                changed[at] = byte;
                size(&changed);
            }
        }
    }
}
