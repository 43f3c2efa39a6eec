//! What a function does with an object that somebody else sent: read it piece by piece, give it its
//! metadata, put thumbnails beside it.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use image::digest::Sha256;
use image::format::Format;
use image::record::Record;
use image::thumbnails::thumbnail_key;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::client::{Call, Refusal, Response};
use super::{Headers, Store, headers, without_body};
use crate::aws;
use crate::failure::Failure;

/// A piece of an object, and what the object says of itself.
#[derive(Debug)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// Bytes of the whole object.
    pub size: u64,
    /// In quotes, as S3 gives it and takes it.
    pub entity_tag: String,
    /// `None` where the bucket keeps no versions.
    pub version: Option<String>,
    /// To the second; `None` where S3 does not say.
    pub modified_at: Option<Timestamp>,
    pub content_type: String,
    /// User metadata by name, without S3's `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

impl Store {
    /// Reads an object's first bytes, `limit` at most; `None` if it is not there.
    pub async fn read_first(&self, key: &str, limit: u64) -> Result<Option<Piece>, Failure> {
        let range = ("range".into(), format!("bytes=0-{}", limit.saturating_sub(1)));
        match self.client.send(get(key, vec![range])).await {
            Ok(response) => {
                piece(response).with_context(|| failed("read", key)).map(Some).map_err(Failure::Broken)
            }
            Err(error) if code(&error) == Some("NoSuchKey") => Ok(None),
            // An empty object has no first byte.
            Err(error) if code(&error) == Some("InvalidRange") => {
                let head = self.client.send(Call { method: "HEAD", ..get(key, Headers::new()) }).await;
                let head = head.map_err(|error| aws::failure(failed("read", key), error))?;
                piece(head).with_context(|| failed("read", key)).map(Some).map_err(Failure::Broken)
            }
            Err(error) => Err(aws::failure(failed("read", key), error)),
        }
    }

    /// Reads on from a byte, `limit` bytes at most, of the very object that a piece is of; `None` if
    /// that is not there any more.
    pub async fn read_on(
        &self,
        key: &str,
        of: &Piece,
        from: u64,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let range = ("range".into(), format!("bytes={from}-{}", from + limit.max(1) - 1));
        match self.client.send(get(key, vec![range, ("if-match".into(), of.entity_tag.clone())])).await {
            Ok(response) => Ok(Some(response.body)),
            Err(error) if matches!(code(&error), Some("NoSuchKey" | "PreconditionFailed")) => Ok(None),
            Err(error) => Err(aws::failure(failed("read", key), error)),
        }
    }

    /// What an object says of itself, without its bytes; `None` if it is not there.
    pub async fn head(&self, key: &str) -> Result<Option<Piece>, Failure> {
        match self.client.send(without_body("HEAD", format!("/{key}"))).await {
            Ok(response) => {
                piece(response).with_context(|| failed("look at", key)).map(Some).map_err(Failure::Broken)
            }
            Err(error) if code(&error) == Some("HTTP 404") => Ok(None),
            Err(error) => Err(aws::failure(failed("look at", key), error)),
        }
    }

    /// Deletes the very version that a piece is of, so that nothing of it is kept. What the key had before
    /// it stays as it was, a delete marker for one.
    pub async fn discard(&self, key: &str, of: &Piece) -> Result<(), Failure> {
        let Some(version) = &of.version else { return self.delete_key(key).await };
        let version = utf8_percent_encode(version, NON_ALPHANUMERIC);
        let call = without_body("DELETE", format!("/{key}?versionId={version}"));
        let discarded = self.client.send(call).await;
        discarded.map(drop).map_err(|error| aws::failure(failed("discard", key), error))
    }

    /// Has S3 copy an object onto itself, with the metadata that its record can be rebuilt from, which
    /// nobody knew when it was sent. `false` if it is not there any more.
    pub async fn complete(&self, record: &Record, entity_tag: &str) -> Result<bool, Failure> {
        let key = record.object_key();
        let mut headers = headers(record, None);
        headers.retain(|(name, _)| name != "if-none-match");
        headers.extend([
            ("content-disposition".into(), record.file_name.content_disposition(record.format)),
            ("x-amz-copy-source".into(), format!("/{}/{key}", self.bucket)),
            ("x-amz-copy-source-if-match".into(), entity_tag.to_owned()),
            ("x-amz-metadata-directive".into(), "REPLACE".to_owned()),
        ]);
        let call = Call { headers, ..without_body("PUT", format!("/{key}")) };
        match self.client.send(call).await {
            // A copy takes its time, and S3 may answer 200 before it knows that it failed:
            // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
            Ok(response) if String::from_utf8_lossy(&response.body).contains("<Error>") => {
                Err(Failure::Busy(anyhow!("{}: S3 failed after its answer had begun", failed("copy", &key))))
            }
            Ok(_) => Ok(true),
            Err(error) if matches!(code(&error), Some("NoSuchKey" | "PreconditionFailed")) => Ok(false),
            Err(error) => Err(aws::failure(failed("copy", &key), error)),
        }
    }

    /// Stores a thumbnail, over one that may be there.
    pub async fn put_thumbnail(
        &self,
        image_id: Uuid,
        edge: u32,
        format: Format,
        bytes: Bytes,
    ) -> Result<(), Failure> {
        let key = thumbnail_key(image_id, edge, format);
        let sha256 = Sha256::of(&bytes);
        let headers = vec![
            ("content-type".into(), format.media_type().to_owned()),
            ("x-amz-checksum-sha256".into(), sha256.base64()),
        ];
        let put =
            self.client.send(Call { method: "PUT", path: format!("/{key}"), headers, body: bytes, sha256 });
        put.await.map(drop).map_err(|error| aws::failure(failed("put", &key), error))
    }

    /// Deletes a thumbnail; one that is not there is fine.
    pub async fn delete_thumbnail(&self, image_id: Uuid, edge: u32, format: Format) -> Result<(), Failure> {
        self.delete_key(&thumbnail_key(image_id, edge, format)).await
    }
}

fn get(key: &str, headers: Headers) -> Call {
    Call { headers, ..without_body("GET", format!("/{key}")) }
}

fn failed(action: &str, key: &str) -> String {
    format!("{action} object {key}")
}

fn code(error: &Refusal) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn piece(response: Response) -> anyhow::Result<Piece> {
    let Response { headers, body } = response;
    let header = |name: &str| headers.get(name).map(String::as_str);
    // `bytes 0-131071/4823000`; where all of it came, there is no range.
    let size = header("content-range").and_then(|range| range.rsplit_once('/')).map(|(_, size)| size);
    let size = size.or_else(|| header("content-length")).context("its size is not told")?;
    let metadata = headers
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("x-amz-meta-")?.to_owned(), value.clone())));
    Ok(Piece {
        size: size.parse().context("its size is no number")?,
        entity_tag: header("etag").context("it has no entity tag")?.to_owned(),
        version: header("x-amz-version-id").map(str::to_owned),
        modified_at: header("last-modified")
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map(|date| date.timestamp()),
        content_type: header("content-type").unwrap_or_default().to_owned(),
        metadata: metadata.collect(),
        bytes: body,
    })
}
