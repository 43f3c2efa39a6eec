//! The images' bytes, in S3. The bucket is private: objects come and go through these few calls, or
//! through URLs that are signed here, without a call, for one object and a short time.

use std::time::Duration;

use bytes::Bytes;
use contract::UPLOADS_PREFIX;
use futures_util::future::try_join_all;
use image::digest::Sha256;
use image::format::Format;
use image::link::{Link, Links, UploadLink};
use image::metadata;
use image::record::Record;
use image::thumbnails::thumbnail_key;
use jiff::Timestamp;

use crate::aws::{self, Aws, WARM_TIME};
use crate::failure::Failure;
use crate::store::client::{Call, Client};
use crate::store::signer::{Headers, Signer};

mod client;
pub mod object;
mod signer;

/// How long a signed URL can be used, for an upload to begin or a download.
pub const LINK_LIFE: Duration = Duration::from_mins(15);

/// A whole request has 10 s, in which it may put an object, fail to put its record, and delete it again.
const ATTEMPT: Duration = Duration::from_millis(2500);
const OPERATION: Duration = Duration::from_millis(3500);

#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    signer: Signer,
    bucket: String,
}

impl Store {
    pub fn new(aws: &Aws, bucket: &str) -> Store {
        Store::with_times(aws, bucket, ATTEMPT, OPERATION)
    }

    /// `attempt` and `operation` bound one try of a call and all of them.
    pub fn with_times(aws: &Aws, bucket: &str, attempt: Duration, operation: Duration) -> Store {
        let name = bucket.to_owned();
        let bucket = match &aws.endpoint {
            // An emulator has no name for each bucket.
            Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{}.{}", aws.region, contract::domain(&aws.region)),
        };
        let signer = Signer::new(&aws.credentials, &aws.region, bucket.clone());
        Store { client: Client::new(aws, &bucket, signer.clone(), attempt, operation), signer, bucket: name }
    }

    /// Stores an image that is not there yet. `bytes` are those that the record's checksum was made of.
    pub async fn put(&self, record: &Record, bytes: Bytes) -> Result<(), Failure> {
        let sha256 = record.sha256.unwrap_or_else(|| Sha256::of(&bytes));
        let mut headers = headers(record, Some(sha256));
        headers.push(("content-disposition".into(), record.file_name.content_disposition(record.format)));
        let path = path(record);
        match self.client.send(Call { method: "PUT", path, headers, body: bytes, sha256 }).await {
            Ok(_) => Ok(()),
            // The key's id was drawn at random for these very bytes, once or under an idempotency key
            // that stands for them, so they are what is there already: an attempt of this call, or
            // another request with the same key, stored them.
            Err(error) if error.as_service_error().and_then(|e| e.code()) == Some("PreconditionFailed") => {
                Ok(())
            }
            Err(error) => Err(aws::failure(format!("put object {}", record.object_key()), error)),
        }
    }

    /// Deletes an image's object; one that is not there is fine.
    pub async fn delete(&self, record: &Record) -> Result<(), Failure> {
        self.delete_key(&record.object_key()).await
    }

    /// Deletes an image's object and its thumbnails.
    pub async fn delete_all(&self, record: &Record) -> Result<(), Failure> {
        let thumbnails = record.thumbnails();
        let keys = thumbnails.map(|(edge, format)| thumbnail_key(record.image_id, edge, format));
        let keys: Vec<_> = keys.chain([record.object_key()]).collect();
        try_join_all(keys.iter().map(|key| self.delete_key(key))).await.map(drop)
    }

    async fn delete_key(&self, key: &str) -> Result<(), Failure> {
        let deleted = self.client.send(without_body("DELETE", format!("/{key}"))).await;
        deleted.map(drop).map_err(|error| aws::failure(format!("delete object {key}"), error))
    }

    /// Signs a PUT of exactly the announced bytes: type, length, metadata and, if known, the checksum
    /// are part of the signature, and so is that nothing may be there yet.
    pub fn upload_link(&self, record: &Record, now: Timestamp) -> Result<UploadLink, Failure> {
        let mut headers = headers(record, record.sha256);
        headers.push(("content-length".into(), record.size.to_string()));
        let url = self.signer.url("PUT", &path(record), None, &headers, now, LINK_LIFE);
        let url = url.map_err(Failure::Broken)?;
        let headers = headers.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        Ok(UploadLink { link: link(url, now), headers })
    }

