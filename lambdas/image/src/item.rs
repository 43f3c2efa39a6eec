//! A record as an item of the table, and back. The attributes that `provision` needs too are in `contract`.
//!
//! Each conversion takes its type apart field by field, so that the compiler asks here for every new one.

use std::fmt;

use anyhow::{Context, bail};
use contract::attribute::{
    EXPIRES_AT, IMAGE_ID, IMAGE_STATUS, OWNER, S3_OBJECT_KEY, THUMBNAILS, UPLOAD_DATE, UPLOAD_ORDER,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::digest::Sha256;
use crate::facts::{Derived, Facts};
use crate::file_name::FileName;
use crate::format::Format;
use crate::moment::{rfc3339, utc_date};
use crate::owner::Owner;
use crate::position::Position;
use crate::record::Record;
use crate::status::Status;
use crate::thumbnails::Thumbnails;

/// The caller's file name, any Unicode.
const FILE_NAME: &str = "FileName";
/// Media type read from the image's bytes.
const CONTENT_TYPE: &str = "ContentType";
/// Bytes.
const SIZE: &str = "Size";
/// Pixels.
const WIDTH: &str = "Width";
/// Pixels.
const HEIGHT: &str = "Height";
/// SHA-256 of the bytes, lower-case hexadecimal.
pub const SHA256: &str = "Sha256";
/// When the record was made, RFC 3339 in UTC with milliseconds. On a claim, when that was.
pub const CREATED_AT: &str = "CreatedAt";
/// Whose image it was, on a record that is deleted or being deleted: `Owner` is then a key under which no image
/// of theirs is listed.
pub const FORMER_OWNER: &str = "FormerOwner";
/// Why a record was rejected, as a sentence for the client.
const REJECT_REASON: &str = "RejectReason";
/// A `ThumbHash` in base64; set together with `Thumbnails`.
const THUMB_HASH: &str = "ThumbHash";
/// When the picture was taken, as its EXIF says: RFC 3339, without an offset where EXIF has none.
const CAPTURED_AT: &str = "CapturedAt";
/// Make and model, as the picture's EXIF says.
const CAMERA: &str = "Camera";
/// EXIF's orientation, 1 to 8.
const ORIENTATION: &str = "Orientation";

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(u64),
}

type Attributes = Vec<(&'static str, Value)>;

/// The item of a record. Only a ready one has the keys of the indexes, and only what is everybody's is listed
/// by its day alone.
pub fn attributes(record: &Record) -> Attributes {
    let Record { image_id, owner, file_name, format, size, sha256, created_at, status, derived } = record;
    let mut attributes = vec![
        (IMAGE_ID, text(image_id)),
        (FILE_NAME, text(&file_name.as_str())),
        (CONTENT_TYPE, text(&format.media_type())),
        (SIZE, Value::Number(*size)),
        (S3_OBJECT_KEY, text(&record.object_key())),
        (IMAGE_STATUS, text(&status.name())),
        (CREATED_AT, text(&rfc3339(*created_at))),
    ];
    attributes.extend(sha256.map(|sha256| (SHA256, text(&sha256))));
    attributes.push((owner_attribute(status), text(owner)));
    match status {
        Status::Pending { expires_at } | Status::Deleted { expires_at } => {
            attributes.push((EXPIRES_AT, seconds(*expires_at)));
        }
        Status::Ready { width, height, ready_at } => {
            attributes.extend([
                (WIDTH, Value::Number((*width).into())),
                (HEIGHT, Value::Number((*height).into())),
                (UPLOAD_ORDER, text(&Position { at: *ready_at, image_id: *image_id })),
            ]);
            attributes.extend(owner.is_public().then(|| (UPLOAD_DATE, text(&utc_date(*ready_at)))));
        }
        Status::Rejected { expires_at, reason } => {
            attributes.extend([(EXPIRES_AT, seconds(*expires_at)), (REJECT_REASON, text(reason))]);
        }
        Status::Deleting => (),
    }
    attributes.extend(derived.iter().flat_map(derived_attributes));
    attributes
}

/// Where a record of that status has its owner.
fn owner_attribute(status: &Status) -> &'static str {
    match status {
        Status::Pending { .. } | Status::Ready { .. } | Status::Rejected { .. } => OWNER,
        Status::Deleting | Status::Deleted { .. } => FORMER_OWNER,
    }
}

