//! An image that is on its way to a record: its object is there, and what that is becomes known.

use catalog::failure::Failure;
use catalog::log::Line;
use catalog::store::object::Piece;
use image::digest::Sha256;
use image::file_name::FileName;
use image::format::Format;
use image::metadata;
use image::owner::Owner;
use image::picture::Picture;
use image::record::Record;
use image::status::Status;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::step::Process;

/// How long a client can read why its image was rejected.
const REJECTED_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How old the moment in an object's metadata may be to become that of its record.
pub(crate) const RECENT: SignedDuration = SignedDuration::from_mins(1);

/// A record but for its status.
pub(crate) struct Draft {
    pub(crate) image_id: Uuid,
    pub(crate) owner: Owner,
    pub(crate) file_name: FileName,
    pub(crate) format: Format,
    pub(crate) size: u64,
    pub(crate) created_at: Timestamp,
    /// The moment of an image whose bytes or owner were exchanged: it stays where it was in every listing.
    pub(crate) place: Option<Timestamp>,
}

impl Draft {
    pub(crate) fn record(self, status: Status, sha256: Option<Sha256>) -> Record {
        let Draft { image_id, owner, file_name, format, size, created_at, place: _ } = self;
        Record { image_id, owner, file_name, format, size, sha256, created_at, status, derived: None }
    }
}

/// Where an image is in every listing, if it is ready.
pub(crate) fn place(status: &Status) -> Option<Timestamp> {
    match status {
        Status::Ready { ready_at, .. } => Some(*ready_at),
        _ => None,
    }
}

pub(crate) fn rejected(process: &Process, reason: String) -> Status {
    Status::Rejected { expires_at: (process.clock)() + REJECTED_LIFE, reason }
}

/// Makes a draft a ready record, and has its object say so before the table does. `None` if the object is gone.
pub(crate) async fn complete(
    process: &Process,
    draft: Draft,
    picture: Picture,
    sha256: Sha256,
    first: &Piece,
    line: &Line,
) -> Result<Option<Record>, Failure> {
    let now = (process.clock)();
    let ready_at = draft.place.unwrap_or(now);
    let Picture { width, height, .. } = picture;
    let ready = draft.record(Status::Ready { width, height, ready_at }, Some(sha256));
    // An earlier delivery of the event may have got this far, or may be right here.
    let told = |name: &str| first.metadata.get(name).map(String::as_str);
    let there = metadata::read(&ready.object_key(), &first.content_type, first.size, told);
    if let Ok(there) = there
        && let Status::Ready { width, height, ready_at } = there.status
        && (there.sha256, width, height) == (Some(sha256), picture.width, picture.height)
        && there.owner == ready.owner
        && ready_at <= now
        && now.duration_since(ready_at) < RECENT
    {
        return Ok(Some(Record { status: there.status, ..ready }));
    }
    let completed = line.timed("s3CopyMs", process.store.complete(&ready, &first.entity_tag)).await?;
    Ok(completed.then_some(ready))
}
