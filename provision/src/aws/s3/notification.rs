//! What the bucket starts. A bucket has one list of all its notifications; of those, one is ours, by its
//! id, and others' stay as they are.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>

use anyhow::Context;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, LambdaFunctionConfiguration, NotificationConfiguration,
    NotificationConfigurationFilter, S3KeyFilter,
};

use crate::aws::Aws;
use crate::aws::failure::{failed, optional};
use crate::aws::wait::{NotYet, retry, says};
use crate::stack::resource::storage::Notification;

/// The id of ours.
const ID: &str = "cloudpix-process";
/// S3 asks Lambda whether it may call the function, and the permission was given a moment ago.
const NOT_YET: &[NotYet] = &[
    ("NoSuchBucket", ""),
    ("OperationAborted", ""),
    ("InvalidArgument", "Unable to validate the following destination configurations"),
];
/// What S3 says where two notifications would be about the same object.
const OVERLAPS: NotYet = ("InvalidArgument", "overlap");

pub async fn read(aws: &Aws, bucket: &str) -> anyhow::Result<Option<Notification>> {
    let all = all(&aws.s3, bucket).await?;
    let found = all.and_then(|all| all.lambda_function_configurations);
    Ok(found.unwrap_or_default().into_iter().find(is_ours).map(|found| {
        let rules = found.filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules);
        let rule = |rule: FilterRule| {
            // S3 sends `Prefix` for what was set as `prefix`.
            let name = rule.name.map(|name| name.as_str().to_lowercase());
            (name.unwrap_or_default(), rule.value.unwrap_or_default())
        };
        Notification {
            function: found.lambda_function_arn,
            events: found.events.iter().map(|event| event.as_str().to_owned()).collect(),
            filters: rules.unwrap_or_default().into_iter().map(rule).collect(),
        }
    }))
}

fn is_ours(found: &LambdaFunctionConfiguration) -> bool {
    found.id.as_deref() == Some(ID)
}

async fn all(
    client: &Client,
    bucket: &str,
) -> anyhow::Result<Option<GetBucketNotificationConfigurationOutput>> {
    let answer = client.get_bucket_notification_configuration().bucket(bucket).send().await;
    optional(answer, "s3:GetBucketNotification", &["NoSuchBucket"])
}

/// Puts ours beside others'.
pub async fn put(aws: &Aws, bucket: &str, desired: &Notification) -> anyhow::Result<()> {
    let rule = |(name, value): (&String, &String)| {
        FilterRule::builder().name(FilterRuleName::from(name.as_str())).value(value).build()
    };
    let key = S3KeyFilter::builder().set_filter_rules(Some(desired.filters.iter().map(rule).collect()));
    let ours = LambdaFunctionConfiguration::builder()
        .id(ID)
        .lambda_function_arn(&desired.function)
        .set_events(Some(desired.events.iter().map(|event| Event::from(event.as_str())).collect()))
        .filter(NotificationConfigurationFilter::builder().key(key.build()).build())
        .build()?;
    replace(&aws.s3, bucket, Some(ours)).await
}

pub async fn delete(aws: &Aws, bucket: &str) -> anyhow::Result<()> {
    replace(&aws.s3, bucket, None).await
}

async fn replace(
    client: &Client,
    bucket: &str,
    ours: Option<LambdaFunctionConfiguration>,
) -> anyhow::Result<()> {
    let Some(all) = all(client, bucket).await? else {
        anyhow::ensure!(ours.is_none(), "there is no bucket {bucket}");
        return Ok(());
    };
    let mut functions = all.lambda_function_configurations.unwrap_or_default();
    functions.retain(|found| !is_ours(found));
    // Others' destinations may have gone since; ours does not fail for that.
    let others = !functions.is_empty()
        || all.queue_configurations.as_ref().is_some_and(|found| !found.is_empty())
        || all.topic_configurations.as_ref().is_some_and(|found| !found.is_empty());
    functions.extend(ours);
    let configuration = NotificationConfiguration::builder()
        .set_lambda_function_configurations(Some(functions))
        .set_queue_configurations(all.queue_configurations)
        .set_topic_configurations(all.topic_configurations)
        .set_event_bridge_configuration(all.event_bridge_configuration)
        .build();
    let put = client.put_bucket_notification_configuration().bucket(bucket);
    let put = put.notification_configuration(configuration);
    let put = if others { put.skip_destination_validation(true) } else { put };
    match retry(NOT_YET, async || put.clone().send().await).await {
        Ok(_) => Ok(()),
        Err(error) if says(&error, OVERLAPS) => Err(failed("s3:PutBucketNotification")(error)).with_context(|| {
            format!(
                "another notification of the bucket {bucket} is about new objects under {} too, and S3 takes one; \
                 remove it, or have it send to an SNS topic that both listen to",
                contract::UPLOADS_PREFIX
            )
        }),
        Err(error) => Err(failed("s3:PutBucketNotification")(error)),
    }
}
