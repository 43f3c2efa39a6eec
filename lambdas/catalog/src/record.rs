//! The record of an image: what the index keeps, what the object's metadata repeats so that the
//! record can be rebuilt from the object alone, and what clients get to see of it.

use std::fmt;

use anyhow::{Context, bail};
use contract::{PUBLIC_OWNER, UPLOADS_PREFIX, attribute};
use jiff::Timestamp;
use jiff::tz::Offset;
use uuid::{NoContext, Uuid};

use crate::derived::Derived;
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
    /// Set a moment after the image became ready.
    pub derived: Option<Derived>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A presigned URL was handed out and its object has not arrived yet. In no index.
    Pending { expires_at: Timestamp },
    /// The object is stored and checked.
    Ready { width: u32, height: u32, ready_at: Timestamp, owner: String },
    /// What was sent to the presigned URL is no image that is taken.
    Rejected { expires_at: Timestamp, reason: String },
    /// A client deleted the image; its object may still be there.
    Deleting,
    /// The object is gone too. Kept for as long as an idempotency key may still lead here.
    Deleted { expires_at: Timestamp },
}

impl Status {
    pub fn ready(width: u32, height: u32, ready_at: Timestamp) -> Status {
        Status::Ready { width, height, ready_at, owner: PUBLIC_OWNER.to_owned() }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Status::Pending { .. } => "pending",
            Status::Ready { .. } => "ready",
            Status::Rejected { .. } => "rejected",
            Status::Deleting => "deleting",
            Status::Deleted { .. } => "deleted",
        }
    }

    const fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Status::Pending { expires_at }
            | Status::Rejected { expires_at, .. }
            | Status::Deleted { expires_at } => Some(*expires_at),
            Status::Ready { .. } | Status::Deleting => None,
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
    /// Whether clients may see it. `DynamoDB` removes what has expired only days later.
    pub fn is_visible(&self, now: Timestamp) -> bool {
        let deleted = matches!(self.status, Status::Deleting | Status::Deleted { .. });
        !deleted && self.status.expires_at().is_none_or(|expires_at| now < expires_at)
    }

    /// Of the image's id and format alone; no text of the caller gets into a key.
    pub fn object_key(&self) -> String {
        format!("{UPLOADS_PREFIX}{}.{}", self.image_id, self.format.extension())
    }

    /// Long edge and format of each thumbnail: what its key is made of.
    pub fn thumbnails(&self) -> impl Iterator<Item = (u32, Format)> {
        let made = self.derived.iter().map(|derived| &derived.thumbnails);
        made.flat_map(|made| made.all.iter().map(|thumbnail| (thumbnail.edge, made.format)))
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
        let expires_at = self.status.expires_at().map(|moment| moment.as_second().unsigned_abs());
        attributes.extend(expires_at.map(|seconds| (attribute::EXPIRES_AT, Value::Number(seconds))));
        if let Status::Ready { width, height, ready_at, owner } = &self.status {
            attributes.extend([
                (attribute::WIDTH, Value::Number((*width).into())),
                (attribute::HEIGHT, Value::Number((*height).into())),
                (attribute::UPLOAD_DATE, text(&utc_date(*ready_at))),
                (attribute::UPLOAD_ORDER, text(&Position { at: *ready_at, image_id: self.image_id })),
                (attribute::OWNER, text(owner)),
            ]);
        }
        if let Status::Rejected { reason, .. } = &self.status {
            attributes.push((attribute::REJECT_REASON, text(reason)));
        }
        attributes.extend(self.derived.iter().flat_map(Derived::attributes));
        attributes
    }

    /// The record of a ready image, built again from its object alone: key, media type, bytes, and user
    /// metadata. An object that was only announced does not say enough.
    pub fn from_object<'a>(
        key: &str,
        content_type: &str,
        size: u64,
        lookup: impl Fn(&str) -> Option<&'a str>,
    ) -> anyhow::Result<Record> {
        let get = |name: &str| lookup(name).with_context(|| format!("{name} is missing"));
        let side = |name: &str| get(name)?.parse::<u32>().with_context(|| format!("{name} is no number"));
        let ready_at: Timestamp = get(metadata::UPLOADED_AT)?.parse().context("read uploaded-at")?;
        let name: Vec<u8> = percent_encoding::percent_decode_str(get(metadata::FILE_NAME)?).collect();
        let record = Record {
            image_id: image_of(key).context("the key holds no image id")?,
            file_name: FileName::kept(&String::from_utf8(name)?).context("file-name is empty")?,
            format: Format::named(content_type).context("the content type is unknown")?,
            size,
            sha256: Some(Sha256::parse(get(metadata::SHA256)?).context("sha256 is no digest")?),
            created_at: ready_at,
            status: Status::Ready {
                width: side(metadata::WIDTH)?,
                height: side(metadata::HEIGHT)?,
                ready_at,
                owner: get(metadata::OWNER)?.to_owned(),
            },
            derived: None,
        };
        if record.object_key() != key {
            bail!("the key does not end as {content_type} does");
        }
        Ok(record)
    }

    /// Reads an item back; `lookup` gives an attribute's text or number as text.
    pub fn from_attributes<'a>(lookup: impl Fn(&str) -> Option<&'a str>) -> anyhow::Result<Record> {
        let get = |name: &str| lookup(name).with_context(|| format!("{name} is missing"));
        let number = |name: &str| -> anyhow::Result<u64> {
            get(name)?.parse().with_context(|| format!("{name} is no number"))
        };
        let side = |name: &str| u32::try_from(number(name)?).with_context(|| format!("{name} is too large"));
        let expires_at = || -> anyhow::Result<Timestamp> {
            Ok(Timestamp::from_second(i64::try_from(number(attribute::EXPIRES_AT)?)?)?)
        };
        let image_id = Uuid::try_parse(get(attribute::IMAGE_ID)?).context("read ImageID")?;
        let status = match get(attribute::IMAGE_STATUS)? {
            "pending" => Status::Pending { expires_at: expires_at()? },
            "rejected" => Status::Rejected {
                expires_at: expires_at()?,
                reason: get(attribute::REJECT_REASON)?.to_owned(),
            },
            "deleting" => Status::Deleting,
            "deleted" => Status::Deleted { expires_at: expires_at()? },
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
            file_name: FileName::kept(get(attribute::FILE_NAME)?).context("FileName is empty")?,
            format: Format::named(get(attribute::CONTENT_TYPE)?).context("ContentType is unknown")?,
            size: number(attribute::SIZE)?,
            sha256: sha256.transpose()?,
            created_at: get(attribute::CREATED_AT)?.parse().context("read CreatedAt")?,
            status,
            derived: Derived::from_attributes(&lookup)?,
        })
    }
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