    /// Signs a GET that saves the image under its own name.
    pub fn download_link(&self, record: &Record, now: Timestamp) -> Link {
        let disposition = record.file_name.content_disposition(record.format);
        let query = Some(("response-content-disposition", disposition.as_str()));
        link(self.signer.download_url(&path(record), query, now, LINK_LIFE), now)
    }

    /// Signs a GET for all that a ready image has: itself, and each of its thumbnails.
    pub fn links(&self, record: &Record, now: Timestamp) -> Links {
        let thumbnails = record.thumbnails();
        let thumbnails = thumbnails.map(|(edge, format)| self.thumbnail_link(record, edge, format, now));
        Links { download: self.download_link(record, now), thumbnails: thumbnails.collect() }
    }

    /// Signs a GET of a thumbnail.
    pub fn thumbnail_link(&self, record: &Record, edge: u32, format: Format, now: Timestamp) -> Link {
        let path = format!("/{}", thumbnail_key(record.image_id, edge, format));
        link(self.signer.download_url(&path, None, now, LINK_LIFE), now)
    }

    /// Opens the connection that the first request would wait for. The answer, a refusal even, does
    /// not matter.
    pub async fn warm(&self) {
        let head = self.client.send(without_body("HEAD", format!("/{UPLOADS_PREFIX}warm")));
        tokio::time::timeout(WARM_TIME, head).await.ok();
    }
}

/// Object keys are made of characters that stand for themselves in a URL.
fn path(record: &Record) -> String {
    format!("/{}", record.object_key())
}

fn without_body(method: &'static str, path: String) -> Call {
    Call { method, path, headers: Headers::new(), body: Bytes::new(), sha256: Sha256::of(b"") }
}

/// What an object is written with, whoever writes it.
fn headers(record: &Record, sha256: Option<Sha256>) -> Headers {
    let mut headers = Headers::from([
        ("content-type".into(), record.format.media_type().to_owned()),
        ("if-none-match".into(), "*".to_owned()),
    ]);
    headers.extend(sha256.map(|sha256| ("x-amz-checksum-sha256".into(), sha256.base64())));
    let metadata = metadata::pairs(record).into_iter();
    headers.extend(metadata.map(|(name, value)| (format!("x-amz-meta-{name}").into(), value)));
    headers
}

fn link(url: String, now: Timestamp) -> Link {
    Link { url, expires_at: now + LINK_LIFE }
}

#[cfg(test)]
mod tests {
    use image::status::Status;

    use super::*;
    use crate::testing::{self, Calls, aws, empty_aws, s3_error};

    fn now() -> Timestamp {
        "2026-11-23T04:05:06.789Z".parse().unwrap()
    }

    fn pending(sha256: bool) -> Record {
        let record = image::testing::record();
        let sha256 = record.sha256.filter(|_| sha256);
        Record { sha256, status: Status::Pending { expires_at: now() }, ..record }
    }

    fn store() -> (Store, Calls) {
        let (aws, calls) = empty_aws();
        (Store::new(&aws, "pictures"), calls)
    }

