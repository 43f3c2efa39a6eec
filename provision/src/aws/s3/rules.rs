//! The bucket's rules: which web pages may ask it, and what it deletes by itself. A bucket may carry rules of others,
//! which stay as they are; ours are known by their ids.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, CorsConfiguration, CorsRule as AwsCorsRule,
    ExpirationStatus, LifecycleExpiration, LifecycleRule as AwsLifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration,
};

use super::NOT_YET;
use crate::aws::failure::{failed, optional};
use crate::aws::wait::retry;
use crate::stack::resource::storage::{CorsRule, LifecycleRule};

/// How the ids of our rules begin.
const OURS: &str = "cloudpix-";

async fn all_cors(client: &Client, name: &str) -> anyhow::Result<Vec<AwsCorsRule>> {
    let answer = client.get_bucket_cors().bucket(name).send().await;
    let answer = optional(answer, "s3:GetBucketCORS", &["NoSuchCORSConfiguration"])?;
    Ok(answer.and_then(|answer| answer.cors_rules).unwrap_or_default())
}

pub(super) async fn read_cors(client: &Client, name: &str) -> anyhow::Result<Vec<CorsRule>> {
    let ours = all_cors(client, name).await?.into_iter().filter(|rule| is_ours(rule.id()));
    let rule = |rule: AwsCorsRule| CorsRule {
        origins: rule.allowed_origins,
        methods: rule.allowed_methods,
        headers: rule.allowed_headers.unwrap_or_default(),
        exposed: rule.expose_headers.unwrap_or_default(),
        max_age: rule.max_age_seconds.unwrap_or_default(),
    };
    Ok(ours.map(rule).collect())
}

async fn all_lifecycle(client: &Client, name: &str) -> anyhow::Result<Vec<AwsLifecycleRule>> {
    let answer = client.get_bucket_lifecycle_configuration().bucket(name).send().await;
    let answer = optional(answer, "s3:GetLifecycleConfiguration", &["NoSuchLifecycleConfiguration"])?;
    Ok(answer.and_then(|answer| answer.rules).unwrap_or_default())
}

pub(super) async fn read_lifecycle(client: &Client, name: &str) -> anyhow::Result<Vec<LifecycleRule>> {
    let rules = all_lifecycle(client, name).await?.into_iter();
    let ours = rules.filter(|rule| is_ours(rule.id()) && rule.status == ExpirationStatus::Enabled);
    let rule = |rule: AwsLifecycleRule| LifecycleRule {
        id: rule.id.unwrap_or_default(),
        abort_multipart_days: rule
            .abort_incomplete_multipart_upload
            .and_then(|abort| abort.days_after_initiation),
        noncurrent_days: rule.noncurrent_version_expiration.and_then(|old| old.noncurrent_days),
        expired_delete_markers: rule.expiration.and_then(|end| end.expired_object_delete_marker)
            == Some(true),
    };
    Ok(ours.map(rule).collect())
}

fn is_ours(id: Option<&str>) -> bool {
    id.is_some_and(|id| id.starts_with(OURS))
}

/// Ours come first, because S3 takes the first rule that fits.
pub(super) async fn put_cors(client: &Client, name: &str, rules: &[CorsRule]) -> anyhow::Result<()> {
    let theirs = all_cors(client, name).await?.into_iter().filter(|rule| !is_ours(rule.id()));
    let rule = |(number, rule): (usize, &CorsRule)| {
        AwsCorsRule::builder()
            .id(format!("{OURS}{number}"))
            .set_allowed_origins(Some(rule.origins.clone()))
            .set_allowed_methods(Some(rule.methods.clone()))
            .set_allowed_headers(Some(rule.headers.clone()))
            .set_expose_headers(Some(rule.exposed.clone()))
            .max_age_seconds(rule.max_age)
            .build()
    };
    let mut rules = rules.iter().enumerate().map(rule).collect::<Result<Vec<_>, _>>()?;
    rules.extend(theirs);
    let configuration = CorsConfiguration::builder().set_cors_rules(Some(rules)).build()?;
    let put = client.put_bucket_cors().bucket(name).cors_configuration(configuration);
    retry(NOT_YET, async || put.clone().send().await).await.map(|_| ()).map_err(failed("s3:PutBucketCORS"))
}

pub(super) async fn put_lifecycle(
    client: &Client,
    name: &str,
    rules: &[LifecycleRule],
) -> anyhow::Result<()> {
    let theirs = all_lifecycle(client, name).await?.into_iter().filter(|rule| !is_ours(rule.id()));
    let rule = |rule: &LifecycleRule| {
        let abort = |days| AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build();
        let noncurrent = |days| NoncurrentVersionExpiration::builder().noncurrent_days(days).build();
        let markers = || LifecycleExpiration::builder().expired_object_delete_marker(true).build();
        AwsLifecycleRule::builder()
            .id(&rule.id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .set_abort_incomplete_multipart_upload(rule.abort_multipart_days.map(abort))
            .set_noncurrent_version_expiration(rule.noncurrent_days.map(noncurrent))
            .set_expiration(rule.expired_delete_markers.then(markers))
            .build()
    };
    let mut rules = rules.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    rules.extend(theirs);
    let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build()?;
    let put = client.put_bucket_lifecycle_configuration().bucket(name).lifecycle_configuration(configuration);
    let answer = retry(NOT_YET, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("s3:PutLifecycleConfiguration"))
}