/// The image that an object's key names.
pub fn image_of(key: &str) -> Option<Uuid> {
    let (id, _) = key.strip_prefix(UPLOADS_PREFIX)?.split_once('.')?;
    parse_image_id(id)
}

/// The id that a client names, in the one spelling that we use.
pub fn parse_image_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|image_id| image_id.to_string() == text)
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
        check_round_trip(&Record { derived: Some(testing::derived()), ..ready.clone() });
        check_round_trip(&Record { derived: Some(Derived::default()), ..ready.clone() });
        for status in [
            Status::Pending { expires_at },
            Status::Rejected { expires_at, reason: "it is no image".to_owned() },
            Status::Deleting,
            Status::Deleted { expires_at },
        ] {
            check_round_trip(&Record { sha256: None, status, ..ready.clone() });
        }
    }

    #[test]
    fn a_name_that_would_be_refused_today_is_read_as_it_was_taken() {
        let (file_name, record) = (FileName::kept("12:30 \u{3164}."), testing::record());
        let record = Record { file_name: file_name.unwrap(), ..record };
        check_round_trip(&record);
        let metadata: HashMap<_, _> = record.metadata().into_iter().collect();
        let lookup = |name: &str| metadata.get(name).map(String::as_str);
        let rebuilt =
            Record::from_object(&record.object_key(), record.format.media_type(), record.size, lookup);
        assert_eq!(rebuilt.unwrap().file_name, record.file_name);
    }

    #[test]
    fn a_ready_record_is_built_again_from_its_object_and_nothing_less() {
        let ready = testing::record();
        let ready = Record { created_at: "2026-11-23T04:05:06.789Z".parse().unwrap(), ..ready };
        let metadata: HashMap<_, _> = ready.metadata().into_iter().collect();
        let rebuild = |key: &str, content_type: &str, without: &str| {
            let lookup = |name: &str| metadata.get(name).filter(|_| name != without).map(String::as_str);
            Record::from_object(key, content_type, ready.size, lookup)
        };
        let (key, content_type) = (ready.object_key(), ready.format.media_type());
        assert_eq!(rebuild(&key, content_type, "").unwrap(), ready);
        for name in metadata.keys() {
            let error = format!("{:#}", rebuild(&key, content_type, name).unwrap_err());
            assert!(error.contains(name), "{error}");
        }
        for (key, content_type) in [("uploads/x.jpg", content_type), (&key, "text/html"), (&key, "image/bmp")]
        {
            rebuild(key, content_type, "").unwrap_err();
        }
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
    fn clients_see_what_is_neither_deleted_nor_expired() {
        let expires_at: Timestamp = "2026-11-23T05:20:06Z".parse().unwrap();
        let just_before = "2026-11-23T05:20:05.999Z".parse().unwrap();
        for (status, before, after) in [
            (testing::record().status, true, true),
            (Status::Pending { expires_at }, true, false),
            (Status::Rejected { expires_at, reason: String::new() }, true, false),
            (Status::Deleting, false, false),
            (Status::Deleted { expires_at }, false, false),
        ] {
            let record = Record { status, ..testing::record() };
            let visible = [just_before, expires_at].map(|now| record.is_visible(now));
            assert_eq!(visible, [before, after], "{record:?}");
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = "019aaf2c-4d15-7b6e-9c3d-2f1a8e5b7c90";
        assert_eq!(parse_image_id(id).map(|id| id.to_string()).as_deref(), Some(id));
        for text in ["", "7", &id.to_uppercase(), &id.replace('-', ""), &format!("{{{id}}}"), &id[1..]] {
            assert_eq!(parse_image_id(text), None, "{text}");
        }
        assert_eq!(parse_image_id(&format!("{}{}", contract::CLAIM_PREFIX, "0".repeat(64))), None);
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
