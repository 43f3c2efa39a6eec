//! What clients send and get, in JSON. `openapi.yaml` describes each type under its own name, and
//! `UploadRequest` as `InlineUpload` and `AnnouncedUpload`; a test holds the two together.
//!
//! Each conversion takes its record apart field by field, so that the compiler asks here for every new one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Derived, Facts};
use crate::format::Format;
use crate::link::{Link, Links, UploadLink};
use crate::moment::{rfc3339, utc_date};
use crate::record::Record;
use crate::status::Status;
use crate::thumbnails;

/// How a client sees what has become of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Pending,
    Ready,
    Rejected,
}

/// An image that can be downloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    pub image_id: String,
    /// Always `ready`.
    pub status: State,
    pub file_name: String,
    pub content_type: Format,
    pub size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub width: u32,
    pub height: u32,
    pub upload_date: String,
    pub uploaded_at: String,
    pub download_url: String,
    pub download_url_expires_at: String,
    /// Empty where none can be made; not there yet while they are being made. They end with `downloadUrl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnails: Option<Vec<Thumbnail>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb_hash: Option<String>,
    #[serde(flatten)]
    pub facts: Facts,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    pub url: String,
    pub width: u32,
    pub height: u32,
    pub size: u64,
}

/// An image that has not arrived, or was refused when it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnfinishedImage {
    pub image_id: String,
    /// `pending` or `rejected`.
    pub status: State,
    pub file_name: String,
    pub content_type: Format,
    pub size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What there is to see of an image, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AnyImage {
    Ready(Box<Image>),
    Unfinished(UnfinishedImage),
}

/// An image that is to be sent to a URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingImage {
    pub image_id: String,
    /// Always `pending`.
    pub status: State,
    pub upload_url: String,
    pub method: Cow<'static, str>,
    /// Headers that the request must carry.
    pub headers: BTreeMap<String, String>,
    pub expires_at: String,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageList {
    pub images: Vec<Image>,
    pub count: usize,
    /// Where the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The JSON that asks for an upload: of an image that comes along in base64, as `data`, or of one that is to
/// be sent. What a sender leaves out is not there, or null; what no field here takes is ignored.
///
/// Clients fill it with strings and numbers. The server reads texts and numbers as they came, so that it can
/// say which one is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadRequest<Text = String, Number = u64> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Text>,
}

impl Image {
    /// A ready image and its links; `None` of any other.
    pub fn new(record: Record, links: Links) -> Option<Image> {
        // Whoever sees it knows whose it is.
        let Record { image_id, owner: _, file_name, format, size, sha256, created_at: _, status, derived } =
            record;
        let Status::Ready { width, height, ready_at } = status else { return None };
        let Links { download, thumbnails: links } = links;
        let (thumbnails, thumb_hash, facts) = match derived {
            Some(Derived { thumbnails, thumb_hash, facts }) => {
                let all = thumbnails.all.into_iter().zip(links);
                let all = all.map(|(thumbnail, link)| Thumbnail::new(thumbnail, link));
                (Some(all.collect()), thumb_hash, facts)
            }
            None => (None, None, Facts::default()),
        };
        Some(Image {
            image_id: image_id.to_string(),
            status: State::Ready,
            file_name: file_name.into_string(),
            content_type: format,
            size,
            sha256: sha256.map(|sha256| sha256.to_string()),
            width,
            height,
            upload_date: utc_date(ready_at),
            uploaded_at: rfc3339(ready_at),
            download_url: download.url,
            download_url_expires_at: rfc3339(download.expires_at),
            thumbnails,
            thumb_hash,
            facts,
        })
    }
}

impl Thumbnail {
    fn new(thumbnail: thumbnails::Thumbnail, link: Link) -> Thumbnail {
        let thumbnails::Thumbnail { edge: _, width, height, size } = thumbnail;
        Thumbnail { url: link.url, width, height, size }
    }
}

impl UnfinishedImage {
    /// An image that is pending or rejected; `None` of any other.
    pub fn new(record: Record) -> Option<UnfinishedImage> {
        let Record { image_id, owner: _, file_name, format, size, sha256, created_at: _, status, derived: _ } =
            record;
        let (status, reason) = match status {
            Status::Pending { expires_at: _ } => (State::Pending, None),
            Status::Rejected { expires_at: _, reason } => (State::Rejected, Some(reason)),
            Status::Ready { .. } | Status::Deleting | Status::Deleted { .. } => return None,
        };
        Some(UnfinishedImage {
            image_id: image_id.to_string(),
            status,
            file_name: file_name.into_string(),
            content_type: format,
            size,
            sha256: sha256.map(|sha256| sha256.to_string()),
            reason,
        })
    }
}

impl AnyImage {
    /// What clients may see of a record, with links if it is ready; `None` of what they deleted.
    pub fn new(record: Record, links: impl FnOnce(&Record) -> Links) -> Option<AnyImage> {
        if let Status::Ready { .. } = record.status {
            let links = links(&record);
            Image::new(record, links).map(Box::new).map(AnyImage::Ready)
        } else {
            UnfinishedImage::new(record).map(AnyImage::Unfinished)
        }
    }
}

impl PendingImage {
    pub fn new(record: &Record, upload: UploadLink) -> PendingImage {
        let UploadLink { link, headers } = upload;
        PendingImage {
            image_id: record.image_id.to_string(),
            status: State::Pending,
            upload_url: link.url,
            method: Cow::Borrowed("PUT"),
            headers,
            expires_at: rfc3339(link.expires_at),
        }
    }
}

impl ImageList {
    pub fn new(images: Vec<Image>, next_cursor: Option<String>) -> ImageList {
        ImageList { count: images.len(), images, next_cursor }
    }
}

#[cfg(test)]
mod tests;
