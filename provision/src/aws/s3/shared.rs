//! Small files of our own in somebody's bucket, written on conditions:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>, and deleted on them:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>.

use anyhow::Context;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::BucketVersioningStatus;

use crate::aws::Aws;
use crate::aws::failure::{failed, is, optional};

/// What must hold for a write to happen.
#[derive(Clone, Debug)]
pub enum Condition {
    /// There is no such file.
    Absent,
    /// It is the version with this entity tag.
    Unchanged(String),
}

/// A file and its entity tag.
#[derive(Clone, Debug)]
pub struct Found {
    pub bytes: Vec<u8>,
    pub etag: String,
}

/// A folder in a bucket.
#[derive(Clone, Debug)]
pub struct Folder {
    client: Client,
    pub bucket: String,
    pub prefix: String,
}

impl Folder {
    pub fn new(aws: &Aws, bucket: &str, prefix: &str) -> Folder {
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        Folder { client: aws.s3.clone(), bucket, prefix }
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    pub fn url(&self, name: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(name))
    }

    /// Whether the bucket keeps old versions of what is overwritten.
    pub async fn is_versioned(&self) -> anyhow::Result<bool> {
        let answer = self.client.get_bucket_versioning().bucket(&self.bucket).send().await;
        let answer = answer.map_err(failed("s3:GetBucketVersioning"));
        let answer =
            answer.with_context(|| format!("look at the bucket {} of state.backend", self.bucket))?;
        Ok(answer.status == Some(BucketVersioningStatus::Enabled))
    }

    pub async fn get(&self, name: &str) -> anyhow::Result<Option<Found>> {
        let get = self.client.get_object().bucket(&self.bucket).key(self.key(name));
        let answer = get.send().await;
        let answer = optional(answer, "s3:GetObject", &["NoSuchKey"]);
        let Some(answer) = answer.with_context(|| format!("read {}", self.url(name)))? else {
            return Ok(None);
        };
        let etag = answer.e_tag.context("s3:GetObject answered no ETag")?;
        let body = answer.body.collect().await.with_context(|| format!("read {}", self.url(name)))?;
        Ok(Some(Found { bytes: body.to_vec(), etag }))
    }

    /// Returns the new entity tag, or `None` where the condition does not hold.
    ///
    /// Where S3's response gets lost, the SDK tries again and is refused because of its own first try. So
    /// what is there is looked at: if it is what was to be written, it was.
    pub async fn put(&self, name: &str, bytes: Vec<u8>, only: &Condition) -> anyhow::Result<Option<String>> {
        let put = self.client.put_object().bucket(&self.bucket).key(self.key(name));
        let put = put.content_type("application/json").body(bytes.clone().into());
        let put = match only {
            Condition::Absent => put.if_none_match("*"),
            Condition::Unchanged(etag) => put.if_match(etag),
        };
        match put.send().await {
            Ok(answer) => Ok(Some(answer.e_tag.context("s3:PutObject answered no ETag")?)),
            // The second is of two writes at the same moment, the third of a file that has gone.
            Err(error) if is(&error, &["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"]) => {
                Ok(self.get(name).await?.filter(|found| found.bytes == bytes).map(|found| found.etag))
            }
            Err(error) => {
                Err(failed("s3:PutObject")(error)).with_context(|| format!("write {}", self.url(name)))
            }
        }
    }

    /// Deletes the version with this entity tag. Returns `false` where another one is there.
    pub async fn delete(&self, name: &str, etag: &str) -> anyhow::Result<bool> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(self.key(name)).if_match(etag);
        match delete.send().await {
            Ok(_) => Ok(true),
            // What is gone stays gone, such as by a first try whose response got lost.
            Err(error) if is(&error, &["NoSuchKey"]) => Ok(true),
            Err(error) if is(&error, &["PreconditionFailed", "ConditionalRequestConflict"]) => Ok(false),
            Err(error) => {
                Err(failed("s3:DeleteObject")(error)).with_context(|| format!("delete {}", self.url(name)))
            }
        }
    }
}

/// A bucket with files in memory, which does of S3 what is needed here.
#[cfg(test)]
pub mod fake {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use aws_sdk_s3::config::retry::RetryConfig;
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;

    use super::Folder;

    #[derive(Debug, Default)]
    struct Inside {
        /// By path, the bytes and how often they were written, which is the entity tag.
        files: BTreeMap<String, (Vec<u8>, usize)>,
        puts: usize,
        /// How many puts get a response.
        answered: usize,
    }

    #[derive(Clone, Debug, Default)]
    pub struct Bucket(Arc<Mutex<Inside>>);

    impl Bucket {
        pub fn put(&self, name: &str, bytes: &[u8]) {
            self.0.lock().unwrap().files.insert(format!("/a/{name}"), (bytes.to_vec(), 1));
        }

        /// So many puts get a response, and those after them fail.
        pub fn fail_from_put(&self, count: usize) {
            self.0.lock().unwrap().answered = count;
        }

        /// How many puts there were.
        pub fn puts(&self) -> usize {
            self.0.lock().unwrap().puts
        }

        pub fn folder(&self) -> Folder {
            let transport = SharedHttpConnector::new(self.clone());
            let config = aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("us-east-1"))
                .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
                .retry_config(RetryConfig::disabled())
                .force_path_style(true)
                .http_client(http_client_fn(move |_, _| transport.clone()));
            let client = aws_sdk_s3::Client::from_conf(config.build());
            Folder { client, bucket: "a".to_owned(), prefix: String::new() }
        }
    }

    impl HttpConnector for Bucket {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let mut inside = self.0.lock().unwrap();
            let path =
                request.uri().split("amazonaws.com").nth(1).unwrap().split('?').next().unwrap().to_owned();
            let tag = |version: usize| format!("\"{version}\"");
            let there = inside.files.get(&path).cloned();
            let (status, etag, body) = if request.method() == "GET" {
                let (bytes, version) = there.expect("a test reads what is there");
                (200, Some(tag(version)), bytes)
            } else {
                inside.puts += 1;
                let expected = request.headers().get("if-match");
                if inside.puts > inside.answered {
                    (500, None, b"<Error><Code>InternalError</Code></Error>".to_vec())
                } else if there.as_ref().map(|(_, version)| tag(*version)).as_deref() == expected {
                    let version = there.map_or(1, |(_, version)| version + 1);
                    inside.files.insert(path, (request.body().bytes().unwrap().to_vec(), version));
                    (200, Some(tag(version)), Vec::new())
                } else {
                    (412, None, b"<Error><Code>PreconditionFailed</Code></Error>".to_vec())
                }
            };
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            if let Some(etag) = etag {
                response.headers_mut().insert("etag", etag);
            }
            HttpConnectorFuture::ready(Ok(response))
        }
    }
}