    fn query<'a>(url: &'a str, name: &str) -> &'a str {
        let (_, query) = url.split_once('?').unwrap();
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).unwrap().1
    }

    #[tokio::test]
    async fn an_upload_url_signs_all_that_binds_the_upload() {
        let (store, calls) = store();
        let upload = store.upload_link(&pending(true), now()).unwrap();
        assert_eq!(
            query(&upload.link.url, "X-Amz-SignedHeaders"),
            "content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-checksum-sha256%3Bx-amz-meta-file-name"
        );
        let headers: Vec<_> =
            upload.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("content-length", "3"),
                ("content-type", "image/png"),
                ("if-none-match", "*"),
                ("x-amz-checksum-sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
                ("x-amz-meta-file-name", "%E5%86%99%E7%9C%9F.png"),
            ]
        );
        assert_eq!(query(&upload.link.url, "X-Amz-Expires"), "900");
        assert_eq!(query(&upload.link.url, "X-Amz-Date"), "20261123T040506Z");
        assert_eq!(upload.link.expires_at.to_string(), "2026-11-23T04:20:06.789Z");
        assert!(calls.all().is_empty());
    }

    #[tokio::test]
    async fn an_upload_url_without_a_known_checksum_signs_the_rest() {
        let upload = store().0.upload_link(&pending(false), now()).unwrap();
        assert_eq!(
            query(&upload.link.url, "X-Amz-SignedHeaders"),
            "content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-meta-file-name"
        );
    }

    #[tokio::test]
    async fn a_download_url_names_the_file_and_needs_no_header() {
        let (store, calls) = store();
        let url = store.download_link(&image::testing::record(), now()).url;
        assert!(url.starts_with(
            "https://pictures.s3.ap-northeast-1.amazonaws.com/uploads/019aaf2c-0000-7000-8000-000000000001.png?"
        ));
        assert_eq!(query(&url, "X-Amz-SignedHeaders"), "host");
        assert_eq!(
            query(&url, "response-content-disposition"),
            "attachment%3B%20filename%3D%22__.png%22%3B%20filename%2A%3DUTF-8%27%27%25E5%2586%2599%25E7%259C%259F.png"
        );
        assert!(calls.all().is_empty());
    }

    #[tokio::test]
    async fn an_object_says_what_it_is_and_is_hashed_once() {
        let (store, calls) = store();
        store.put(&image::testing::record(), "abc".into()).await.unwrap();
        let call = calls.all().remove(0);
        for (name, value) in [
            ("content-type", "image/png"),
            (
                "content-disposition",
                "attachment; filename=\"__.png\"; filename*=UTF-8''%E5%86%99%E7%9C%9F.png",
            ),
            ("if-none-match", "*"),
            ("x-amz-checksum-sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
            ("x-amz-content-sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("x-amz-meta-file-name", "%E5%86%99%E7%9C%9F.png"),
            ("x-amz-meta-width", "3"),
            ("x-amz-meta-height", "2"),
            ("x-amz-meta-sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("x-amz-meta-uploaded-at", "2026-11-23T04:05:06.789Z"),
            ("x-amz-meta-owner", "public"),
        ] {
            assert_eq!(call.headers.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!call.headers.contains_key("x-amz-trailer"));
        assert_eq!(call.body, b"abc");
    }

    #[tokio::test]
    async fn an_object_that_an_earlier_attempt_stored_is_stored() {
        let (aws, _) = aws(|_| (412, s3_error("PreconditionFailed")));
        Store::new(&aws, "pictures").put(&image::testing::record(), "abc".into()).await.unwrap();
    }

    #[tokio::test]
    async fn a_version_is_discarded_by_its_id_and_a_bucket_without_versions_has_none() {
        let there = |version: Option<&'static str>| {
            aws(move |call| {
                let mut headers = vec![("etag".to_owned(), "\"1\"".to_owned())];
                headers.push(("content-length".to_owned(), "3".to_owned()));
                headers.push(("last-modified".to_owned(), "Mon, 23 Nov 2026 05:00:00 GMT".to_owned()));
                headers.extend(version.map(|id| ("x-amz-version-id".to_owned(), id.to_owned())));
                let status = if call.name == "HEAD object" { 200 } else { 204 };
                testing::Reply { status, headers, body: Vec::new() }
            })
        };
        for (version, query) in
            [(Some("3HL4+k.qtJ/_-"), Some("versionId=3HL4%2Bk%2EqtJ%2F%5F%2D")), (None, None)]
        {
            let (aws, calls) = there(version);
            let (store, key) = (Store::new(&aws, "pictures"), image::testing::record().object_key());
            let piece = store.head(&key).await.unwrap().unwrap();
            assert_eq!((piece.size, piece.version.as_deref()), (3, version));
            assert_eq!(piece.modified_at, Some("2026-11-23T05:00:00Z".parse().unwrap()));
            store.discard(&key, &piece).await.unwrap();
            let call = calls.all().remove(1);
            assert_eq!(call.name, "DELETE object");
            assert_eq!(call.uri.split_once('?').map(|(_, query)| query), query, "{}", call.uri);
        }
    }

    #[track_caller]
    fn check_failure(result: Result<(), Failure>, busy: bool, cause: &str) {
        match result.unwrap_err() {
            Failure::Busy(error) if busy => assert_eq!(error.to_string(), cause),
            Failure::Broken(error) if !busy => assert_eq!(error.to_string(), cause),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_passes_is_tried_three_times_and_what_does_not_once() {
        let key = "delete object uploads/019aaf2c-0000-7000-8000-000000000001.png";
        for (status, code, busy, attempts) in [
            (503, "SlowDown", true, 3),
            (500, "InternalError", true, 3),
            (409, "ConditionalRequestConflict", true, 3),
            (400, "RequestTimeout", true, 3),
            (403, "AccessDenied", false, 1),
            (404, "NoSuchBucket", false, 1),
        ] {
            let (aws, calls) = aws(move |_| (status, s3_error(code)));
            let result = Store::new(&aws, "pictures").delete(&image::testing::record()).await;
            check_failure(result, busy, &format!("{key}: {code}: of the test (request id unknown)"));
            assert_eq!(calls.all().len(), attempts, "{code}");
        }
    }
}
