//! Directories of a TIFF (TIFF 6.0, section 2) or BigTIFF, read field by field: what is broken elsewhere
//! does not matter to a field that is sound.

/// Entries of a directory that are looked at, as many as a TIFF's can have.
const MAX_ENTRIES: u64 = 0xffff;

/// A file, or what stands in EXIF's place in another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
    /// BigTIFF, whose counts and offsets have 64 bits.
    big: bool,
}

/// A field's value, as far as its bytes are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    kind: u16,
    value: &'a [u8],
    little: bool,
}

impl<'a> Tiff<'a> {
    /// Nothing if there is no TIFF header.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (little, big) = match bytes.first_chunk()? {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => return None,
        };
        Some(Self { bytes, little, big })
    }

    /// Where the first directory is.
    pub(crate) fn first(&self) -> Option<u64> {
        if self.big { self.number(8, 8) } else { self.number(4, 4) }
    }

    /// The first field of a tag, in the directory at an offset, of which there is something: others can
    /// point anywhere.
    pub(crate) fn field(&self, directory: u64, tag: u16) -> Option<Field<'a>> {
        let (of_count, of_entry) = if self.big { (8, 20) } else { (2, 12) };
        let count = self.number(directory, of_count)?.min(MAX_ENTRIES);
        let first = directory.checked_add(of_count)?;
        (0..count)
            .map_while(|place| {
                let at = first.checked_add(place * of_entry)?;
                Some((at, self.number(at, 2)?))
            })
            .filter(|(_, found)| *found == u64::from(tag))
            .find_map(|(at, _)| self.value(at))
    }

    /// The value of the entry at an offset. One that is too long to stand in the entry stands elsewhere.
    fn value(&self, entry: u64) -> Option<Field<'a>> {
        let kind = u16::try_from(self.number(entry + 2, 2)?).ok()?;
        let of_offset = if self.big { 8 } else { 4 };
        let count = self.number(entry + 4, of_offset)?;
        let length = count.saturating_mul(length_of(kind)?);
        let inside = entry + 4 + of_offset;
        let at = if length <= of_offset { inside } else { self.number(inside, of_offset)? };
        let rest = self.bytes.get(usize::try_from(at).ok()?..)?;
        let value = &rest[..usize::try_from(length).map_or(rest.len(), |length| length.min(rest.len()))];
        (!value.is_empty()).then_some(Field { kind, value, little: self.little })
    }

    fn number(&self, at: u64, length: u64) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = self.bytes.get(at..at.checked_add(usize::try_from(length).ok()?)?)?;
        Some(number(bytes, self.little))
    }
}

impl<'a> Field<'a> {
    /// The first of the field's whole numbers, none of which may be negative.
    pub(crate) fn number(&self) -> Option<u64> {
        let length = usize::try_from(length_of(self.kind)?).ok()?;
        let number = number(self.value.get(..length)?, self.little);
        let is_whole = matches!(self.kind, 1 | 3 | 4 | 6 | 8 | 9 | 13 | 16..=18);
        let is_signed = matches!(self.kind, 6 | 8 | 9 | 17);
        let is_negative = is_signed && number >> (8 * length - 1) == 1;
        (is_whole && !is_negative).then_some(number)
    }

    /// What the field has of text: ASCII, or bytes of no kind, which some write in its place.
    pub(crate) fn text(&self) -> Option<&'a [u8]> {
        // 129 is UTF-8 (EXIF 3.0).
        matches!(self.kind, 1 | 2 | 7 | 129).then_some(self.value)
    }
}

/// Bytes of one value of a type (TIFF 6.0, section 2; BigTIFF and EXIF 3.0 have added to them).
fn length_of(kind: u16) -> Option<u64> {
    Some(match kind {
        1 | 2 | 6 | 7 | 129 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => return None,
    })
}

/// Of at most eight bytes.
fn number(bytes: &[u8], little: bool) -> u64 {
    let shift = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    if little { bytes.iter().rev().fold(0, shift) } else { bytes.iter().fold(0, shift) }
}
