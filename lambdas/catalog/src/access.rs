//! Keys for programs, in the table of keys and users. An item has the hash of a key, so a key is found by what a
//! request bears, and nobody finds one by reading the table.

use anyhow::Context;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::access::{KEY, LAST_USED, OWNER, OWNER_INDEX};
use image::digest::Sha256;
use image::moment::rfc3339;
use image::owner::Owner;
use jiff::Timestamp;
use keys::item::{self, KEY_ID, partition};
use keys::record::{Key, USE_NOTED_EVERY};
use uuid::Uuid;

use crate::aws::{self, Aws, WARM_TIME};
use crate::dynamodb::{self, ATTEMPT, Item, OPERATION, text};
use crate::failure::Failure;
use crate::log;

#[derive(Clone, Debug)]
pub struct Access {
    client: Client,
    table: String,
}

impl Access {
    pub fn new(aws: &Aws, table: &str) -> Access {
        Access { client: dynamodb::client(aws, ATTEMPT, OPERATION), table: table.to_owned() }
    }

    /// Writes a new key. Two keys never have one hash, so the call may be repeated.
    pub async fn put(&self, digest: &Sha256, key: &Key) -> Result<(), Failure> {
        let item = dynamodb::item(item::attributes(digest, key));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        put.map(drop).map_err(|error| aws::failure(format!("put key {}", key.key_id), error))
    }

    /// Finds the key with this hash as it is now: one that has been revoked is not found.
    pub async fn get(&self, digest: &Sha256) -> Result<Option<Key>, Failure> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let got = get.key(KEY, AttributeValue::S(partition(digest))).send().await;
        let got = got.map_err(|error| aws::failure("get key", error))?;
        let key = got.item().map(read).transpose();
        key.context("read key").map_err(Failure::Broken)
    }

    /// The keys of an owner, oldest first, those too that have expired and that DynamoDB has not removed yet. The
    /// index follows the table within moments, and for as long a new key may be missing and a revoked one there.
    pub async fn list(&self, owner: &Owner) -> Result<Vec<Key>, Failure> {
        let found = self.find(owner).await?;
        // One that somebody else broke must not hide all others: it is logged and left out.
        let readable = |item: &Item| {
            let id = text(item, KEY_ID).unwrap_or_default();
            read(item).map_err(|error| log::failure(&error.context(format!("read key {id}")))).ok()
        };
        Ok(found.iter().filter_map(readable).collect())
    }

    /// All items of an owner's keys. They are few, so that one page of a megabyte has them all.
    async fn find(&self, owner: &Owner) -> Result<Vec<Item>, Failure> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(OWNER_INDEX)
            .key_condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":owner", AttributeValue::S(owner.to_string()));
        let found = query.send().await.map_err(|error| aws::failure("query keys", error))?;
        Ok(found.items.unwrap_or_default())
    }

    /// Deletes a key by its id, and tells whether this owner had it, as far as the index knows.
    pub async fn delete(&self, owner: &Owner, key_id: Uuid) -> Result<bool, Failure> {
        let key_id = key_id.to_string();
        let items = self.find(owner).await?;
        let found = items.iter().find(|item| text(item, KEY_ID) == Some(&key_id));
        let Some(partition) = found.and_then(|item| text(item, KEY)) else { return Ok(false) };
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.key(KEY, AttributeValue::S(partition.to_owned())).send().await;
        deleted.map_err(|error| aws::failure(format!("delete key {key_id}"), error))?;
        Ok(true)
    }

    /// Notes that a key is being used, at most once an hour, and never brings back one that was revoked meanwhile.
    ///
    /// It names no attribute beyond the two that the function's role is allowed to.
    pub async fn touch(&self, digest: &Sha256, now: Timestamp) -> Result<(), Failure> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, AttributeValue::S(partition(digest)))
            .update_expression("SET #used = :now")
            .condition_expression(
                "attribute_exists(#key) AND (attribute_not_exists(#used) OR #used <= :before)",
            )
            .expression_attribute_names("#key", KEY)
            .expression_attribute_names("#used", LAST_USED)
            .expression_attribute_values(":now", AttributeValue::S(rfc3339(now)))
            .expression_attribute_values(":before", AttributeValue::S(rfc3339(now - USE_NOTED_EVERY)));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_refused(error.as_service_error()) => Ok(()),
            Err(error) => Err(aws::failure("note the use of a key", error)),
        }
    }

    /// Opens the connection that the first request would wait for.
    pub async fn warm(&self) {
        let key = AttributeValue::S("warm".to_owned());
        let get = self.client.get_item().table_name(&self.table).key(KEY, key);
        tokio::time::timeout(WARM_TIME, get.send()).await.ok();
    }
}

fn read(item: &Item) -> anyhow::Result<Key> {
    item::read(|name| text(item, name))
}

fn is_refused(error: Option<&UpdateItemError>) -> bool {
    matches!(error, Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

#[cfg(test)]
mod tests;
