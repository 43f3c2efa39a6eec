//! What has become of an image.

use jiff::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A presigned URL was handed out and its object has not arrived yet. In no index.
    Pending { expires_at: Timestamp },
    /// The object is stored and checked.
    Ready { width: u32, height: u32, ready_at: Timestamp },
    /// What was sent to the presigned URL is no image that is taken.
    Rejected { expires_at: Timestamp, reason: String },
    /// A client deleted the image; its object may still be there.
    Deleting,
    /// The object is gone too. Kept for as long as an idempotency key may still lead here.
    Deleted { expires_at: Timestamp },
}

impl Status {
    pub const fn name(&self) -> &'static str {
        match self {
            Status::Pending { .. } => "pending",
            Status::Ready { .. } => "ready",
            Status::Rejected { .. } => "rejected",
            Status::Deleting => "deleting",
            Status::Deleted { .. } => "deleted",
        }
    }

    pub(crate) const fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Status::Pending { expires_at }
            | Status::Rejected { expires_at, .. }
            | Status::Deleted { expires_at } => Some(*expires_at),
            Status::Ready { .. } | Status::Deleting => None,
        }
    }
}
