//! Keys for programs, as far as `provision` makes and revokes them.

use std::collections::HashMap;

use ::keys::item::{self, partition};
use ::keys::record::Key;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::access;
use image::digest::Sha256;
use image::owner::Owner;

use super::records::attributes;
use crate::aws::Aws;
use crate::aws::failure::{failed, optional};

type Item = HashMap<String, AttributeValue>;

/// Writes a new key. No two have one hash, so the call may be repeated.
pub async fn put_key(aws: &Aws, table: &str, digest: &Sha256, key: &Key) -> anyhow::Result<()> {
    let put = aws.dynamodb.put_item().table_name(table);
    let put = put.set_item(Some(attributes(item::attributes(digest, key)))).send().await;
    put.map(|_| ()).map_err(failed("dynamodb:PutItem"))
}

/// The keys of an owner, oldest first, each behind what the table knows it by. One that cannot be read is there too,
/// since it may have to be revoked: without what it says.
pub async fn keys_of(
    aws: &Aws,
    table: &str,
    owner: &Owner,
) -> anyhow::Result<Vec<(String, anyhow::Result<Key>)>> {
    let pages = aws
        .dynamodb
        .query()
        .table_name(table)
        .index_name(access::OWNER_INDEX)
        .key_condition_expression("#owner = :owner")
        .expression_attribute_names("#owner", access::OWNER)
        .expression_attribute_values(":owner", AttributeValue::S(owner.to_string()))
        .into_paginator()
        .items()
        .send();
    let items = pages.collect::<Result<Vec<Item>, _>>().await.map_err(failed("dynamodb:Query"))?;
    let key = |found: Item| {
        let get = |name: &str| match found.get(name) {
            Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text.as_str()),
            _ => None,
        };
        Some((get(access::KEY)?.to_owned(), item::read(get)))
    };
    Ok(items.into_iter().filter_map(key).collect())
}

/// Revokes a key by what the table knows it by. What is gone stays gone.
pub async fn delete_key(aws: &Aws, table: &str, partition: &str) -> anyhow::Result<()> {
    let key = AttributeValue::S(partition.to_owned());
    let delete = aws.dynamodb.delete_item().table_name(table).key(access::KEY, key).send().await;
    optional(delete, "dynamodb:DeleteItem", super::GONE).map(|_| ())
}

/// What the table knows a key of this hash by.
pub fn name_of(digest: &Sha256) -> String {
    partition(digest)
}
