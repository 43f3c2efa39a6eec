//! The images' records, as far as `provision` has to do with them.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use catalog::index::to_item;
use catalog::record::Record;
use contract::attribute::{IMAGE_ID, IMAGE_STATUS, THUMBNAILS};

use crate::aws::{Aws, failed, jittered, optional, pauses};
use crate::stack::Names;

/// Keys of one `BatchGetItem`:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>.
const BATCH: usize = 100;

/// How far `process` has come with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Ready with thumbnails, or not to become ready any more.
    Done,
    /// Announced and not checked yet, or ready without thumbnails.
    Undone,
}

/// Of these images, those that have a record. Read consistently: what was done a moment ago is done.
pub async fn standings(aws: &Aws, names: &Names, ids: &[&str]) -> anyhow::Result<BTreeMap<String, Standing>> {
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
        let mut wanted = HashMap::from([(names.table(), keys.build()?)]);
        let mut pauses = pauses();
        loop {
            let get = aws.dynamodb.batch_get_item().set_request_items(Some(wanted));
            let answer = get.send().await.map_err(failed("dynamodb:BatchGetItem"))?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
                let Some(id) = text(IMAGE_ID) else { continue };
                let standing = match text(IMAGE_STATUS).map(String::as_str) {
                    Some("ready") if !item.contains_key(THUMBNAILS) => Standing::Undone,
                    Some("pending") => Standing::Undone,
                    _ => Standing::Done,
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

/// Writes an image's record where there is none, and answers whether it did.
pub async fn put_if_absent(aws: &Aws, names: &Names, record: &Record) -> anyhow::Result<bool> {
    let put = aws
        .dynamodb
        .put_item()
        .table_name(names.table())
        .set_item(Some(to_item(record)))
        .condition_expression("attribute_not_exists(#id)")
        .expression_attribute_names("#id", IMAGE_ID);
    let answer = optional(put.send().await, "dynamodb:PutItem", &["ConditionalCheckFailedException"])?;
    Ok(answer.is_some())
}
