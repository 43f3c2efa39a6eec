//! What clients get to see of a record.

use jiff::Timestamp;
use serde::Serialize;

use crate::derived::Thumbnail;
use crate::record::{Record, Status, rfc3339, utc_date};

/// A URL that carries its own permission for a while.
#[derive(Clone, Debug)]
pub struct Link {
    pub url: String,
    pub expires_at: Timestamp,
}

/// The URLs of an image and of its thumbnails.
#[derive(Clone, Debug)]
pub struct Links {
    pub download: Link,
    /// As many as the record has thumbnails, in their order.
    pub thumbnails: Vec<Link>,
}

/// An image in an answer. `openapi.yaml` describes it as `Image` if it is ready, and as
/// `UnfinishedImage` if it is not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View<'a> {
    image_id: String,
    status: &'static str,
    file_name: &'a str,
    content_type: &'static str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    ready: Option<Ready<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    width: u32,
    height: u32,
    upload_date: String,
    uploaded_at: String,
    download_url: String,
    download_url_expires_at: String,
    /// Empty where none can be made; not there yet while they are being made. They end with `downloadUrl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnails: Option<Vec<Shown>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumb_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    captured_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orientation: Option<u8>,
}

/// A thumbnail in an answer.
#[derive(Debug, Serialize)]
struct Shown {
    url: String,
    width: u32,
    height: u32,
    size: u64,
}

impl<'a> View<'a> {
    /// An image that can be downloaded.
    pub fn ready(record: &'a Record, links: Links) -> View<'a> {
        let Links { download, thumbnails } = links;
        let shown = |(link, thumbnail): (Link, &Thumbnail)| {
            let Thumbnail { width, height, size, .. } = *thumbnail;
            Shown { url: link.url, width, height, size }
        };
        let derived = record.derived.as_ref();
        let ready = match record.status {
            Status::Ready { width, height, ready_at, .. } => Some(Ready {
                width,
                height,
                upload_date: utc_date(ready_at),
                uploaded_at: rfc3339(ready_at),
                download_url: download.url,
                download_url_expires_at: rfc3339(download.expires_at),
                thumbnails: derived
                    .map(|derived| thumbnails.into_iter().zip(&derived.thumbnails.all).map(shown).collect()),
                thumb_hash: derived.and_then(|derived| derived.thumb_hash.as_deref()),
                captured_at: derived.and_then(|derived| derived.captured_at.as_deref()),
                camera: derived.and_then(|derived| derived.camera.as_deref()),
                orientation: derived.and_then(|derived| derived.orientation),
            }),
            _ => None,
        };
        View { ready, ..View::unfinished(record) }
    }

    /// An image that has not arrived, or was refused when it did.
    pub fn unfinished(record: &'a Record) -> View<'a> {
        View {
            image_id: record.image_id.to_string(),
            status: record.status.name(),
            file_name: record.file_name.as_str(),
            content_type: record.format.media_type(),
            size: record.size,
            sha256: record.sha256.map(|sha256| sha256.to_string()),
            reason: match &record.status {
                Status::Rejected { reason, .. } => Some(reason),
                _ => None,
            },
            ready: None,
        }
    }
}
