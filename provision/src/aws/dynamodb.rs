//! DynamoDB: the table of metadata with its global secondary indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::Context;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ErrorMetadata, ProvideErrorMetadata};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::update_table::UpdateTableError;
use aws_sdk_dynamodb::operation::update_table::builders::UpdateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction,
    GlobalSecondaryIndex, GlobalSecondaryIndexUpdate, IndexStatus, KeySchemaElement, KeyType,
    PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, Projection, ProjectionType,
    ScalarAttributeType, TableDescription, TableStatus, Tag, TimeToLiveSpecification, TimeToLiveStatus,
};

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

use super::{Aws, NotYet, failed, optional, retry, tag_changes, wait, wait_longer};
use crate::stack::resource::managed_tags;
use crate::stack::resource::storage::{Index, Table};

mod records;

pub use records::{Standing, page_of_deletions, put_if_absent, standings};

const GONE: &[&str] = &["ResourceNotFoundException"];
const NOT_YET: &[NotYet] = &[
    ("ResourceInUseException", ""),
    ("ContinuousBackupsUnavailableException", ""),
    // Not every LimitExceededException: a full quota of tables does not pass by waiting.
    ("LimitExceededException", "simultaneously"),
];

/// The SDK takes a full quota of tables for a throttle, and would try for a minute what cannot pass.
#[derive(Debug)]
struct QuotaIsFinal;

impl ClassifyRetry for QuotaIsFinal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.and_then(|error| error.as_operation_error());
        let metadata = error.and_then(|error| {
            let create = error.downcast_ref::<CreateTableError>().map(ProvideErrorMetadata::meta);
            create.or_else(|| error.downcast_ref::<UpdateTableError>().map(ProvideErrorMetadata::meta))
        });
        let passes = |error: &ErrorMetadata| {
            error.code() != Some(NOT_YET[2].0) || error.message().unwrap_or_default().contains(NOT_YET[2].1)
        };
        if metadata.is_none_or(passes) { RetryAction::NoActionIndicated } else { RetryAction::RetryForbidden }
    }

    fn name(&self) -> &'static str {
        "a full quota is final"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

pub(super) fn client(config: &SdkConfig) -> Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config).retry_classifier(QuotaIsFinal);
    Client::from_conf(config.build())
}

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
        partition_key: key(table.key_schema(), &KeyType::Hash),
        billing: billing.unwrap_or(&BillingMode::Provisioned).as_str().to_owned(),
        indexes: indexes(&table),
        ttl: ttl.and_then(|ttl| ttl.attribute_name),
        point_in_time_recovery: recovery == Some(PointInTimeRecoveryStatus::Enabled),
        deletion_protection: table.deletion_protection_enabled() == Some(true),
    }))
}

fn indexes(table: &TableDescription) -> BTreeMap<String, Index> {
    let indexes = table.global_secondary_indexes().iter().filter_map(|index| {
        let projection = index.projection().and_then(Projection::projection_type);
        let name = index.index_name()?.to_owned();
        let index = Index {
            partition_key: key(index.key_schema(), &KeyType::Hash),
            sort_key: key(index.key_schema(), &KeyType::Range),
            projection: projection.map_or_else(String::new, |projection| projection.as_str().to_owned()),
            status: index.index_status().map_or_else(String::new, |status| status.as_str().to_owned()),
        };
        Some((name, index))
    });
    indexes.collect()
}

fn key(schema: &[KeySchemaElement], kind: &KeyType) -> String {
    schema
        .iter()
        .find(|element| element.key_type() == kind)
        .map_or_else(String::new, |key| key.attribute_name.clone())
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

fn schema(keys: &[(&str, KeyType)]) -> anyhow::Result<Vec<KeySchemaElement>> {
    let element = |(name, kind): &(&str, KeyType)| {
        KeySchemaElement::builder()
            .attribute_name(*name)
            .key_type(kind.clone())
            .build()
            .context("build a key")
    };
    keys.iter().map(element).collect()
}

/// Every attribute that is a key of the table or of one of these indexes, each a string. DynamoDB refuses
/// those that are a key of nothing.
fn attributes<'a>(
    partition_key: &'a String,
    indexes: impl Iterator<Item = &'a Index>,
) -> anyhow::Result<Vec<AttributeDefinition>> {
    let indexes = indexes.flat_map(|index| [&index.partition_key, &index.sort_key]);
    let names: BTreeSet<&String> = indexes.chain([partition_key]).collect();
    let definition = |name: &String| {
        let definition =
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        definition.build().context("build an attribute")
    };
    names.into_iter().map(definition).collect()
}

