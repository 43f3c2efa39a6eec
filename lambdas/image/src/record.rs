//! The record of an image: all that is known of it. What clients see, the table keeps and the object says of
//! itself is made of it, by `wire`, `item` and `metadata`.

use contract::UPLOADS_PREFIX;
use jiff::Timestamp;
use uuid::{NoContext, Uuid};

use crate::digest::Sha256;
use crate::facts::Derived;
use crate::file_name::FileName;
use crate::format::Format;
use crate::owner::Owner;
use crate::status::Status;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// A UUID of version 7, so ids of one moment lie close together.
    pub image_id: Uuid,
    pub owner: Owner,
    pub file_name: FileName,
    pub format: Format,
    pub size: u64,
    /// A pending record has one only if the client promised it.
    pub sha256: Option<Sha256>,
    pub created_at: Timestamp,
    pub status: Status,
    /// Set a moment after the image became ready.
    pub derived: Option<Derived>,
}

impl Record {
    /// Whether clients may see it. `DynamoDB` removes what has expired only days later.
    pub fn is_visible(&self, now: Timestamp) -> bool {
        let deleted = matches!(self.status, Status::Deleting | Status::Deleted { .. });
        !deleted && self.status.expires_at().is_none_or(|expires_at| now < expires_at)
    }

    /// Made of the image's id and format alone; no text of the caller gets into a key.
    pub fn object_key(&self) -> String {
        format!("{UPLOADS_PREFIX}{}.{}", self.image_id, self.format.extension())
    }

    /// Long edge and format of each thumbnail: what its key is made of.
    pub fn thumbnails(&self) -> impl Iterator<Item = (u32, Format)> {
        let made = self.derived.iter().map(|derived| &derived.thumbnails);
        made.flat_map(|made| made.all.iter().map(|thumbnail| (thumbnail.edge, made.format)))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

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
    fn ids_are_of_version_7_and_of_their_moment() {
        let now: Timestamp = "2026-11-23T04:05:06.789Z".parse().unwrap();
        let id = new_image_id(now);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().map(|moment| moment.to_unix()), Some((1_795_406_706, 789_000_000)));
        assert_ne!(id, new_image_id(now));
    }
}
