//! The table's global secondary indexes and its keys.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_table::builders::UpdateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction,
    GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType,
    TableDescription,
};

use super::{NOT_YET, active};
use crate::aws::failure::failed;
use crate::aws::wait::retry;
use crate::stack::resource::storage::{Index, Table};

pub(super) fn read(table: &TableDescription) -> BTreeMap<String, Index> {
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

pub(super) fn key(schema: &[KeySchemaElement], kind: &KeyType) -> String {
    schema
        .iter()
        .find(|element| element.key_type() == kind)
        .map_or_else(String::new, |key| key.attribute_name.clone())
}

pub(super) fn schema(keys: &[(&str, KeyType)]) -> anyhow::Result<Vec<KeySchemaElement>> {
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
pub(super) fn attributes<'a>(
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

/// DynamoDB makes or deletes one index at a time, and changes none in place. What was under way when the
/// table was read is done by now, so that it is looked at again: an index that was being made is there.
pub(super) async fn update(
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
