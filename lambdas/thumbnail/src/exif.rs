//! What EXIF says of a photograph. Corrupt EXIF is no EXIF.

use std::io::Cursor;

use exif::{Exif, In, Reader, Tag, Value};

use crate::jpeg;

/// Characters of a camera's name that are kept.
const MAX_CAMERA: usize = 64;

/// What is known of how a photograph was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `2024-05-01T12:34:56`, by the camera's clock, and its offset from UTC (`+02:00`) where known.
    pub captured_at: Option<String>,
    /// Make and model, without control characters, at most 64 characters.
    pub camera: Option<String>,
    /// 1 to 8 (TIFF tag 274).
    pub orientation: Option<u8>,
}

/// Reads the EXIF of a JPEG, PNG, WebP, TIFF, HEIC or AVIF file; all is `None` where there is none.
pub fn facts(bytes: &[u8]) -> Facts {
    // The reader would look through all of a JPEG that has none.
    let bytes = if jpeg::is_jpeg(bytes) { jpeg::head(bytes) } else { bytes };
    let Ok(exif) = Reader::new().read_from_container(&mut Cursor::new(bytes)) else {
        return Facts::default();
    };
    Facts {
        captured_at: captured_at(&exif),
        camera: camera(&exif),
        orientation: exif
            .get_field(Tag::Orientation, In::PRIMARY)
            .and_then(|field| field.value.get_uint(0))
            .and_then(|value| u8::try_from(value).ok())
            .filter(|value| (1..=8).contains(value)),
    }
}

fn captured_at(exif: &Exif) -> Option<String> {
    let taken = text(exif, Tag::DateTimeOriginal)?;
    let taken = jiff::civil::DateTime::strptime("%Y:%m:%d %H:%M:%S", &taken).ok()?;
    let offset = text(exif, Tag::OffsetTimeOriginal).filter(|offset| is_offset(offset)).unwrap_or_default();
    Some(format!("{}{offset}", taken.strftime("%Y-%m-%dT%H:%M:%S")))
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
    let make = text(exif, Tag::Make);
    let model = text(exif, Tag::Model);
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
fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(values) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let bytes = values.first()?.split(|byte| *byte == 0).next()?;
    // No name or date is longer, and a field can be as long as the file.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MAX_CAMERA)]);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests;
