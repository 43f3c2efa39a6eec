//! A record as the user metadata of its object, and back, so that the table can be built again from the
//! bucket alone.
//!
//! Each conversion takes its type apart field by field, so that the compiler asks here for every new one.

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::digest::Sha256;
use crate::file_name::FileName;
use crate::format::Format;
use crate::moment::rfc3339;
use crate::owner::Owner;
use crate::record::{Record, image_of};
use crate::status::Status;

/// Names of the metadata, without S3's `x-amz-meta-`.
pub const FILE_NAME: &str = "file-name";
pub const UPLOADED_AT: &str = "uploaded-at";
pub const SHA256: &str = "sha256";
const WIDTH: &str = "width";
const HEIGHT: &str = "height";
const OWNER: &str = "owner";

/// What an object says about its image. That of one that is not ready yet says only its name, and its owner
/// unless it is everybody's.
pub fn pairs(record: &Record) -> Vec<(&'static str, String)> {
    // The id and the format are in the object's key, and format and size are the object's own. A ready image's
    // record is as old as its moment in listings, and what was made of it can be made again.
    let Record {
        image_id: _,
        owner,
        file_name,
        format: _,
        size: _,
        sha256,
        created_at: _,
        status,
        derived: _,
    } = record;
    let mut pairs = vec![(FILE_NAME, file_name.percent_encoded())];
    let is_ready = matches!(status, Status::Ready { .. });
    pairs.extend((is_ready || !owner.is_public()).then(|| (OWNER, owner.to_string())));
    if let Status::Ready { width, height, ready_at } = status {
        pairs.extend([
            (WIDTH, width.to_string()),
            (HEIGHT, height.to_string()),
            (UPLOADED_AT, rfc3339(*ready_at)),
        ]);
        pairs.extend(sha256.map(|sha256| (SHA256, sha256.to_string())));
    }
    pairs
}

/// The owner that an object names. What somebody put there by hand names none, and is everybody's.
pub fn owner<'a>(lookup: impl Fn(&str) -> Option<&'a str>) -> Owner {
    lookup(OWNER).and_then(Owner::parse).unwrap_or_else(Owner::public)
}

/// The record of a ready image, built again from its object alone: key, media type, bytes, and user
/// metadata. An object that was only announced does not say enough.
pub fn read<'a>(
    key: &str,
    content_type: &str,
    size: u64,
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> anyhow::Result<Record> {
    let get = |name: &str| lookup(name).with_context(|| format!("{name} is missing"));
    let side = |name: &str| get(name)?.parse::<u32>().with_context(|| format!("{name} is no number"));
    let ready_at: Timestamp = get(UPLOADED_AT)?.parse().context("read uploaded-at")?;
    let name: Vec<u8> = percent_encoding::percent_decode_str(get(FILE_NAME)?).collect();
    let record = Record {
        image_id: image_of(key).context("the key holds no image id")?,
        owner: Owner::parse(get(OWNER)?).context("owner is none")?,
        file_name: FileName::stored(&String::from_utf8(name)?).context("file-name is empty")?,
        format: Format::named(content_type).context("the content type is unknown")?,
        size,
        sha256: Some(Sha256::parse(get(SHA256)?).context("sha256 is no digest")?),
        created_at: ready_at,
        status: Status::Ready { width: side(WIDTH)?, height: side(HEIGHT)?, ready_at },
        derived: None,
    };
    if record.object_key() != key {
        bail!("the key does not end as {content_type} does");
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::testing;

    #[test]
    fn a_ready_record_is_built_again_from_its_object_and_nothing_less() {
        let created_at = "2026-11-23T04:05:06.789Z".parse().unwrap();
        let ready = Record { owner: testing::alice(), created_at, ..testing::record() };
        let metadata: HashMap<_, _> = pairs(&ready).into_iter().collect();
        let rebuild = |key: &str, content_type: &str, without: &str| {
            let lookup = |name: &str| metadata.get(name).filter(|_| name != without).map(String::as_str);
            read(key, content_type, ready.size, lookup)
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
    fn the_metadata_holds_what_rebuilds_the_record_in_ascii() {
        let metadata: HashMap<_, _> = pairs(&testing::record()).into_iter().collect();
        assert_eq!(metadata["file-name"], "%E5%86%99%E7%9C%9F.png");
        assert_eq!(metadata["width"], "3");
        assert_eq!(metadata["height"], "2");
        assert_eq!(metadata["uploaded-at"], "2026-11-23T04:05:06.789Z");
        assert_eq!(metadata["owner"], "public");
        assert_eq!(metadata["sha256"].len(), 64);
        assert!(metadata.values().all(|value| value.is_ascii()));
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
    #[test]
    fn the_longest_name_and_the_longest_owner_fit_what_s3_takes() {
        let owner = Owner::parse(&"x".repeat(crate::owner::LONGEST)).unwrap();
        let file_name = FileName::parse(&"あ".repeat(85)).unwrap();
        let pairs = pairs(&Record { owner, file_name, ..testing::record() });
        let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= 2048, "{bytes}");
    }

    #[test]
    fn an_object_that_is_not_ready_names_its_owner_unless_it_is_everybodys() {
        let pending = Status::Pending { expires_at: "2026-11-23T05:20:06Z".parse().unwrap() };
        let told = |owner: Owner| {
            let pending = Record { owner, status: pending.clone(), ..testing::record() };
            pairs(&pending).into_iter().collect::<HashMap<_, _>>()
        };
        let lookup = |metadata: &HashMap<&str, String>| {
            owner(|name| metadata.get(name).map(String::as_str)).to_string()
        };
        let (hers, everybodys) = (told(testing::alice()), told(Owner::public()));
        assert_eq!(hers["owner"], testing::alice().as_str());
        assert_eq!(lookup(&hers), testing::alice().as_str());
        assert_eq!(everybodys.keys().collect::<Vec<_>>(), [&"file-name"]);
        assert_eq!(lookup(&everybodys), "public");
        assert_eq!(lookup(&HashMap::from([("owner", "花子".to_owned())])), "public");
    }
}
