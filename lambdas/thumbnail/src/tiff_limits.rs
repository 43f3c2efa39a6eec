//! What a TIFF (revision 6.0, and `BigTIFF`) claims, before anything decodes it: many strips or tiles may
//! all be the same bytes of the file, each of which is read and decompressed anew.

use crate::Unmade;

/// Strips and tiles together. A picture of 100,000 rows in three planes has 300,000 at the most.
const MAX_PARTS: u64 = 1 << 19;

/// Bytes of all strips and tiles for each of the file. A sound file has less than one.
const MAX_TIMES: u64 = 4;

/// Directories and entries that are looked at. The first directory has the picture, all others are
/// thumbnails, masks and pages.
const MAX_ENTRIES: u64 = 4096;

const STRIP_BYTE_COUNTS: u16 = 279;
const TILE_BYTE_COUNTS: u16 = 325;

/// Little-endian or big-endian numbers at places of a file, and how wide its offsets are.
struct Numbers<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// Eight bytes in `BigTIFF`.
    wide: bool,
}

impl Numbers<'_> {
    /// Of `width` bytes, eight at most.
    fn at(&self, place: u64, width: u64) -> Option<u64> {
        let start = usize::try_from(place).ok()?;
        let end = start.checked_add(usize::try_from(width).ok()?)?;
        let bytes = self.bytes.get(start..end)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }

    fn offset_width(&self) -> u64 {
        if self.wide { 8 } else { 4 }
    }
}

/// Refuses a TIFF whose strips or tiles are more, or claim more bytes, than those of a sound one. To be
/// called before any reader of TIFF; says nothing of how many pixels there are.
///
/// # Errors
/// [`Unmade::TooLarge`]. What is damaged is for the reader to find.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Unmade> {
    let (big_endian, wide) = match bytes {
        [b'I', b'I', version @ (42 | 43), 0, ..] => (false, *version == 43),
        [b'M', b'M', 0, version @ (42 | 43), ..] => (true, *version == 43),
        _ => return Ok(()),
    };
    let numbers = Numbers { bytes, big_endian, wide };
    let (parts, claimed) = claims(&numbers);
    let most = (bytes.len() as u64).saturating_mul(MAX_TIMES);
    if parts > MAX_PARTS || claimed > most {
        return Err(Unmade::TooLarge(format!("{parts} strips or tiles of {claimed} bytes")));
    }
    Ok(())
}

/// Count and bytes of the strips and tiles of the first directory.
fn claims(numbers: &Numbers) -> (u64, u64) {
    let width = numbers.offset_width();
    let start = numbers.at(if numbers.wide { 8 } else { 4 }, width);
    let count_width = if numbers.wide { 8 } else { 2 };
    let Some((start, count)) = start.and_then(|start| Some((start, numbers.at(start, count_width)?))) else {
        return (0, 0);
    };
    let entry_length = 4 + 2 * width;
    let (mut parts, mut claimed) = (0_u64, 0_u64);
    for number in 0..count.min(MAX_ENTRIES) {
        let entry = start.saturating_add(count_width + number * entry_length);
        let Some(tag) = numbers.at(entry, 2) else { break };
        if ![STRIP_BYTE_COUNTS, TILE_BYTE_COUNTS].map(u64::from).contains(&tag) {
            continue;
        }
        let (Some(kind), Some(values)) = (numbers.at(entry + 2, 2), numbers.at(entry + 4, width)) else {
            break;
        };
        let size = match kind {
            1 => 1,
            3 => 2,
            16 => 8,
            _ => 4,
        };
        parts = parts.saturating_add(values);
        // Few values are in the entry itself.
        let field = entry + 4 + width;
        let fits = values.checked_mul(size).is_some_and(|length| length <= width);
        let first = if fits { Some(field) } else { numbers.at(field, width) };
        let read = |number: u64| numbers.at(first?.checked_add(number * size)?, size);
        claimed = (0..values.min(MAX_PARTS)).map_while(read).fold(claimed, u64::saturating_add);
    }
    (parts, claimed)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::Unmade;

    /// A directory of one tag with its values, in either order of bytes, classic or big.
    fn tiff(big_endian: bool, wide: bool, tag: u16, values: &[u32]) -> Vec<u8> {
        let number = |value: u64, width: usize| {
            let mut bytes = value.to_le_bytes()[..width].to_vec();
            if big_endian {
                bytes.reverse();
            }
            bytes
        };
        let width = if wide { 8 } else { 4 };
        let mut bytes = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
        bytes.extend(number(if wide { 43 } else { 42 }, 2));
        if wide {
            bytes.extend([number(8, 2), number(0, 2), number(16, 8)].concat());
        } else {
            bytes.extend(number(8, 4));
        }
        bytes.extend(number(1, if wide { 8 } else { 2 }));
        bytes.extend([number(tag.into(), 2), number(4, 2), number(values.len() as u64, width)].concat());
        let listed: Vec<u8> = values.iter().flat_map(|value| number((*value).into(), 4)).collect();
        if listed.len() <= width {
            bytes.extend(&listed);
            bytes.resize(bytes.len() + 2 * width - listed.len(), 0);
        } else {
            let end = bytes.len() + 2 * width;
            bytes.extend(number(end as u64, width));
            bytes.extend(number(0, width));
            bytes.extend(&listed);
        }
        bytes.resize(1000, 0);
        bytes
    }

    #[test]
    fn strips_that_claim_the_file_many_times_are_refused() {
        for (big_endian, wide) in [(false, false), (false, true), (true, false), (true, true)] {
            for tag in [279, 325] {
                let check = |values: &[u32]| check(&tiff(big_endian, wide, tag, values));
                assert_eq!(check(&[4000]), Ok(()));
                assert_eq!(check(&[100; 40]), Ok(()));
                for values in [&[4001][..], &[2000, 2001], &[101; 40], &[u32::MAX; 3]] {
                    assert!(
                        matches!(check(values), Err(Unmade::TooLarge(_))),
                        "{big_endian} {wide} {values:?}"
                    );
                }
            }
            assert_eq!(check(&tiff(big_endian, wide, 273, &[5000; 40])), Ok(()));
        }
    }

    #[test]
    fn what_is_cut_or_changed_does_no_harm() {
        for wide in [false, true] {
            let bytes = tiff(wide, wide, 279, &[100; 4]);
            for length in 0..60 {
                check(&bytes[..length]).ok();
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[length] = value;
                    check(&changed).ok();
                }
            }
        }
        // More strips than bytes are told of.
        let mut many = tiff(false, false, 279, &[1; 4]);
        many[14..18].fill(0xff);
        assert!(matches!(check(&many), Err(Unmade::TooLarge(_))));
    }
}
