//! What the function works with, and what a step of its work comes to.

use catalog::index::Index;
use catalog::store::Store;
use jiff::Timestamp;
use serde::Serialize;

use crate::maker::Maker;

pub(crate) struct Process {
    pub(crate) store: Store,
    pub(crate) index: Index,
    pub(crate) maker: Maker,
    pub(crate) bucket: String,
    pub(crate) max_pixels: u64,
    /// Largest object that is held in memory, in bytes.
    pub(crate) max_held: u64,
    /// An image is ready when its record says so, however long it took to get there.
    pub(crate) clock: fn() -> Timestamp,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Its image is ready, and so is what can be made of it.
    Done,
    /// There was nothing to do.
    Unchanged,
    /// It was not what had been announced, and is deleted.
    Rejected,
    /// It is not there any more, or was of an image that is not.
    Gone,
    /// It is nothing of ours, and stays as it is.
    Left,
}

impl Outcome {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Unchanged => "unchanged",
            Outcome::Rejected => "rejected",
            Outcome::Gone => "gone",
            Outcome::Left => "left",
        }
    }
}

/// What a step came to.
pub(crate) enum Step {
    End(Outcome),
    /// The record is not what it was when it was read.
    LookAgain,
}
