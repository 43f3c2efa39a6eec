//! The record of an image: what the index keeps, what the object's metadata repeats so that the
//! record can be rebuilt from the object alone, and what clients get to see of it.

use std::fmt;

use anyhow::{Context, bail};
use contract::{PUBLIC_OWNER, UPLOADS_PREFIX, attribute};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;
use uuid::{NoContext, Uuid};

use crate::digest::Sha256;
use crate::file_name::FileName;
use crate::picture::Format;

/// Names of the user metadata of an object, without S3's `x-amz-meta-`.
pub mod metadata {
    pub const FILE_NAME: &str = "file-name";
    pub const WIDTH: &str = "width";
    pub const HEIGHT: &str = "height";
    pub const SHA256: &str = "sha256";
    pub const UPLOADED_AT: &str = "uploaded-at";
    pub const OWNER: &str = "owner";
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// A UUID of version 7, so ids of one moment lie close together.
    pub image_id: Uuid,
    pub file_name: FileName,
    pub format: Format,
    pub size: u64,
    /// Of a pending record only if the client promised one.
    pub sha256: Option<Sha256>,
    pub created_at: Timestamp,
    pub status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A presigned URL was handed out and its object has not arrived yet. In no index.
    Pending { expires_at: Timestamp },
    /// The object is stored and checked.
    Ready { width: u32, height: u32, ready_at: Timestamp, owner: String },
}

impl Status {
    pub fn ready(width: u32, height: u32, ready_at: Timestamp) -> Status {
        Status::Ready { width, height, ready_at, owner: PUBLIC_OWNER.to_owned() }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Status::Pending { .. } => "pending",
            Status::Ready { .. } => "ready",
        }
    }
}

/// The value of an attribute of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(u64),
}

impl Record {
    /// Of the image's id and format alone; no text of the caller gets into a key.
    pub fn object_key(&self) -> String {
        format!("{UPLOADS_PREFIX}{}.{}", self.image_id, self.format.extension())
    }

