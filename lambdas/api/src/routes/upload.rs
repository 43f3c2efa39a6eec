//! `POST /upload`. An image that came along is stored, object first and record second; for one that
//! is only announced, a URL is signed.
//!
//! Without an idempotency key, either both remain or neither: what was stored before a failure is
//! taken back. With one, nothing is taken back, because a request with the same key may be relying on
//! it at this very moment. What is left is finished by whoever repeats the request, with the id and
//! the moment that the first one drew, or by `provision reindex`: an object says all that its record
//! would.

use catalog::failure::Failure;
use catalog::index::claim::{Claim, Claimant, Claimed, Key};
use catalog::log::Line;
use catalog::store::LINK_LIFE;
use http::StatusCode;
use image::digest::Sha256;
use image::link::{Links, UploadLink};
use image::picture;
use image::record::Record;
use image::status::Status;
use image::wire::{Image, PendingImage};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use self::wanted::{Announced, Inline, Wanted};
use crate::answer::Answer;
use crate::caller::Caller;
use crate::reject::{IDEMPOTENCY_KEY, Problem, Reject};
use crate::request::{Request, RequestExt};
use crate::service::Service;

pub mod base64;
mod json;
pub mod parse;
pub mod wanted;

/// How much longer than its URL a pending record lives: an upload that begins in the last second
/// may take a while.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Why a request cannot be repeated under its key.
const DELETED: &str = "the image of this key has been deleted; use another key";

pub async fn upload(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let key = request.header(IDEMPOTENCY_KEY).map(|text| Key::parse(text, &caller.owner)).transpose()?;
    let base = request.base().to_owned();
    let wanted = parse::parse(request, service.limits.max_upload_bytes)?;
    let key = key.map(|key| (key, wanted.fingerprint()));
    let answer = match wanted {
        Wanted::Inline(inline) => store(service, caller, inline, key, line, now).await,
        Wanted::Announced(announced) => announce(service, caller, announced, key, line, now).await,
    };
    answer.map(|answer| answer.below(&base))
}

/// Stores an image that came along, and answers once all of it is there.
///
/// The moment it counts as ready is set before the object is written, because the object says so
/// too: a record rebuilt from it must have the same place in every listing.
async fn store(
    service: &Service,
    caller: &Caller,
    inline: Inline,
    key: Option<(Key, Sha256)>,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let Inline { file_name, declared, bytes, sha256 } = inline;
    let size = bytes.len() as u64;
    line.bytes(size);
    let picture = picture::inspect(&bytes, declared, service.limits.max_pixels)?;
    let claim = claim(service, key, line, now).await?;
    if let Some(record) = made_earlier(service, &claim, line).await? {
        return answer_again(service, caller, record, now);
    }
    let record = Record {
        image_id: claim.image_id,
        owner: caller.owner.clone(),
        file_name,
        format: picture.format,
        size,
        sha256: Some(sha256),
        created_at: claim.at,
        status: Status::Ready { width: picture.width, height: picture.height, ready_at: claim.at },
        derived: None,
    };
    let links = service.store.links(&record, now);
    if let Err(failure) = line.timed("s3PutMs", service.store.put(&record, bytes)).await {
        // An answer that got lost may hide an object that was stored.
        if claim.by == Claimant::Nobody && matches!(failure, Failure::Busy(_)) {
            take_back_object(service, &record, line).await;
        }
        return Err(failure.into());
    }
    match line.timed("dynamodbPutMs", service.index.put(&record)).await {
        Ok(None) => {
            line.uploaded();
            Ok(created_ready(service, record, links))
        }
        Ok(Some(other)) => {
            // It was made and deleted while this request was under way, so its object must go.
            if matches!(other.status, Status::Deleting | Status::Deleted { .. }) {
                take_back_object(service, &other, line).await;
            }
            answer_again(service, caller, other, now)
        }
        Err(failure) => {
            if claim.by == Claimant::Nobody {
                // In this order, because the new object may have started `process`, which writes a
                // record that it misses, and takes that back if it then finds no object.
                take_back_object(service, &record, line).await;
                take_back_record(service, &record, line).await;
            }
            // Whatever kept the record from being written, the client may try again.
            Err(Reject::Busy(failure.into_cause()))
        }
    }
}

