//! The images' records, as far as `provision` has to do with them.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Select};
use contract::attribute::{IMAGE_ID, IMAGE_STATUS, OWNER, S3_OBJECT_KEY, THUMBNAILS, UPLOAD_ORDER};
use contract::{DELETING_OWNER, index};
use image::item::{self, Value};
use image::moment::rfc3339;
use image::record::Record;
use jiff::{SignedDuration, Timestamp};

use crate::aws::Aws;
use crate::aws::failure::{failed, optional};
use crate::aws::wait::{jittered, pauses};

/// Keys of one `BatchGetItem`:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>.
const BATCH: usize = 100;

/// A deletion that began longer ago than any function runs has broken off.
const BROKEN_OFF: SignedDuration = SignedDuration::from_mins(1);

/// How far `process` has come with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Ready with thumbnails.
    Done,
    /// Announced and not checked yet, ready without thumbnails, or being deleted; or rejected or deleted,
    /// which is at odds with an object that is there.
    Undone,
}

/// How far `process` is with each of these images that has a record. The read is consistent: what was done a moment
/// ago is done.
pub async fn standings(aws: &Aws, table: &str, ids: &[&str]) -> anyhow::Result<BTreeMap<String, Standing>> {
    let mut standings = BTreeMap::new();
    // An empty string is no key, and no key may be asked for twice at once.
    let mut ids: Vec<&str> = ids.iter().copied().filter(|id| !id.is_empty()).collect();
    ids.sort_unstable();
    ids.dedup();
    for ids in ids.chunks(BATCH) {
        let key = |id: &&str| HashMap::from([(IMAGE_ID.to_owned(), AttributeValue::S((*id).to_owned()))]);
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(ids.iter().map(key).collect()))
            .consistent_read(true)
            .projection_expression("#id, #status, #thumbnails")
            .expression_attribute_names("#id", IMAGE_ID)
            .expression_attribute_names("#status", IMAGE_STATUS)
            .expression_attribute_names("#thumbnails", THUMBNAILS);
        let mut wanted = HashMap::from([(table.to_owned(), keys.build()?)]);
        let mut pauses = pauses();
        loop {
            let get = aws.dynamodb.batch_get_item().set_request_items(Some(wanted));
            let answer = get.send().await.map_err(failed("dynamodb:BatchGetItem"))?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
                let Some(id) = text(IMAGE_ID) else { continue };
                let standing = match text(IMAGE_STATUS).map(String::as_str) {
                    Some("ready") if item.contains_key(THUMBNAILS) => Standing::Done,
                    _ => Standing::Undone,
                };
                standings.insert(id.clone(), standing);
            }
            // What DynamoDB had no capacity for is asked for again.
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                break;
            }
            let pause = pauses.next().context("dynamodb:BatchGetItem: the table is throttled")?;
            tokio::time::sleep(jittered(pause)).await;
        }
    }
    Ok(standings)
}

/// A page of the keys of objects whose deletion broke off, and where the next page begins. The object
/// itself may be gone already.
pub async fn page_of_deletions(
    aws: &Aws,
    table: &str,
    start: Option<HashMap<String, AttributeValue>>,
) -> anyhow::Result<(Vec<String>, Option<HashMap<String, AttributeValue>>)> {
    let page = deletions(aws, table).set_exclusive_start_key(start).send().await;
    let page = page.map_err(failed("dynamodb:Query"))?;
    let key = |item: HashMap<String, AttributeValue>| item.get(S3_OBJECT_KEY)?.as_s().ok().cloned();
    let keys = page.items.unwrap_or_default().into_iter().filter_map(key);
    Ok((keys.collect(), page.last_evaluated_key))
}

/// How many deletions broke off, or of very many the first thousands; nothing where that cannot be asked
/// because the index is not there or not ready, or the caller's policy is one of before.
pub(super) async fn count_of_deletions(aws: &Aws, table: &str) -> anyhow::Result<Option<i32>> {
    let count = deletions(aws, table).select(Select::Count).send().await;
    let refusals = &["ResourceNotFoundException", "ValidationException", "AccessDeniedException"];
    Ok(optional(count, "dynamodb:Query", refusals)?.map(|page| page.count))
}

fn deletions(aws: &Aws, table: &str) -> QueryFluentBuilder {
    let before = rfc3339(Timestamp::now() - BROKEN_OFF);
    aws.dynamodb
        .query()
        .table_name(table)
        .index_name(index::OWNER)
        .key_condition_expression("#owner = :nobody AND #order < :before")
        .expression_attribute_names("#owner", OWNER)
        .expression_attribute_names("#order", UPLOAD_ORDER)
        .expression_attribute_values(":nobody", AttributeValue::S(DELETING_OWNER.to_owned()))
        .expression_attribute_values(":before", AttributeValue::S(before))
}

/// Writes an image's record where there is none, and returns whether it did.
pub async fn put_if_absent(aws: &Aws, table: &str, record: &Record) -> anyhow::Result<bool> {
    let put = aws
        .dynamodb
        .put_item()
        .table_name(table)
        .set_item(Some(item(record)))
        .condition_expression("attribute_not_exists(#id)")
        .expression_attribute_names("#id", IMAGE_ID);
    let answer = optional(put.send().await, "dynamodb:PutItem", &["ConditionalCheckFailedException"])?;
    Ok(answer.is_some())
}

fn item(record: &Record) -> HashMap<String, AttributeValue> {
    attributes(item::attributes(record))
}

/// An item of the table, of what has no AWS in it.
pub(super) fn attributes(values: Vec<(&'static str, Value)>) -> HashMap<String, AttributeValue> {
    let attribute = |(name, value): (&str, Value)| match value {
        Value::Text(text) => (name.to_owned(), AttributeValue::S(text)),
        Value::Number(number) => (name.to_owned(), AttributeValue::N(number.to_string())),
    };
    values.into_iter().map(attribute).collect()
}
