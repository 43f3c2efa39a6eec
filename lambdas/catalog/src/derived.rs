//! What was made of an image once it was there: thumbnails, a placeholder, and what its EXIF tells.

use std::fmt;

use anyhow::Context;
use contract::{THUMBNAILS_PREFIX, attribute};
use uuid::Uuid;

use crate::picture::Format;
use crate::record::Value;

/// Nothing at all where no thumbnail can be made and EXIF tells nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    pub thumbnails: Thumbnails,
    /// A [`ThumbHash`](https://evanw.github.io/thumbhash/) in base64.
    pub thumb_hash: Option<String>,
    /// RFC 3339, without an offset where EXIF has none: `2026-11-23T04:05:06`.
    pub captured_at: Option<String>,
    pub camera: Option<String>,
    /// EXIF's orientation, 1 to 8. Thumbnails are upright; `Width` and `Height` are as stored. AVIF and HEIC,
    /// which are told as shown, have none.
    pub orientation: Option<u8>,
}

/// Thumbnails in ascending size, all of one format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnails {
    pub format: Format,
    pub all: Vec<Thumbnail>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// The long edge that was asked for, in pixels. A smaller image has a smaller thumbnail.
    pub edge: u32,
    pub width: u32,
    pub height: u32,
    /// Bytes.
    pub size: u64,
}

impl Default for Thumbnails {
    fn default() -> Thumbnails {
        Thumbnails { format: Format::WebP, all: Vec::new() }
    }
}

/// Key of a thumbnail's object. It can be told without a record, so leftovers can be deleted.
pub fn thumbnail_key(image_id: Uuid, edge: u32, format: Format) -> String {
    format!("{THUMBNAILS_PREFIX}{image_id}/{edge}.{}", format.extension())
}

impl Thumbnails {
    /// The thumbnail whose width is nearest to one, and of two the larger.
    pub fn nearest(&self, width: u32) -> Option<Thumbnail> {
        self.all.iter().rev().min_by_key(|thumbnail| thumbnail.width.abs_diff(width)).copied()
    }

    fn parse(text: &str) -> Option<Thumbnails> {
        if text.is_empty() {
            return Some(Thumbnails::default());
        }
        let (format, all) = text.split_once(':')?;
        let format = Format::ALL.into_iter().find(|known| known.extension() == format)?;
        let thumbnail = |text: &str| {
            let (edge, rest) = text.split_once('=')?;
            let (sides, size) = rest.split_once('/')?;
            let (width, height) = sides.split_once('x')?;
            Some(Thumbnail {
                edge: edge.parse().ok()?,
                width: width.parse().ok()?,
                height: height.parse().ok()?,
                size: size.parse().ok()?,
            })
        };
        Some(Thumbnails { format, all: all.split(',').map(thumbnail).collect::<Option<_>>()? })
    }
}

/// As in the table: `webp:160=160x107/5123,480=480x320/20111`, or nothing.
impl fmt::Display for Thumbnails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Thumbnail { edge, width, height, size }) in self.all.iter().enumerate() {
            if place == 0 {
                write!(f, "{}:", self.format.extension())?;
            } else {
                f.write_str(",")?;
            }
            write!(f, "{edge}={width}x{height}/{size}")?;
        }
        Ok(())
    }
}

impl Derived {
    /// Its attributes in an item. `Thumbnails` is always among them: it says that the work is done.
    pub fn attributes(&self) -> Vec<(&'static str, Value)> {
        let mut attributes = vec![(attribute::THUMBNAILS, Value::Text(self.thumbnails.to_string()))];
        for (name, text) in [
            (attribute::THUMB_HASH, &self.thumb_hash),
            (attribute::CAPTURED_AT, &self.captured_at),
            (attribute::CAMERA, &self.camera),
        ] {
            attributes.extend(text.clone().map(|text| (name, Value::Text(text))));
        }
        attributes
            .extend(self.orientation.map(|value| (attribute::ORIENTATION, Value::Number(value.into()))));
        attributes
    }

    /// Reads them back, if the item has them.
    pub fn from_attributes<'a>(lookup: impl Fn(&str) -> Option<&'a str>) -> anyhow::Result<Option<Derived>> {
        let Some(thumbnails) = lookup(attribute::THUMBNAILS) else { return Ok(None) };
        let text = |name: &str| lookup(name).map(str::to_owned);
        let orientation = lookup(attribute::ORIENTATION).map(str::parse).transpose();
        Ok(Some(Derived {
            thumbnails: Thumbnails::parse(thumbnails).context("Thumbnails cannot be read")?,
            thumb_hash: text(attribute::THUMB_HASH),
            captured_at: text(attribute::CAPTURED_AT),
            camera: text(attribute::CAMERA),
            orientation: orientation.context("Orientation is no number")?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn thumbnails_are_read_as_they_are_written() {
        let made = testing::derived().thumbnails;
        assert_eq!(made.to_string(), "webp:160=160x107/5123,480=300x200/20111");
        for thumbnails in [made, Thumbnails::default()] {
            assert_eq!(Thumbnails::parse(&thumbnails.to_string()), Some(thumbnails));
        }
        for text in ["webp", "webp:", "webp:160", "svg:160=1x1/1", "webp:160=1x/1", "webp:160=1x1/1,", "w:あ"]
        {
            assert_eq!(Thumbnails::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_nearest_thumbnail_is_found() {
        let thumbnails = testing::derived().thumbnails;
        for (width, found) in [(1, 160), (160, 160), (229, 160), (230, 300), (300, 300), (u32::MAX, 300)] {
            assert_eq!(thumbnails.nearest(width).unwrap().width, found, "{width}");
        }
        assert_eq!(Thumbnails::default().nearest(160), None);
    }

    #[test]
    fn a_key_is_below_the_image_and_starts_no_function() {
        let key = thumbnail_key(testing::record().image_id, 160, Format::Jpeg);
        assert_eq!(key, "thumbnails/019aaf2c-0000-7000-8000-000000000001/160.jpg");
        assert!(!key.starts_with(contract::UPLOADS_PREFIX));
    }
}
