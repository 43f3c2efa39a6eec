//! S3: the bucket of images, and what is in it.

use anyhow::{Context, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_bucket_tagging::{GetBucketTaggingError, GetBucketTaggingOutput};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    VersioningConfiguration,
};
use serde_json::Value;

use super::Aws;
use super::failure::{failed, is, optional};
use super::wait::{NotYet, retry};
use crate::stack::place::{STACK_TAG, bucket_prefix};
use crate::stack::resource::storage::Bucket;
use crate::stack::resource::{Tags, managed_tags};

pub mod notification;
pub mod objects;
pub mod owner;
mod rules;
pub mod shared;

use rules::{put_cors, put_lifecycle, read_cors, read_lifecycle};

/// A bucket that was made a moment ago is not seen everywhere yet, and settings exclude one another.
const NOT_YET: &[NotYet] = &[("NoSuchBucket", ""), ("OperationAborted", "")];

pub async fn read(aws: &Aws, name: &str) -> anyhow::Result<Option<Bucket>> {
    let client = &aws.s3;
    // Its tags say too whether there is one.
    let tagging = client.get_bucket_tagging().bucket(name).send().await;
    let tags = match tagging {
        Err(error) if is(&error, &["NoSuchBucket"]) => return Ok(None),
        Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 403) => bail!(
            "s3:GetBucketTagging: AWS refuses access to the bucket {name}; it is another account's, or these \
             credentials may not call it"
        ),
        answer => tags_of(answer)?,
    };
    let (block_public_access, object_ownership, encryption, versioning, policy, cors, lifecycle) = tokio::try_join!(
        read_public_access(client, name),
        read_ownership(client, name),
        read_encryption(client, name),
        read_versioning(client, name),
        read_policy(client, name),
        read_cors(client, name),
        read_lifecycle(client, name),
    )?;
    let tags = managed_tags(tags);
    Ok(Some(Bucket {
        tags,
        block_public_access,
        object_ownership,
        encryption,
        versioning,
        policy,
        cors,
        lifecycle,
    }))
}

async fn all_tags(client: &Client, name: &str) -> anyhow::Result<Tags> {
    tags_of(client.get_bucket_tagging().bucket(name).send().await)
}

fn tags_of(answer: Result<GetBucketTaggingOutput, SdkError<GetBucketTaggingError>>) -> anyhow::Result<Tags> {
    let answer = optional(answer, "s3:GetBucketTagging", &["NoSuchTagSet"])?;
    Ok(answer.map_or_else(Tags::new, |answer| {
        answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()
    }))
}

async fn read_public_access(client: &Client, name: &str) -> anyhow::Result<bool> {
    let answer = client.get_public_access_block().bucket(name).send().await;
    let answer =
        optional(answer, "s3:GetBucketPublicAccessBlock", &["NoSuchPublicAccessBlockConfiguration"])?;
    let block = answer.and_then(|answer| answer.public_access_block_configuration);
    Ok(block.is_some_and(|block| {
        [
            block.block_public_acls,
            block.ignore_public_acls,
            block.block_public_policy,
            block.restrict_public_buckets,
        ]
        .iter()
        .all(|on| *on == Some(true))
    }))
}

async fn read_ownership(client: &Client, name: &str) -> anyhow::Result<String> {
    let answer = client.get_bucket_ownership_controls().bucket(name).send().await;
    let answer = optional(answer, "s3:GetBucketOwnershipControls", &["OwnershipControlsNotFoundError"])?;
    let rule = answer
        .and_then(|answer| answer.ownership_controls)
        .and_then(|controls| controls.rules.into_iter().next());
    Ok(rule.map_or_else(String::new, |rule| rule.object_ownership.as_str().to_owned()))
}

async fn read_encryption(client: &Client, name: &str) -> anyhow::Result<String> {
    let answer = client.get_bucket_encryption().bucket(name).send().await;
    let none = ["ServerSideEncryptionConfigurationNotFoundError"];
    let answer = optional(answer, "s3:GetEncryptionConfiguration", &none)?;
    let rule = answer
        .and_then(|answer| answer.server_side_encryption_configuration)
        .and_then(|configuration| configuration.rules.into_iter().next())
        .and_then(|rule| rule.apply_server_side_encryption_by_default);
    Ok(rule.map_or_else(String::new, |rule| rule.sse_algorithm.as_str().to_owned()))
}

async fn read_versioning(client: &Client, name: &str) -> anyhow::Result<bool> {
    let answer = client.get_bucket_versioning().bucket(name).send().await;
    Ok(answer.map_err(failed("s3:GetBucketVersioning"))?.status == Some(BucketVersioningStatus::Enabled))
}

async fn read_policy(client: &Client, name: &str) -> anyhow::Result<Value> {
    let answer = client.get_bucket_policy().bucket(name).send().await;
    let answer = optional(answer, "s3:GetBucketPolicy", &["NoSuchBucketPolicy"])?;
    let Some(policy) = answer.and_then(|answer| answer.policy) else { return Ok(Value::Null) };
    serde_json::from_str(&policy).with_context(|| format!("read the policy of the bucket {name}"))
}

