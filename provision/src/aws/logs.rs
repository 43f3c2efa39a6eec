//! CloudWatch Logs: one group a function, and one of the requests to the API, with a retention.

use aws_sdk_cloudwatchlogs::Client;
use jiff::Timestamp;

use super::failure::{failed, optional};
use super::{Aws, tag_changes};
use crate::stack::resource::managed_tags;
use crate::stack::resource::watch::LogGroup;

fn arn(aws: &Aws, name: &str) -> String {
    aws.place.arn("logs", &format!("log-group:{name}"))
}

pub async fn read(aws: &Aws, name: &str) -> anyhow::Result<Option<LogGroup>> {
    let client = &aws.logs;
    let mut token = None;
    let group = loop {
        // The prefix finds longer names too, so there may be pages before the one we mean.
        let page =
            client.describe_log_groups().log_group_name_prefix(name).set_next_token(token).send().await;
        let page = page.map_err(failed("logs:DescribeLogGroups"))?;
        if let Some(group) = page.log_groups().iter().find(|group| group.log_group_name() == Some(name)) {
            break group.clone();
        }
        match page.next_token {
            Some(next) => token = Some(next),
            None => return Ok(None),
        }
    };
    let tags = client.list_tags_for_resource().resource_arn(arn(aws, name)).send().await;
    let Some(tags) = optional(tags, "logs:ListTagsForResource", &["ResourceNotFoundException"])? else {
        return Ok(None);
    };
    let tags = managed_tags(tags.tags.unwrap_or_default());
    Ok(Some(LogGroup { tags, retention: group.retention_in_days() }))
}

pub async fn create(aws: &Aws, name: &str, desired: &LogGroup) -> anyhow::Result<()> {
    let create = aws
        .logs
        .create_log_group()
        .log_group_name(name)
        .set_tags(Some(desired.tags.clone().into_iter().collect()));
    create.send().await.map_err(failed("logs:CreateLogGroup"))?;
    retention(&aws.logs, name, desired).await
}

pub async fn update(aws: &Aws, name: &str, live: &LogGroup, desired: &LogGroup) -> anyhow::Result<()> {
    let client = &aws.logs;
    let (set, unset) = tag_changes(&live.tags, &desired.tags);
    if !set.is_empty() {
        let call =
            client.tag_resource().resource_arn(arn(aws, name)).set_tags(Some(set.into_iter().collect()));
        call.send().await.map_err(failed("logs:TagResource"))?;
    }
    if !unset.is_empty() {
        let call = client.untag_resource().resource_arn(arn(aws, name)).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("logs:UntagResource"))?;
    }
    if live.retention != desired.retention {
        retention(client, name, desired).await?;
    }
    Ok(())
}

async fn retention(client: &Client, name: &str, desired: &LogGroup) -> anyhow::Result<()> {
    match desired.retention {
        Some(days) => client
            .put_retention_policy()
            .log_group_name(name)
            .retention_in_days(days)
            .send()
            .await
            .map(|_| ())
            .map_err(failed("logs:PutRetentionPolicy")),
        None => client
            .delete_retention_policy()
            .log_group_name(name)
            .send()
            .await
            .map(|_| ())
            .map_err(failed("logs:DeleteRetentionPolicy")),
    }
}

pub async fn delete(aws: &Aws, name: &str) -> anyhow::Result<()> {
    let answer = aws.logs.delete_log_group().log_group_name(name).send().await;
    optional(answer, "logs:DeleteLogGroup", &["ResourceNotFoundException"]).map(|_| ())
}

/// One line of a log.
#[derive(Clone, Debug)]
pub struct LogLine {
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    pub text: String,
}

/// Lines of a group from a moment on, in order, and where the next page begins if there is one.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>
pub async fn lines(
    aws: &Aws,
    group: &str,
    from: Timestamp,
    page: Option<String>,
) -> anyhow::Result<(Vec<LogLine>, Option<String>)> {
    let filter = aws.logs.filter_log_events().log_group_name(group);
    let answer = filter.start_time(from.as_millisecond()).set_next_token(page).send().await;
    // A group that is not there yet has no lines either.
    let Some(answer) = optional(answer, "logs:FilterLogEvents", &["ResourceNotFoundException"])? else {
        return Ok((Vec::new(), None));
    };
    let lines = answer.events.unwrap_or_default().into_iter().map(|event| LogLine {
        id: event.event_id.unwrap_or_default(),
        at: Timestamp::from_millisecond(event.timestamp.unwrap_or_default()).unwrap_or_default(),
        text: event.message.unwrap_or_default().trim_end().to_owned(),
    });
    Ok((lines.collect(), answer.next_token))
}