/// The attributes of what was made of an image. `Thumbnails` is always among them: it says that the work
/// is done.
pub fn derived_attributes(derived: &Derived) -> Attributes {
    let Derived { thumbnails, thumb_hash, facts } = derived;
    let Facts { captured_at, camera, orientation } = facts;
    let mut attributes = vec![(THUMBNAILS, text(thumbnails))];
    for (name, content) in [(THUMB_HASH, thumb_hash), (CAPTURED_AT, captured_at), (CAMERA, camera)] {
        attributes.extend(content.as_ref().map(|content| (name, text(content))));
    }
    attributes.extend(orientation.map(|value| (ORIENTATION, Value::Number(value.into()))));
    attributes
}

fn text(content: &dyn fmt::Display) -> Value {
    Value::Text(content.to_string())
}

fn seconds(moment: Timestamp) -> Value {
    Value::Number(moment.as_second().unsigned_abs())
}

/// Reads an item back; `lookup` gives an attribute's text or number as text.
pub fn read<'a>(lookup: impl Fn(&str) -> Option<&'a str>) -> anyhow::Result<Record> {
    let get = |name: &str| lookup(name).with_context(|| format!("{name} is missing"));
    let number = |name: &str| -> anyhow::Result<u64> {
        get(name)?.parse().with_context(|| format!("{name} is no number"))
    };
    let sha256 = lookup(SHA256).map(|text| Sha256::parse(text).context("Sha256 is no digest"));
    let image_id = Uuid::try_parse(get(IMAGE_ID)?).context("read ImageID")?;
    let status = status(&get, &number)?;
    Ok(Record {
        image_id,
        owner: owner(&status, &get, &lookup)?,
        file_name: FileName::stored(get(FILE_NAME)?).context("FileName is empty")?,
        format: Format::named(get(CONTENT_TYPE)?).context("ContentType is unknown")?,
        size: number(SIZE)?,
        sha256: sha256.transpose()?,
        created_at: get(CREATED_AT)?.parse().context("read CreatedAt")?,
        status,
        derived: derived(&lookup)?,
    })
}

fn status<'a>(
    get: &impl Fn(&str) -> anyhow::Result<&'a str>,
    number: &impl Fn(&str) -> anyhow::Result<u64>,
) -> anyhow::Result<Status> {
    let side = |name: &str| u32::try_from(number(name)?).with_context(|| format!("{name} is too large"));
    let expires_at =
        || -> anyhow::Result<Timestamp> { Ok(Timestamp::from_second(i64::try_from(number(EXPIRES_AT)?)?)?) };
    Ok(match get(IMAGE_STATUS)? {
        "pending" => Status::Pending { expires_at: expires_at()? },
        "rejected" => Status::Rejected { expires_at: expires_at()?, reason: get(REJECT_REASON)?.to_owned() },
        "deleting" => Status::Deleting,
        "deleted" => Status::Deleted { expires_at: expires_at()? },
        "ready" => Status::Ready {
            width: side(WIDTH)?,
            height: side(HEIGHT)?,
            ready_at: Position::parse(get(UPLOAD_ORDER)?).context("UploadOrder is no position")?.at,
        },
        other => bail!("ImageStatus is unknown: {other}"),
    })
}

/// Reads whose image it is. Records of a time when all was everybody's say so only if they are ready.
fn owner<'a>(
    status: &Status,
    get: &impl Fn(&str) -> anyhow::Result<&'a str>,
    lookup: &impl Fn(&str) -> Option<&'a str>,
) -> anyhow::Result<Owner> {
    let name = owner_attribute(status);
    if lookup(name).is_none() && !matches!(status, Status::Ready { .. }) {
        return Ok(Owner::public());
    }
    Owner::parse(get(name)?).with_context(|| format!("{name} is none"))
}

/// Reads what was made of an image, if the item has that.
fn derived<'a>(lookup: impl Fn(&str) -> Option<&'a str>) -> anyhow::Result<Option<Derived>> {
    let Some(thumbnails) = lookup(THUMBNAILS) else { return Ok(None) };
    let text = |name: &str| lookup(name).map(str::to_owned);
    let orientation = lookup(ORIENTATION).map(str::parse).transpose();
    Ok(Some(Derived {
        thumbnails: Thumbnails::parse(thumbnails).context("Thumbnails cannot be read")?,
        thumb_hash: text(THUMB_HASH),
        facts: Facts {
            captured_at: text(CAPTURED_AT),
            camera: text(CAMERA),
            orientation: orientation.context("Orientation is no number")?,
        },
    }))
}

#[cfg(test)]
mod tests;