    /// What the object says about itself, beside its type, size and checksum.
    pub fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut metadata = vec![(metadata::FILE_NAME, self.file_name.percent_encoded())];
        if let Status::Ready { width, height, ready_at, owner } = &self.status {
            metadata.extend([
                (metadata::WIDTH, width.to_string()),
                (metadata::HEIGHT, height.to_string()),
                (metadata::UPLOADED_AT, rfc3339(*ready_at)),
                (metadata::OWNER, owner.clone()),
            ]);
            metadata.extend(self.sha256.map(|sha256| (metadata::SHA256, sha256.to_string())));
        }
        metadata
    }

    /// The item of the table. Only a ready record has the keys of the indexes.
    pub fn attributes(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &dyn fmt::Display| Value::Text(text.to_string());
        let mut attributes = vec![
            (attribute::IMAGE_ID, text(&self.image_id)),
            (attribute::FILE_NAME, text(&self.file_name.as_str())),
            (attribute::CONTENT_TYPE, text(&self.format.media_type())),
            (attribute::SIZE, Value::Number(self.size)),
            (attribute::S3_OBJECT_KEY, text(&self.object_key())),
            (attribute::IMAGE_STATUS, text(&self.status.name())),
            (attribute::CREATED_AT, text(&rfc3339(self.created_at))),
        ];
        attributes.extend(self.sha256.map(|sha256| (attribute::SHA256, text(&sha256))));
        match &self.status {
            Status::Pending { expires_at } => {
                attributes
                    .push((attribute::EXPIRES_AT, Value::Number(expires_at.as_second().unsigned_abs())));
            }
            Status::Ready { width, height, ready_at, owner } => attributes.extend([
                (attribute::WIDTH, Value::Number((*width).into())),
                (attribute::HEIGHT, Value::Number((*height).into())),
                (attribute::UPLOAD_DATE, text(&utc_date(*ready_at))),
                (attribute::UPLOAD_ORDER, text(&Position { at: *ready_at, image_id: self.image_id })),
                (attribute::OWNER, text(owner)),
            ]),
        }
        attributes
    }

    /// Reads an item back; `lookup` gives an attribute's text or number as text.
    pub fn from_attributes<'a>(lookup: impl Fn(&str) -> Option<&'a str>) -> anyhow::Result<Record> {
        let get = |name: &str| lookup(name).with_context(|| format!("{name} is missing"));
        let number = |name: &str| -> anyhow::Result<u64> {
            get(name)?.parse().with_context(|| format!("{name} is no number"))
        };
        let side = |name: &str| u32::try_from(number(name)?).with_context(|| format!("{name} is too large"));
        let image_id = Uuid::try_parse(get(attribute::IMAGE_ID)?).context("read ImageID")?;
        let status = match get(attribute::IMAGE_STATUS)? {
            "pending" => {
                let seconds = i64::try_from(number(attribute::EXPIRES_AT)?)?;
                Status::Pending { expires_at: Timestamp::from_second(seconds)? }
            }
            "ready" => Status::Ready {
                width: side(attribute::WIDTH)?,
                height: side(attribute::HEIGHT)?,
                ready_at: Position::parse(get(attribute::UPLOAD_ORDER)?)
                    .context("UploadOrder is no position")?
                    .at,
                owner: get(attribute::OWNER)?.to_owned(),
            },
            other => bail!("ImageStatus is unknown: {other}"),
        };
        let sha256 = lookup(attribute::SHA256).map(|text| Sha256::parse(text).context("Sha256 is no digest"));
        Ok(Record {
            image_id,
            file_name: FileName::parse(get(attribute::FILE_NAME)?).context("read FileName")?,
            format: Format::named(get(attribute::CONTENT_TYPE)?).context("ContentType is unknown")?,
            size: number(attribute::SIZE)?,
            sha256: sha256.transpose()?,
            created_at: get(attribute::CREATED_AT)?.parse().context("read CreatedAt")?,
            status,
        })
    }

    /// What clients see of a ready image.
    pub fn view(&self, download: Link) -> View<'_> {
        let (width, height, ready_at) = match self.status {
            Status::Pending { .. } => (None, None, None),
            Status::Ready { width, height, ready_at, .. } => (Some(width), Some(height), Some(ready_at)),
        };
        View {
            image_id: self.image_id.to_string(),
            status: self.status.name(),
            file_name: self.file_name.as_str(),
            content_type: self.format.media_type(),
            size: self.size,
            width,
            height,
            sha256: self.sha256.map(|sha256| sha256.to_string()),
            upload_date: ready_at.map(utc_date),
            uploaded_at: ready_at.map(rfc3339),
            download_url: download.url,
            download_url_expires_at: rfc3339(download.expires_at),
        }
    }
}

/// A URL that carries its own permission for a while.
#[derive(Clone, Debug)]
pub struct Link {
    pub url: String,
    pub expires_at: Timestamp,
}

/// An image in an answer. `openapi.yaml` describes it as `Image`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View<'a> {
    image_id: String,
    status: &'static str,
    file_name: &'a str,
    content_type: &'static str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded_at: Option<String>,
    download_url: String,
    download_url_expires_at: String,
}

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

/// This moment, in milliseconds: what is kept of it must be all there was, or the day of an image
/// could differ from that of its position.
pub fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// A new image's id.
pub fn new_image_id(now: Timestamp) -> Uuid {
    // The time is our own clock's, which is past 1970 and before the year 10,000.
    let (seconds, nanoseconds) = (now.as_second().unsigned_abs(), now.subsec_nanosecond().unsigned_abs());
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds))
}

/// RFC 3339 in UTC with milliseconds: `2026-11-23T04:05:06.789Z`.
pub fn rfc3339(moment: Timestamp) -> String {
    format!("{moment:.3}")
}

