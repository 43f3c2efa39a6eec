//! DynamoDB: the table of metadata with its global secondary indexes.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, IndexStatus, KeyType, PointInTimeRecoverySpecification,
    PointInTimeRecoveryStatus, Projection, ProjectionType, TableDescription, TableStatus, Tag,
    TimeToLiveSpecification, TimeToLiveStatus,
};

use super::failure::{failed, optional};
use super::wait::{NotYet, retry, wait, wait_longer};
use super::{Aws, tag_changes};
use crate::stack::resource::managed_tags;
use crate::stack::resource::storage::{Index, Table};

mod indexes;
mod keys;
pub mod quota;
mod records;

pub use keys::{delete_key, keys_of, name_of, put_key};
pub use records::{Standing, page_of_deletions, put_if_absent, standings};

const GONE: &[&str] = &["ResourceNotFoundException"];
const NOT_YET: &[NotYet] = &[
    ("ResourceInUseException", ""),
    ("ContinuousBackupsUnavailableException", ""),
    // Not every LimitExceededException: a full quota of tables does not pass by waiting.
    ("LimitExceededException", "simultaneously"),
];

/// The states of the table and its indexes, how many deletions broke off, and whether all is well.
pub async fn health(aws: &Aws, name: &str) -> anyhow::Result<Option<(String, bool)>> {
    let Some(table) = describe(&aws.dynamodb, name).await? else { return Ok(None) };
    let state = table.table_status().map_or("unknown", TableStatus::as_str);
    let waiting = table
        .global_secondary_indexes()
        .iter()
        .filter(|index| index.index_status() != Some(&IndexStatus::Active));
    let waiting: Vec<&str> = waiting.filter_map(|index| index.index_name()).collect();
    let well = table.table_status() == Some(&TableStatus::Active) && waiting.is_empty();
    let indexes =
        if waiting.is_empty() { String::new() } else { format!(", not yet: {}", waiting.join(", ")) };
    // DynamoDB counts anew about every six hours.
    let records = table.item_count().unwrap_or_default();
    let deletions = match records::count_of_deletions(aws, name).await?.unwrap_or_default() {
        0 => String::new(),
        1 => ", 1 deletion that broke off; finish it: provision backfill".to_owned(),
        many => format!(", {many} deletions that broke off; finish them: provision backfill"),
    };
    let well = well && deletions.is_empty();
    Ok(Some((format!("{state}, about {records} records{indexes}{deletions}"), well)))
}

pub async fn read(aws: &Aws, name: &str) -> anyhow::Result<Option<Table>> {
    let client = &aws.dynamodb;
    let Some(table) = describe(client, name).await? else { return Ok(None) };
    let arn = table.table_arn().context("dynamodb:DescribeTable answered no ARN")?;
    let (tags, ttl, backups) = tokio::try_join!(
        async {
            let tags = client.list_tags_of_resource().resource_arn(arn).send().await;
            tags.map_err(failed("dynamodb:ListTagsOfResource"))
        },
        async {
            let ttl = client.describe_time_to_live().table_name(name).send().await;
            ttl.map_err(failed("dynamodb:DescribeTimeToLive"))
        },
        async {
            let backups = client.describe_continuous_backups().table_name(name).send().await;
            backups.map_err(failed("dynamodb:DescribeContinuousBackups"))
        },
    )?;
    let ttl = ttl.time_to_live_description.filter(|ttl| {
        matches!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
    });
    let recovery = backups
        .continuous_backups_description
        .and_then(|backups| backups.point_in_time_recovery_description)
        .and_then(|recovery| recovery.point_in_time_recovery_status);
    let billing = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    Ok(Some(Table {
        tags: managed_tags(tags.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value))),
        partition_key: indexes::key(table.key_schema(), &KeyType::Hash),
        billing: billing.unwrap_or(&BillingMode::Provisioned).as_str().to_owned(),
        indexes: indexes::read(&table),
        ttl: ttl.and_then(|ttl| ttl.attribute_name),
        point_in_time_recovery: recovery == Some(PointInTimeRecoveryStatus::Enabled),
        deletion_protection: table.deletion_protection_enabled() == Some(true),
    }))
}

async fn describe(client: &Client, name: &str) -> anyhow::Result<Option<TableDescription>> {
    let table = client.describe_table().table_name(name).send().await;
    let table = optional(table, "dynamodb:DescribeTable", GONE)?.and_then(|answer| answer.table);
    Ok(table.filter(|table| table.table_status() != Some(&TableStatus::Deleting)))
}

fn tags(tags: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().context("build a tag");
    tags.into_iter().map(tag).collect()
}

