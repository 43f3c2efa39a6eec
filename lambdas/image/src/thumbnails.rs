//! An image's thumbnails: which there are, what their objects are called, and how the table writes them down.

use std::fmt;

use contract::THUMBNAILS_PREFIX;
use uuid::Uuid;

use crate::format::Format;

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

/// Key of a thumbnail's object. It takes no record to make one, so leftovers can be deleted.
pub fn thumbnail_key(image_id: Uuid, edge: u32, format: Format) -> String {
    format!("{THUMBNAILS_PREFIX}{image_id}/{edge}.{}", format.extension())
}

impl Thumbnails {
    /// The thumbnail whose width is nearest to one, and of two the larger.
    pub fn nearest(&self, width: u32) -> Option<Thumbnail> {
        self.all.iter().rev().min_by_key(|thumbnail| thumbnail.width.abs_diff(width)).copied()
    }

    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Thumbnails> {
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