/// The suffixes of the buckets that carry our tag: where the state file got lost, the stack is found by it.
pub async fn find(aws: &Aws, env: &str, stack: &str) -> anyhow::Result<Vec<String>> {
    let prefix = bucket_prefix(env);
    let pages = aws.s3.list_buckets().prefix(&prefix).bucket_region(&aws.place.region).max_buckets(1000);
    let pages = pages.into_paginator().send().collect::<Result<Vec<_>, _>>().await;
    let mut found = Vec::new();
    for bucket in pages
        .map_err(failed("s3:ListAllMyBuckets"))?
        .into_iter()
        .flat_map(|page| page.buckets.unwrap_or_default())
    {
        let Some(name) = bucket.name else { continue };
        let Some(suffix) = name.strip_prefix(&prefix) else { continue };
        if all_tags(&aws.s3, &name).await?.get(STACK_TAG).is_some_and(|tag| tag == stack) {
            found.push(suffix.to_owned());
        }
    }
    Ok(found)
}

pub async fn create(aws: &Aws, name: &str, desired: &Bucket) -> anyhow::Result<()> {
    let client = &aws.s3;
    // S3 refuses us-east-1 as a location: it is where a bucket goes that names none.
    let location = (aws.place.region != "us-east-1").then(|| {
        let region = BucketLocationConstraint::from(aws.place.region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let create = client.create_bucket().bucket(name).set_create_bucket_configuration(location);
    let create = create.object_ownership(ObjectOwnership::from(desired.object_ownership.as_str()));
    match retry(NOT_YET, async || create.clone().send().await).await {
        Err(error) if is(&error, &["BucketAlreadyOwnedByYou"]) => (),
        answer => answer.map(|_| ()).map_err(failed("s3:CreateBucket"))?,
    }
    update(aws, name, &Bucket::default(), desired).await
}

/// Tags first, so that a run that is cut short leaves a bucket that says whose it is.
pub async fn update(aws: &Aws, name: &str, live: &Bucket, desired: &Bucket) -> anyhow::Result<()> {
    let client = &aws.s3;
    if live.tags != desired.tags {
        put_tags(client, name, desired).await?;
    }
    if live.block_public_access != desired.block_public_access {
        put_public_access(client, name, desired.block_public_access).await?;
    }
    if live.object_ownership != desired.object_ownership {
        put_ownership(client, name, &desired.object_ownership).await?;
    }
    if live.encryption != desired.encryption {
        put_encryption(client, name, &desired.encryption).await?;
    }
    if live.versioning != desired.versioning {
        put_versioning(client, name, desired.versioning).await?;
    }
    if live.policy != desired.policy {
        let put = client.put_bucket_policy().bucket(name).policy(desired.policy.to_string());
        let answer = retry(NOT_YET, async || put.clone().send().await).await;
        answer.map_err(failed("s3:PutBucketPolicy"))?;
    }
    if live.cors != desired.cors {
        put_cors(client, name, &desired.cors).await?;
    }
    if live.lifecycle != desired.lifecycle {
        put_lifecycle(client, name, &desired.lifecycle).await?;
    }
    Ok(())
}

/// `PutBucketTagging` sets all tags at once, so everybody else's are read and put back.
async fn put_tags(client: &Client, name: &str, desired: &Bucket) -> anyhow::Result<()> {
    let tags = all_tags(client, name).await?.into_iter().filter(|(key, _)| !key.starts_with("cloudpix:"));
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().context("build a tag");
    let tags = tags.chain(desired.tags.clone()).map(tag).collect::<anyhow::Result<Vec<_>>>()?;
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().context("build a tag set")?;
    let put = client.put_bucket_tagging().bucket(name).tagging(tagging);
    retry(NOT_YET, async || put.clone().send().await).await.map(|_| ()).map_err(failed("s3:PutBucketTagging"))
}

async fn put_public_access(client: &Client, name: &str, block: bool) -> anyhow::Result<()> {
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(block)
        .ignore_public_acls(block)
        .block_public_policy(block)
        .restrict_public_buckets(block)
        .build();
    let put = client.put_public_access_block().bucket(name).public_access_block_configuration(block);
    let answer = retry(NOT_YET, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("s3:PutBucketPublicAccessBlock"))
}

async fn put_ownership(client: &Client, name: &str, ownership: &str) -> anyhow::Result<()> {
    let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::from(ownership)).build()?;
    let controls = OwnershipControls::builder().rules(rule).build()?;
    let put = client.put_bucket_ownership_controls().bucket(name).ownership_controls(controls);
    let answer = retry(NOT_YET, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("s3:PutBucketOwnershipControls"))
}

async fn put_encryption(client: &Client, name: &str, algorithm: &str) -> anyhow::Result<()> {
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::from(algorithm))
        .build()?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build()?;
    let put = client.put_bucket_encryption().bucket(name).server_side_encryption_configuration(configuration);
    let answer = retry(NOT_YET, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("s3:PutEncryptionConfiguration"))
}

async fn put_versioning(client: &Client, name: &str, on: bool) -> anyhow::Result<()> {
    let status = if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
    let configuration = VersioningConfiguration::builder().status(status).build();
    let put = client.put_bucket_versioning().bucket(name).versioning_configuration(configuration);
    let answer = retry(NOT_YET, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("s3:PutBucketVersioning"))
}

/// Deletes every version of every object, then the bucket. `emptied` hears how many are gone so far.
pub async fn delete(aws: &Aws, name: &str, emptied: impl Fn(usize)) -> anyhow::Result<()> {
    let client = &aws.s3;
    objects::abort_multipart_uploads(client, name).await?;
    objects::delete_all(client, name, emptied).await?;
    let answer = client.delete_bucket().bucket(name).send().await;
    optional(answer, "s3:DeleteBucket", &["NoSuchBucket"]).map(|_| ())
}
