//! What EXIF says of a photograph. A tag that can be read counts, whatever is broken beside it: libraries
//! that refuse the whole, or stop halfway, lose the orientation of many a phone's pictures.

mod find;
mod tiff;

use tiff::{Field, Tiff};

/// Tags of EXIF 2.32, 4.6.
mod tag {
    pub(super) const MAKE: u16 = 0x10f;
    pub(super) const MODEL: u16 = 0x110;
    pub(super) const ORIENTATION: u16 = 0x112;
    pub(super) const EXIF: u16 = 0x8769;
    pub(super) const DATE_TIME_ORIGINAL: u16 = 0x9003;
    pub(super) const DATE_TIME_DIGITIZED: u16 = 0x9004;
    pub(super) const OFFSET_TIME: u16 = 0x9010;
    pub(super) const OFFSET_TIME_ORIGINAL: u16 = 0x9011;
    pub(super) const OFFSET_TIME_DIGITIZED: u16 = 0x9012;
}

/// Characters of a camera's name that are kept.
const MAX_CAMERA: usize = 64;

/// What is known of how a photograph was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `2024-05-01T12:34:56`, by the camera's clock, and its offset from UTC (`+02:00`) where known.
    pub captured_at: Option<String>,
    /// Make and model, without control characters, at most 64 characters.
    pub camera: Option<String>,
    /// 1 to 8 (TIFF tag 274), of how the pixels as stored are to be turned. AVIF and HEIC have none, since
    /// they have transforms of their own, which EXIF repeats (ISO/IEC 23008-12, 6.5.10).
    pub orientation: Option<u8>,
}

/// Reads the EXIF of a JPEG, PNG, WebP, TIFF, HEIC or AVIF file; all is `None` where there is none.
pub fn facts(bytes: &[u8]) -> Facts {
    let Some(block) = find::find(bytes) else { return Facts::default() };
    let Some(exif) = Exif::new(&block) else { return Facts::default() };
    let orientation = exif.tiff.field(exif.first, tag::ORIENTATION).and_then(|field| field.number());
    let orientation = orientation.and_then(|value| u8::try_from(value).ok());
    Facts {
        captured_at: captured_at(&exif),
        camera: camera(&exif),
        orientation: orientation.filter(|value| (1..=8).contains(value) && !find::is_heif(bytes)),
    }
}

/// Two directories: a TIFF's first, and the one of EXIF that it points to.
struct Exif<'a> {
    tiff: Tiff<'a>,
    first: u64,
    own: Option<u64>,
}

impl<'a> Exif<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let tiff = Tiff::new(bytes)?;
        let first = tiff.first()?;
        let own = tiff.field(first, tag::EXIF).and_then(|field| field.number());
        Some(Self { tiff, first, own })
    }

    /// A tag of EXIF's directory; writers of TIFF have some of them in the first, as TIFF/EP has.
    fn field(&self, tag: u16) -> Option<Field<'a>> {
        let own = self.own.and_then(|own| self.tiff.field(own, tag));
        own.or_else(|| self.tiff.field(self.first, tag))
    }
}

/// When the picture was taken or else digitized, which is the same to a camera; some fill in one of the two.
fn captured_at(exif: &Exif) -> Option<String> {
    use tag::{OFFSET_TIME as ANY, OFFSET_TIME_DIGITIZED as DIGITIZED, OFFSET_TIME_ORIGINAL as ORIGINAL};
    let of = |date: u16, offsets: [u16; 3]| {
        let date = text(exif.field(date)?)?;
        let date = jiff::civil::DateTime::strptime("%Y:%m:%d %H:%M:%S", &date).ok()?;
        // All are of one clock, and some tell only the first.
        let mut offsets = offsets.into_iter().filter_map(|offset| text(exif.field(offset)?));
        let offset = offsets.find(|offset| is_offset(offset)).unwrap_or_default();
        Some(format!("{}{offset}", date.strftime("%Y-%m-%dT%H:%M:%S")))
    };
    of(tag::DATE_TIME_ORIGINAL, [ORIGINAL, ANY, DIGITIZED])
        .or_else(|| of(tag::DATE_TIME_DIGITIZED, [DIGITIZED, ANY, ORIGINAL]))
}

/// `+02:00`, as EXIF 2.31 has it.
fn is_offset(offset: &str) -> bool {
    let &[b'+' | b'-', h1 @ b'0'..=b'9', h2 @ b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9'] =
        offset.as_bytes()
    else {
        return false;
    };
    (h1 - b'0') * 10 + (h2 - b'0') <= 14
}

/// Many a model begins with its make, as `NIKON D90` does under `NIKON CORPORATION`.
fn camera(exif: &Exif) -> Option<String> {
    let of = |tag| text(exif.tiff.field(exif.first, tag)?);
    let (make, model) = (of(tag::MAKE), of(tag::MODEL));
    let named = match (make, model) {
        (Some(make), Some(model)) => {
            let brand = make.split(' ').next().unwrap_or_default().to_lowercase();
            if model.to_lowercase().starts_with(&brand) { model } else { format!("{make} {model}") }
        }
        (make, model) => model.or(make)?,
    };
    Some(named.chars().take(MAX_CAMERA).collect::<String>().trim_end().to_owned())
}

/// A field's text with single spaces, up to its first NUL; `None` if that is empty.
fn text(field: Field) -> Option<String> {
    // No name or date is longer, and a field can be as long as the file.
    let bytes = field.text()?;
    let bytes = bytes[..bytes.len().min(4 * MAX_CAMERA)].split(|byte| *byte == 0).next()?;
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests;