/// `YYYY-MM-DD` in UTC.
pub fn utc_date(moment: Timestamp) -> String {
    Offset::UTC.to_datetime(moment).date().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::testing;

    #[track_caller]
    fn check_round_trip(record: &Record) {
        let item: HashMap<_, _> = record
            .attributes()
            .into_iter()
            .map(|(name, value)| match value {
                Value::Text(text) => (name, text),
                Value::Number(number) => (name, number.to_string()),
            })
            .collect();
        let back = Record::from_attributes(|name| item.get(name).map(String::as_str)).unwrap();
        assert_eq!(back, *record);
    }

    #[test]
    fn a_record_comes_back_from_its_item() {
        let ready = testing::record();
        let expires_at = "2026-11-23T05:20:06Z".parse().unwrap();
        check_round_trip(&ready);
        check_round_trip(&Record { sha256: None, status: Status::Pending { expires_at }, ..ready });
    }

    #[test]
    fn a_ready_record_has_the_keys_of_the_indexes() {
        let attributes: HashMap<_, _> = testing::record().attributes().into_iter().collect();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(attributes["UploadDate"], text("2026-11-23"));
        assert_eq!(
            attributes["UploadOrder"],
            text("2026-11-23T04:05:06.789Z#019aaf2c-0000-7000-8000-000000000001")
        );
        assert_eq!(attributes["Owner"], text("public"));
        assert_eq!(attributes.get("ExpiresAt"), None);
    }

    #[test]
    fn a_pending_record_is_in_no_index_and_expires() {
        let expires_at = "2026-11-23T05:20:06Z".parse().unwrap();
        let pending = Record { status: Status::Pending { expires_at }, ..testing::record() };
        let attributes: HashMap<_, _> = pending.attributes().into_iter().collect();
        for name in ["UploadDate", "UploadOrder", "Owner"] {
            assert_eq!(attributes.get(name), None, "{name}");
        }
        assert_eq!(attributes["ExpiresAt"], Value::Number(1_795_411_206));
    }

    #[test]
    fn the_metadata_holds_what_rebuilds_the_record_in_ascii() {
        let metadata: HashMap<_, _> = testing::record().metadata().into_iter().collect();
        assert_eq!(metadata["file-name"], "%E5%86%99%E7%9C%9F.png");
        assert_eq!(metadata["width"], "3");
        assert_eq!(metadata["height"], "2");
        assert_eq!(metadata["uploaded-at"], "2026-11-23T04:05:06.789Z");
        assert_eq!(metadata["owner"], "public");
        assert_eq!(metadata["sha256"].len(), 64);
        assert!(metadata.values().all(|value| value.is_ascii()));
    }

    #[test]
    fn a_broken_item_is_an_error_that_names_the_attribute() {
        let read = |status: &'static str| {
            Record::from_attributes(move |name| match name {
                "ImageID" => Some("019aaf2c-0000-7000-8000-000000000001"),
                "ImageStatus" => Some(status),
                _ => None,
            })
        };
        assert_eq!(read("ready").unwrap_err().to_string(), "Width is missing");
        assert_eq!(read("lost").unwrap_err().to_string(), "ImageStatus is unknown: lost");
    }

    #[test]
    fn an_image_just_before_midnight_belongs_to_the_ending_day() {
        for (moment, date) in
            [("2026-11-23T23:59:59.999Z", "2026-11-23"), ("2026-11-24T00:00:00.000Z", "2026-11-24")]
        {
            let parsed: Timestamp = moment.parse().unwrap();
            assert_eq!((rfc3339(parsed).as_str(), utc_date(parsed).as_str()), (moment, date));
        }
    }

    #[test]
    fn ids_are_of_version_7_and_of_their_moment() {
        let now: Timestamp = "2026-11-23T04:05:06.789Z".parse().unwrap();
        let id = new_image_id(now);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().map(|moment| moment.to_unix()), Some((1_795_406_706, 789_000_000)));
        assert_ne!(id, new_image_id(now));
    }
}
