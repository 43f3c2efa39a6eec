//! What is in the bucket: images, and everything that must go before the bucket can.

use std::collections::HashMap;

use anyhow::bail;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::aws::Aws;
use crate::aws::failure::{failed, optional};

/// How many images the bucket holds; counting ends at `limit`.
pub async fn count_images(aws: &Aws, bucket: &str, limit: usize) -> anyhow::Result<usize> {
    let list = aws.s3.list_objects_v2().bucket(bucket).prefix(contract::UPLOADS_PREFIX);
    let mut pages = list.into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        let page = optional(page, "s3:ListBucket", &["NoSuchBucket"])?;
        count += page.map_or(0, |page| page.contents().len());
        if count >= limit {
            break;
        }
    }
    Ok(count)
}

/// An object's key and what it says about itself.
pub struct Object {
    pub key: String,
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// User metadata, without `x-amz-meta-`.
    pub metadata: HashMap<String, String>,
}

/// A page of the keys of images, and the token of the next page.
pub async fn page_of_keys(
    aws: &Aws,
    bucket: &str,
    token: Option<String>,
) -> anyhow::Result<(Vec<String>, Option<String>)> {
    let list = aws.s3.list_objects_v2().bucket(bucket).prefix(contract::UPLOADS_PREFIX);
    let page = list.set_continuation_token(token).send().await.map_err(failed("s3:ListBucket"))?;
    let keys = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
    Ok((keys.collect(), page.next_continuation_token))
}

/// An object's own account, or `None` where it was deleted meanwhile.
pub async fn head(aws: &Aws, bucket: &str, key: String) -> anyhow::Result<Option<Object>> {
    let head = aws.s3.head_object().bucket(bucket).key(&key).send().await;
    let Some(head) = optional(head, "s3:GetObject", &["NotFound", "NoSuchKey"])? else { return Ok(None) };
    let size = u64::try_from(head.content_length.unwrap_or_default())?;
    let content_type = head.content_type.unwrap_or_default();
    Ok(Some(Object { key, content_type, size, metadata: head.metadata.unwrap_or_default() }))
}

/// Deletes every version of every object. `emptied` hears how many are gone so far.
pub(super) async fn delete_all(client: &Client, name: &str, emptied: impl Fn(usize)) -> anyhow::Result<()> {
    let mut gone = 0;
    loop {
        // Always the first page: what it listed last time is no longer there.
        let page = client.list_object_versions().bucket(name).max_keys(1000).send().await;
        let Some(page) = optional(page, "s3:ListBucketVersions", &["NoSuchBucket"])? else { return Ok(()) };
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let object = |(key, version): (Option<&str>, Option<&str>)| {
            ObjectIdentifier::builder()
                .set_key(key.map(str::to_owned))
                .set_version_id(version.map(str::to_owned))
                .build()
        };
        let objects = versions.chain(markers).map(object).collect::<Result<Vec<_>, _>>()?;
        if objects.is_empty() {
            break;
        }
        gone += delete_objects(client, name, objects).await?;
        emptied(gone);
    }
    Ok(())
}

/// The call succeeds even where single keys were refused; those are in its response.
async fn delete_objects(
    client: &Client,
    bucket: &str,
    objects: Vec<ObjectIdentifier>,
) -> anyhow::Result<usize> {
    let count = objects.len();
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build()?;
    let answer = client.delete_objects().bucket(bucket).delete(delete).send().await;
    let answer = answer.map_err(failed("s3:DeleteObject"))?;
    if let Some(error) = answer.errors().first() {
        bail!(
            "s3:DeleteObject: {} of {count} objects were refused, the first being {}: {}: {}",
            answer.errors().len(),
            error.key().unwrap_or_default(),
            error.code().unwrap_or_default(),
            error.message().unwrap_or_default(),
        );
    }
    Ok(count)
}

pub(super) async fn abort_multipart_uploads(client: &Client, bucket: &str) -> anyhow::Result<()> {
    loop {
        // Always the first page, as above.
        let page = client.list_multipart_uploads().bucket(bucket).send().await;
        let page = optional(page, "s3:ListBucketMultipartUploads", &["NoSuchBucket"])?;
        let uploads = page.and_then(|page| page.uploads).unwrap_or_default();
        if uploads.is_empty() {
            return Ok(());
        }
        for upload in uploads {
            let abort = client.abort_multipart_upload().bucket(bucket);
            let abort = abort.set_key(upload.key).set_upload_id(upload.upload_id);
            optional(abort.send().await, "s3:AbortMultipartUpload", &["NoSuchUpload"])?;
        }
    }
}
