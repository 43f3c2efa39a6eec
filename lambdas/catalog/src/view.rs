//! What clients get to see of a record.

use jiff::Timestamp;
use serde::Serialize;

use crate::record::{Record, Status, rfc3339, utc_date};

/// A URL that carries its own permission for a while.
#[derive(Clone, Debug)]
pub struct Link {
    pub url: String,
    pub expires_at: Timestamp,
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
    #[serde(flatten)]
    ready: Option<Ready>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    width: u32,
    height: u32,
    upload_date: String,
    uploaded_at: String,
    download_url: String,
    download_url_expires_at: String,
}

impl<'a> View<'a> {
    /// An image that can be downloaded.
    pub fn ready(record: &'a Record, download: Link) -> View<'a> {
        let ready = match record.status {
            Status::Ready { width, height, ready_at, .. } => Some(Ready {
                width,
                height,
                upload_date: utc_date(ready_at),
                uploaded_at: rfc3339(ready_at),
                download_url: download.url,
                download_url_expires_at: rfc3339(download.expires_at),
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
            ready: None,
        }
    }
}