/// Signs a URL for an image that is to come, and puts a pending record of it.
async fn announce(
    service: &Service,
    caller: &Caller,
    announced: Announced,
    key: Option<(Key, Sha256)>,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let claim = claim(service, key, line, now).await?;
    if let Some(record) = made_earlier(service, &claim, line).await? {
        return answer_again(service, caller, record, now);
    }
    let Announced { file_name, format, size, sha256 } = announced;
    let record = Record {
        image_id: claim.image_id,
        owner: caller.owner.clone(),
        file_name,
        format,
        size,
        sha256,
        created_at: claim.at,
        status: Status::Pending { expires_at: claim.at + LINK_LIFE + GRACE },
        derived: None,
    };
    let upload = upload_link(service, &record, now)?;
    match line.timed("dynamodbPutMs", service.index.put(&record)).await? {
        None => Ok(created(service, record.image_id, &PendingImage::new(&record, upload))),
        Some(other) => answer_again(service, caller, other, now),
    }
}

async fn claim(
    service: &Service,
    key: Option<(Key, Sha256)>,
    line: &Line,
    now: Timestamp,
) -> Result<Claim, Reject> {
    let claim = match key {
        None => Claim::without_key(now),
        Some((key, fingerprint)) => {
            let claimed = service.index.claim(key, fingerprint, now);
            match line.timed("dynamodbClaimMs", claimed).await? {
                Claimed::For(claim) => claim,
                Claimed::ForAnotherUpload => return Err(conflict("the key was used for another upload")),
            }
        }
    };
    line.image(claim.image_id);
    Ok(claim)
}

/// The record of the image, if another request with the same key got as far as that. It is written
/// last, so nothing is left to do then.
async fn made_earlier(service: &Service, claim: &Claim, line: &Line) -> Result<Option<Record>, Failure> {
    match claim.by {
        Claimant::AnotherRequest => line.timed("dynamodbGetMs", service.index.get(claim.image_id)).await,
        Claimant::Nobody | Claimant::ThisRequest => Ok(None),
    }
}

/// Tells of the image that a request with the same key made, as it is now.
fn answer_again(
    service: &Service,
    caller: &Caller,
    record: Record,
    now: Timestamp,
) -> Result<Answer, Reject> {
    match record.status {
        // It was everybody's, and somebody has got it since.
        _ if record.owner != caller.owner => Err(conflict(DELETED)),
        Status::Ready { .. } => {
            let links = service.store.links(&record, now);
            Ok(created_ready(service, record, links))
        }
        Status::Pending { .. } => {
            let upload = upload_link(service, &record, now)?;
            Ok(created(service, record.image_id, &PendingImage::new(&record, upload)))
        }
        Status::Rejected { .. } => {
            Err(conflict("the image of this key was refused after it had been sent; use another key"))
        }
        Status::Deleting | Status::Deleted { .. } => Err(conflict(DELETED)),
    }
}

/// A URL that the pending record outlives by some time for the upload itself.
fn upload_link(service: &Service, record: &Record, now: Timestamp) -> Result<UploadLink, Reject> {
    if now > record.created_at + GRACE {
        return Err(conflict("the image of this key was not sent in time; use another key"));
    }
    Ok(service.store.upload_link(record, now)?)
}

fn conflict(detail: &str) -> Reject {
    Reject::refused(Problem::Conflict, detail).because_of(IDEMPOTENCY_KEY)
}

fn created_ready(service: &Service, record: Record, links: Links) -> Answer {
    let image_id = record.image_id;
    created(service, image_id, &Image::new(record, links))
}

fn created(service: &Service, image_id: Uuid, body: &impl Serialize) -> Answer {
    service.answers.json(StatusCode::CREATED, body).located_at(image_id)
}

async fn take_back_object(service: &Service, record: &Record, line: &Line) {
    if let Err(failure) = line.timed("s3DeleteMs", service.store.delete(record)).await {
        line.cause(&failure.into_cause().context("take back an upload, its object may remain"));
    }
}

async fn take_back_record(service: &Service, record: &Record, line: &Line) {
    if let Err(failure) = line.timed("dynamodbDeleteMs", service.index.delete(record)).await {
        line.cause(&failure.into_cause().context("take back an upload, its record may remain"));
    }
}

#[cfg(test)]
pub(super) mod tests;
