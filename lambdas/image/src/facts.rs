//! What is found out about an image after it is there: its thumbnails, a placeholder, and what its EXIF says.

use serde::{Deserialize, Serialize};

use crate::thumbnails::Thumbnails;

/// What an image's EXIF says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// RFC 3339, without an offset where EXIF has none: `2026-11-23T04:05:06`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captured_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// EXIF's orientation, 1 to 8. Thumbnails are upright; a record's width and height are as stored. AVIF
    /// and HEIC, whose width and height are as shown, have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<u8>,
}

/// What was made of an image. Nothing at all where no thumbnail can be made and EXIF says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    pub thumbnails: Thumbnails,
    /// A [`ThumbHash`](https://evanw.github.io/thumbhash/) in base64.
    pub thumb_hash: Option<String>,
    pub facts: Facts,
}
