//! The images' bytes, in S3. The bucket is private: objects come and go through these few calls, or
//! through URLs that are signed here, without a call, for one object and a short time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use contract::UPLOADS_PREFIX;
use jiff::Timestamp;

use crate::answer::Reject;
use crate::aws::{self, Aws, WARM_TIME};
use crate::record::Record;
use crate::view::Link;

/// How long a signed URL can be used, for an upload to begin or a download.
pub const LINK_LIFE: Duration = Duration::from_mins(15);

/// Of 10 s for a whole request, which may put an object, fail to put its record, and delete it again.
const ATTEMPT: Duration = Duration::from_millis(2500);
const OPERATION: Duration = Duration::from_millis(3500);

/// Headers of a signed request that a client sets itself, or that belong to our own trace: the SDK adds
/// X-Ray's to every request, even to one that is signed for somebody else.
const NOT_FOR_CLIENTS: [&str; 2] = ["host", "x-amzn-trace-id"];

#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    bucket: String,
}

/// A URL to PUT one object to, and the headers without which S3 refuses it.
#[derive(Debug)]
pub struct UploadLink {
    pub link: Link,
    pub headers: BTreeMap<String, String>,
}

impl Store {
    pub fn new(aws: &Aws, bucket: &str) -> Store {
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(aws.region.clone()))
            .credentials_provider(aws.credentials.clone())
            .http_client(aws.http.clone())
            .retry_config(Aws::retries())
            .timeout_config(Aws::timeouts(ATTEMPT, OPERATION));
        if let Some(endpoint) = &aws.endpoint {
            // An emulator has no name for each bucket.
            config = config.endpoint_url(endpoint).force_path_style(true);
        }
        Store { client: Client::from_conf(config.build()), bucket: bucket.to_owned() }
    }

    /// Stores an image that is not there yet.
    pub async fn put(&self, record: &Record, bytes: Vec<u8>) -> Result<(), Reject> {
        let put = record.metadata().into_iter().fold(
            self.client
                .put_object()
                .bucket(&self.bucket)
                .key(record.object_key())
                .content_type(record.format.media_type())
                .content_disposition(record.file_name.content_disposition())
                .if_none_match("*")
                .set_checksum_sha256(record.sha256.map(|sha256| sha256.base64())),
            |put, (name, value)| put.metadata(name, value),
        );
        // The checksum is signed and S3 holds it against the bytes; signing these as well would only
        // hash them once more.
        let sent = put.body(ByteStream::from(bytes)).customize().disable_payload_signing().send().await;
        match sent {
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
    pub async fn delete(&self, record: &Record) -> Result<(), Reject> {
        let key = record.object_key();
        let deleted = self.client.delete_object().bucket(&self.bucket).key(&key).send().await;
        deleted.map(drop).map_err(|error| aws::failure(format!("delete object {key}"), error))
    }

    /// Signs a PUT of exactly the announced bytes: type, length, metadata and, if known, the checksum
    /// are part of the signature, and so is that nothing may be there yet.
    pub async fn upload_link(&self, record: &Record, now: Timestamp) -> Result<UploadLink, Reject> {
        let put = record.metadata().into_iter().fold(
            self.client
                .put_object()
                .bucket(&self.bucket)
                .key(record.object_key())
                .content_type(record.format.media_type())
                .content_length(i64::try_from(record.size).unwrap_or(i64::MAX))
                .if_none_match("*")
                .set_checksum_sha256(record.sha256.map(|sha256| sha256.base64())),
            |put, (name, value)| put.metadata(name, value),
        );
        let signed = put.presigned(signing(now)?).await;
        let signed = signed.map_err(|error| aws::failure("sign an upload", error))?;
        let headers = signed.headers().filter(|(name, _)| !NOT_FOR_CLIENTS.contains(name));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(UploadLink { link: link(signed.uri(), now), headers })
    }

    /// Signs a GET that saves the image under its own name.
    pub async fn download_link(&self, record: &Record, now: Timestamp) -> Result<Link, Reject> {
        let get = self.client.get_object().bucket(&self.bucket).key(record.object_key());
        let get = get.response_content_disposition(record.file_name.content_disposition());
        let signed = get.presigned(signing(now)?).await;
        let signed = signed.map_err(|error| aws::failure("sign a download", error))?;
        Ok(link(signed.uri(), now))
    }

    /// Opens the connection that the first request would wait for. The answer, a refusal even, does
    /// not matter.
    pub async fn warm(&self) {
        let head = self.client.head_object().bucket(&self.bucket).key(format!("{UPLOADS_PREFIX}warm"));
        tokio::time::timeout(WARM_TIME, head.send()).await.ok();
    }
}

fn signing(now: Timestamp) -> Result<PresigningConfig, Reject> {
    PresigningConfig::builder()
        .start_time(SystemTime::from(now))
        .expires_in(LINK_LIFE)
        .build()
        .context("set up signing")
        .map_err(Reject::Internal)
}

fn link(url: &str, now: Timestamp) -> Link {
    Link { url: url.to_owned(), expires_at: now + LINK_LIFE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Status;
    use crate::testing::{self, Calls, aws, empty_aws, s3_error};

    fn now() -> Timestamp {
        "2026-11-23T04:05:06.789Z".parse().unwrap()
    }

    fn pending(sha256: bool) -> Record {
        let record = testing::record();
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
        let upload = store.upload_link(&pending(true), now()).await.unwrap();
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
        let upload = store().0.upload_link(&pending(false), now()).await.unwrap();
        assert_eq!(
            query(&upload.link.url, "X-Amz-SignedHeaders"),
            "content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-meta-file-name"
        );
    }

    #[tokio::test]
    async fn a_download_url_names_the_file_and_needs_no_header() {
        let (store, calls) = store();
        let url = store.download_link(&testing::record(), now()).await.unwrap().url;
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
        store.put(&testing::record(), b"abc".to_vec()).await.unwrap();
        let call = calls.all().remove(0);
        for (name, value) in [
            ("content-type", "image/png"),
            (
                "content-disposition",
                "attachment; filename=\"__.png\"; filename*=UTF-8''%E5%86%99%E7%9C%9F.png",
            ),
            ("if-none-match", "*"),
            ("x-amz-checksum-sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
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
        Store::new(&aws, "pictures").put(&testing::record(), b"abc".to_vec()).await.unwrap();
    }

    #[track_caller]
    fn check_failure(result: Result<(), Reject>, busy: bool, cause: &str) {
        match result.unwrap_err() {
            Reject::Busy(error) if busy => assert_eq!(error.to_string(), cause),
            Reject::Internal(error) if !busy => assert_eq!(error.to_string(), cause),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_passes_is_tried_three_times_and_what_does_not_once() {
        let key = "delete object uploads/019aaf2c-0000-7000-8000-000000000001.png";
        for (status, code, busy, attempts) in [
            (503, "SlowDown", true, 3),
            (500, "InternalError", true, 3),
            (409, "ConditionalRequestConflict", true, 1),
            (403, "AccessDenied", false, 1),
            (404, "NoSuchBucket", false, 1),
        ] {
            let (aws, calls) = aws(move |_| (status, s3_error(code)));
            let result = Store::new(&aws, "pictures").delete(&testing::record()).await;
            check_failure(result, busy, &format!("{key}: {code}: of the test (request id unknown)"));
            assert_eq!(calls.all().len(), attempts, "{code}");
        }
    }
}
