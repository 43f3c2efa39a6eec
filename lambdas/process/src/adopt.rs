//! Gives a record to an object that has none, or another one to an object that is not what its record is of.

use anyhow::anyhow;
use catalog::failure::Failure;
use catalog::log::{self, Line};
use image::file_name::FileName;
use image::format::Format;
use image::metadata;
use image::record::{Record, image_of};
use image::status::Status;

use crate::draft::{self, Draft};
use crate::object::{self, Found};
use crate::step::{Outcome, Process, Step};
use crate::thumbnails;

/// Gives an object the record that its metadata or else its bytes tell of. It may have none yet, or one, `over`,
/// which is of what was there before.
pub(crate) async fn adopt(
    process: &Process,
    key: &str,
    over: Option<Record>,
    line: &Line,
) -> Result<Step, Failure> {
    let left = Ok(Step::End(Outcome::Left));
    let extension = key.rsplit_once('.').map(|(_, extension)| extension);
    let format = Format::ALL.into_iter().find(|format| Some(format.extension()) == extension);
    let (Some(image_id), Some(format)) = (image_of(key), format) else { return left };
    let Some(first) = object::read_first(process, key, line).await? else {
        return Ok(Step::End(Outcome::Gone));
    };
    let told = |name: &str| first.metadata.get(name).map(String::as_str);
    let whole = metadata::read(key, &first.content_type, first.size, told).ok();
    if let (Some(record), None) = (&whole, &over) {
        return adopt_as(process, record, over.as_ref(), None, line).await;
    }
    // Its record has expired, or somebody put it there by hand.
    let was_announced = told(metadata::FILE_NAME).is_some();
    let name = told(metadata::FILE_NAME).unwrap_or_default();
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    let name = FileName::parse(&name).ok().or_else(|| Some(over.as_ref()?.file_name.clone()));
    let Some(file_name) = name.or_else(|| FileName::stored(key.rsplit('/').next()?)) else { return left };
    let mut draft = Draft {
        image_id,
        // A record knows whose an image has become since its object was written.
        owner: over.as_ref().map_or_else(|| metadata::owner(told), |over| over.owner.clone()),
        file_name,
        format,
        size: first.size,
        created_at: over.as_ref().map_or_else(process.clock, |over| over.created_at),
        place: over.as_ref().and_then(|over| draft::place(&over.status)),
    };
    match object::examine(process, key, &first, Some(format), line).await? {
        Found::Image { picture, sha256, bytes } => {
            let sides = (picture.width, picture.height);
            let is_of = |it: &Record| {
                let is_sized =
                    matches!(it.status, Status::Ready { width, height, .. } if (width, height) == sides);
                it.sha256 == Some(sha256) && is_sized
            };
            let whole = whole.filter(is_of);
            draft.place = draft.place.or_else(|| draft::place(&whole.as_ref()?.status));
            let ready = match whole.filter(|it| it.owner == draft.owner) {
                Some(ready) => Some(ready),
                None => draft::complete(process, draft, picture, sha256, &first, line).await?,
            };
            match ready {
                Some(ready) => adopt_as(process, &ready, over.as_ref(), bytes, line).await,
                None => Ok(Step::End(Outcome::Gone)),
            }
        }
        Found::Refused(reason) => match over {
            Some(over) => refuse(process, over, reason, line).await,
            None if was_announced => {
                let rejected = draft.record(draft::rejected(process, reason), None);
                if line.timed("dynamodbPutMs", process.index.put(&rejected)).await?.is_some() {
                    return Ok(Step::LookAgain);
                }
                object::discard(process, &rejected, &first, line).await?;
                Ok(Step::End(Outcome::Rejected))
            }
            None => {
                log::failure(&anyhow!("{key} has no record and gets none: {reason}"));
                left
            }
        },
        Found::Gone => Ok(Step::End(Outcome::Gone)),
    }
}

/// An upload that failed halfway takes its object back first and its record second, so a record
/// that is written here stays only if the object is still there after that.
async fn adopt_as(
    process: &Process,
    record: &Record,
    over: Option<&Record>,
    bytes: Option<Vec<u8>>,
    line: &Line,
) -> Result<Step, Failure> {
    let is_written = match over {
        None => line.timed("dynamodbPutMs", process.index.put(record)).await?.is_none(),
        Some(over) => {
            let is_written = line.timed("dynamodbPutMs", process.index.replace(record, over)).await?;
            if is_written {
                // Those of other bytes; what is made of these may be fewer. Not before: who comes second
                // would take away what the first has made.
                thumbnails::remove(process, over, line).await?;
            }
            is_written
        }
    };
    if !is_written {
        return Ok(Step::LookAgain);
    }
    if line.timed("s3HeadMs", process.store.head(&record.object_key())).await?.is_none() {
        process.index.delete_unchanged(record).await?;
        return Ok(Step::End(Outcome::Gone));
    }
    thumbnails::derive(process, record, bytes, line).await
}

/// Leaves an object that was put by hand where an image is or was, and is none: it stays, and no list has
/// it. Its record says why for a week.
async fn refuse(process: &Process, over: Record, reason: String, line: &Line) -> Result<Step, Failure> {
    let key = over.object_key();
    line.remark(format!("no image any more: {reason}"));
    log::failure(&anyhow!("{key} was put there by hand and is no image: {reason}"));
    if matches!(over.status, Status::Ready { .. }) {
        let rejected = Record { status: draft::rejected(process, reason), derived: None, ..over.clone() };
        if !line.timed("dynamodbPutMs", process.index.replace(&rejected, &over)).await? {
            return Ok(Step::LookAgain);
        }
    }
    thumbnails::remove(process, &over, line).await?;
    Ok(Step::End(Outcome::Left))
}