pub async fn create(aws: &Aws, name: &str, desired: &Table, progress: impl Fn(String)) -> anyhow::Result<()> {
    let client = &aws.dynamodb;
    let index = |(name, index): (&String, &Index)| {
        let keys = [(index.partition_key.as_str(), KeyType::Hash), (&index.sort_key, KeyType::Range)];
        let projection =
            Projection::builder().projection_type(ProjectionType::from(index.projection.as_str()));
        let index = GlobalSecondaryIndex::builder().index_name(name).set_key_schema(Some(schema(&keys)?));
        index.projection(projection.build()).build().context("build an index")
    };
    let indexes = desired.indexes.iter().map(index).collect::<anyhow::Result<Vec<_>>>()?;
    let create = client
        .create_table()
        .table_name(name)
        .set_attribute_definitions(Some(attributes(&desired.partition_key, desired.indexes.values())?))
        .set_key_schema(Some(schema(&[(&desired.partition_key, KeyType::Hash)])?))
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
        update_indexes(client, name, desired, &progress).await?;
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

/// DynamoDB makes or deletes one index at a time, and changes none in place. What was under way when the
/// table was read is done by now, so that it is looked at again: an index that was being made is there.
async fn update_indexes(
    client: &Client,
    name: &str,
    desired: &Table,
    progress: &impl Fn(String),
) -> anyhow::Result<()> {
    let change = async |update: UpdateTableFluentBuilder, change: GlobalSecondaryIndexUpdate| {
        let update = update.global_secondary_index_updates(change);
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        answer.map_err(failed("dynamodb:UpdateTable"))?;
        active(client, name, progress).await
    };
    let mut live = active(client, name, progress).await?;
    let wrong = live.iter().filter(|(name, index)| desired.indexes.get(*name) != Some(index));
    for index_name in wrong.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
        let delete = DeleteGlobalSecondaryIndexAction::builder().index_name(index_name).build()?;
        let delete = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
        live = change(client.update_table().table_name(name), delete).await?;
    }
    for (index_name, index) in &desired.indexes {
        if live.contains_key(index_name) {
            continue;
        }
        let keys = [(index.partition_key.as_str(), KeyType::Hash), (&index.sort_key, KeyType::Range)];
        let projection = ProjectionType::from(index.projection.as_str());
        let create = CreateGlobalSecondaryIndexAction::builder()
            .index_name(index_name)
            .set_key_schema(Some(schema(&keys)?))
            .projection(Projection::builder().projection_type(projection).build())
            .build()?;
        let create = GlobalSecondaryIndexUpdate::builder().create(create).build();
        let attributes = attributes(&desired.partition_key, live.values().chain([index]))?;
        let update = client.update_table().table_name(name).set_attribute_definitions(Some(attributes));
        live = change(update, create).await?;
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

/// Waits until the table and all its indexes are active, and answers these.
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
        let indexes = indexes(&table);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_key_of_something_is_an_attribute() {
        let index = |partition_key: &str| Index {
            partition_key: partition_key.to_owned(),
            sort_key: "UploadOrder".to_owned(),
            projection: "ALL".to_owned(),
            status: "ACTIVE".to_owned(),
        };
        let names = |indexes: &[Index]| {
            let attributes = attributes(&"ImageID".to_owned(), indexes.iter()).unwrap();
            attributes.into_iter().map(|attribute| attribute.attribute_name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["ImageID"]);
        assert_eq!(names(&[index("Owner")]), ["ImageID", "Owner", "UploadOrder"]);
    }
}