pub async fn create(aws: &Aws, name: &str, desired: &Table, progress: impl Fn(String)) -> anyhow::Result<()> {
    let client = &aws.dynamodb;
    let index = |(name, index): (&String, &Index)| {
        let keys = [(index.partition_key.as_str(), KeyType::Hash), (&index.sort_key, KeyType::Range)];
        let projection =
            Projection::builder().projection_type(ProjectionType::from(index.projection.as_str()));
        let index =
            GlobalSecondaryIndex::builder().index_name(name).set_key_schema(Some(indexes::schema(&keys)?));
        index.projection(projection.build()).build().context("build an index")
    };
    let indexes = desired.indexes.iter().map(index).collect::<anyhow::Result<Vec<_>>>()?;
    let create = client
        .create_table()
        .table_name(name)
        .set_attribute_definitions(Some(indexes::attributes(
            &desired.partition_key,
            desired.indexes.values(),
        )?))
        .set_key_schema(Some(indexes::schema(&[(&desired.partition_key, KeyType::Hash)])?))
        .set_global_secondary_indexes(Some(indexes))
        .billing_mode(BillingMode::from(desired.billing.as_str()))
        .deletion_protection_enabled(desired.deletion_protection)
        .set_tags(Some(tags(desired.tags.clone())?));
    // "In use" also means that a table of this name is still being deleted.
    let answer =
        retry(&[("ResourceInUseException", "deleted"), NOT_YET[2]], async || create.clone().send().await)
            .await;
    answer.map_err(failed("dynamodb:CreateTable"))?;
    let bare = Table { ttl: None, point_in_time_recovery: false, ..desired.clone() };
    update(aws, name, &bare, desired, progress).await
}

pub async fn update(
    aws: &Aws,
    name: &str,
    live: &Table,
    desired: &Table,
    progress: impl Fn(String),
) -> anyhow::Result<()> {
    let client = &aws.dynamodb;
    active(client, name, &progress).await?;
    let (set, unset) = tag_changes(&live.tags, &desired.tags);
    let arn = aws.place.arn("dynamodb", &format!("table/{name}"));
    if !set.is_empty() {
        let call = client.tag_resource().resource_arn(&arn).set_tags(Some(tags(set)?));
        call.send().await.map_err(failed("dynamodb:TagResource"))?;
    }
    if !unset.is_empty() {
        let call = client.untag_resource().resource_arn(&arn).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("dynamodb:UntagResource"))?;
    }
    if live.billing != desired.billing || live.deletion_protection != desired.deletion_protection {
        let billing = (live.billing != desired.billing).then(|| BillingMode::from(desired.billing.as_str()));
        let protection =
            (live.deletion_protection != desired.deletion_protection).then_some(desired.deletion_protection);
        let update = client.update_table().table_name(name);
        let update = update.set_billing_mode(billing).set_deletion_protection_enabled(protection);
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        answer.map_err(failed("dynamodb:UpdateTable"))?;
        active(client, name, &progress).await?;
    }
    if live.indexes != desired.indexes {
        indexes::update(client, name, desired, &progress).await?;
    }
    if live.ttl != desired.ttl {
        update_ttl(client, name, live, desired).await?;
    }
    if live.point_in_time_recovery != desired.point_in_time_recovery {
        let on = desired.point_in_time_recovery;
        let recovery =
            PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(on).build()?;
        let update = client
            .update_continuous_backups()
            .table_name(name)
            .point_in_time_recovery_specification(recovery);
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        answer.map_err(failed("dynamodb:UpdateContinuousBackups"))?;
    }
    Ok(())
}

async fn update_ttl(client: &Client, name: &str, live: &Table, desired: &Table) -> anyhow::Result<()> {
    // One attribute must be off before another is on.
    let changes = live.ttl.iter().map(|attribute| (attribute, false));
    for (attribute, on) in changes.chain(desired.ttl.iter().map(|attribute| (attribute, true))) {
        let ttl = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on).build()?;
        let update = client.update_time_to_live().table_name(name).time_to_live_specification(ttl);
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        answer.map_err(failed("dynamodb:UpdateTimeToLive"))?;
    }
    Ok(())
}

/// How long a new index of a large table may take.
const MINUTES: u16 = 30;

/// Waits until the table and all its indexes are active, and returns the indexes.
async fn active(
    client: &Client,
    name: &str,
    progress: &impl Fn(String),
) -> anyhow::Result<BTreeMap<String, Index>> {
    let (begin, mut said) = (Instant::now(), (String::new(), 0));
    wait_longer(&format!("the table {name}"), MINUTES, async || {
        let Some(table) = describe(client, name).await? else { return Ok(None) };
        let mut waiting = Vec::new();
        if table.table_status() != Some(&TableStatus::Active) {
            waiting.push(format!(
                "the table is {}",
                table.table_status().map_or("unknown", TableStatus::as_str)
            ));
        }
        let indexes = indexes::read(&table);
        let slow = indexes.iter().filter(|(_, index)| index.status != IndexStatus::Active.as_str());
        waiting.extend(slow.map(|(name, index)| format!("the index {name} is {}", index.status)));
        if waiting.is_empty() {
            return Ok(Some(indexes));
        }
        // Said when it changes, and every half minute.
        let (now, seconds) = (waiting.join(", "), begin.elapsed().as_secs());
        if now != said.0 || seconds >= said.1 + 30 {
            progress(format!("{now}, for {seconds} s"));
            said = (now, seconds);
        }
        Ok(None)
    })
    .await
}

pub async fn delete(aws: &Aws, name: &str, live: &Table) -> anyhow::Result<()> {
    let client = &aws.dynamodb;
    if live.deletion_protection {
        let update = client.update_table().table_name(name).deletion_protection_enabled(false);
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        optional(answer, "dynamodb:UpdateTable", GONE)?;
    }
    let delete = client.delete_table().table_name(name);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "dynamodb:DeleteTable", GONE)?;
    wait(&format!("the deletion of the table {name}"), async || {
        let table = client.describe_table().table_name(name).send().await;
        let table = optional(table, "dynamodb:DescribeTable", GONE)?;
        Ok(table.is_none().then_some(()))
    })
    .await
}
