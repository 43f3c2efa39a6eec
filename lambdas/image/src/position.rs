//! Where an image stands in every listing.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use crate::moment::rfc3339;

/// A place in the order of images: the moment one became ready, then its id. All positions have the
/// same length, and comparing them as text compares them in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub at: Timestamp,
    pub image_id: Uuid,
}

impl Position {
    pub fn parse(text: &str) -> Option<Position> {
        let (at, image_id) = text.split_once('#')?;
        Some(Position { at: at.parse().ok()?, image_id: Uuid::try_parse(image_id).ok()? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", rfc3339(self.at), self.image_id)
    }
}
