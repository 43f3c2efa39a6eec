//! The images' records, in DynamoDB. Reads of many are always one Query of an index, never a Scan.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::anyhow;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use contract::{attribute, index};
use jiff::civil::Date;

use crate::answer::Reject;
use crate::aws::{self, Aws, WARM_TIME};
use crate::listing::{Listing, Order, Partition, Scope};
use crate::log;
use crate::record::{Position, Record, Status, Value};

const ATTEMPT: Duration = Duration::from_millis(1200);
const OPERATION: Duration = Duration::from_secs(2);

/// A page is 201 records of at most 2 KB and DynamoDB stops at 1 MB, so one Query does; more are
/// needed only where it stops early for reasons of its own.
const MOST_QUERIES: usize = 10;

type Item = HashMap<String, AttributeValue>;

#[derive(Clone, Debug)]
pub struct Index {
    client: Client,
    table: String,
}

/// Records in the order asked for, and where the next page goes on.
#[derive(Debug)]
pub struct Page {
    pub records: Vec<Record>,
    pub next: Option<Position>,
}

impl Index {
    pub fn new(aws: &Aws, table: &str) -> Index {
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(aws.region.clone()))
            .credentials_provider(aws.credentials.clone())
            .http_client(aws.http.clone())
            .retry_config(Aws::retries())
            .timeout_config(Aws::timeouts(ATTEMPT, OPERATION));
        if let Some(endpoint) = &aws.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Index { client: Client::from_conf(config.build()), table: table.to_owned() }
    }

    /// Writes the record of a new image.
    pub async fn put(&self, record: &Record) -> Result<(), Reject> {
        let item = to_item(record);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", attribute::IMAGE_ID)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(()),
            // An attempt of this very call wrote it before its answer got lost.
            Err(error) if already_there(error.as_service_error(), &item) => Ok(()),
            Err(error) => Err(aws::failure(format!("put record {}", record.image_id), error)),
        }
    }

    /// Deletes an image's record; one that is not there is fine.
    pub async fn delete(&self, record: &Record) -> Result<(), Reject> {
        let id = record.image_id.to_string();
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.key(attribute::IMAGE_ID, AttributeValue::S(id.clone())).send().await;
        deleted.map(drop).map_err(|error| aws::failure(format!("delete record {id}"), error))
    }

    /// Reads a page of a listing, full unless it is the last. One record more than wanted is asked
    /// for, because only that tells whether there is a next page.
    pub async fn page(
        &self,
        listing: &Listing,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page, Reject> {
        let mut records = Vec::with_capacity(limit + 1);
        let mut start = None;
        for _ in 0..MOST_QUERIES {
            let wanted = limit + 1 - records.len();
            let Some((items, rest)) = self.query(listing, after, wanted, start.take()).await? else {
                return Ok(Page { records, next: None });
            };
            records.extend(items.iter().filter_map(readable));
            if records.len() > limit {
                records.truncate(limit);
                let next = records.last().and_then(position);
                return Ok(Page { records, next });
            }
            if rest.is_none() {
                return Ok(Page { records, next: None });
            }
            start = rest;
        }
        Err(Reject::Busy(anyhow!("list images: no full page after {MOST_QUERIES} queries")))
    }

    /// One Query: the items, and where DynamoDB stopped before the end. Nothing if nothing can match.
    async fn query(
        &self,
        listing: &Listing,
        after: Option<Position>,
        limit: usize,
        start: Option<Item>,
    ) -> Result<Option<(Vec<Item>, Option<Item>)>, Reject> {
        let Some(bounds) = listing.bounds(after) else { return Ok(None) };
        let (index_name, key, partition) = match listing.partition() {
            Partition::Day(date) => (index::UPLOAD_DATE, attribute::UPLOAD_DATE, date),
            Partition::Owner(owner) => (index::OWNER, attribute::OWNER, owner.to_owned()),
        };
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index_name)
            .key_condition_expression("#partition = :partition AND #order BETWEEN :low AND :high")
            .expression_attribute_names("#partition", key)
            .expression_attribute_names("#order", attribute::UPLOAD_ORDER)
            .expression_attribute_values(":partition", AttributeValue::S(partition))
            .expression_attribute_values(":low", AttributeValue::S(bounds.low))
            .expression_attribute_values(":high", AttributeValue::S(bounds.high))
            .scan_index_forward(listing.order == Order::OldestFirst)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let found = query.send().await.map_err(|error| aws::failure("query images", error))?;
        Ok(Some((found.items.unwrap_or_default(), found.last_evaluated_key)))
    }

    /// Opens the connection that the first upload would wait for.
    pub async fn warm_for_writing(&self) {
        let key = AttributeValue::S("warm".to_owned());
        let get = self.client.get_item().table_name(&self.table).key(attribute::IMAGE_ID, key);
        tokio::time::timeout(WARM_TIME, get.send()).await.ok();
    }

    /// Opens the connection that the first listing would wait for.
    pub async fn warm_for_listing(&self) {
        let listing = Listing { scope: Scope::Day(Date::ZERO), order: Order::NewestFirst };
        tokio::time::timeout(WARM_TIME, self.query(&listing, None, 1, None)).await.ok();
    }
}

fn position(record: &Record) -> Option<Position> {
    match record.status {
        Status::Pending { .. } => None,
        Status::Ready { ready_at, .. } => Some(Position { at: ready_at, image_id: record.image_id }),
    }
}

fn to_item(record: &Record) -> Item {
    let value = |value| match value {
        Value::Text(text) => AttributeValue::S(text),
        Value::Number(number) => AttributeValue::N(number.to_string()),
    };
    record.attributes().into_iter().map(|(name, content)| (name.to_owned(), value(content))).collect()
}

/// One record that someone else broke must not hide all others: it is logged and left out.
fn readable(item: &Item) -> Option<Record> {
    let text = |name: &str| match item.get(name)? {
        AttributeValue::S(text) | AttributeValue::N(text) => Some(text.as_str()),
        _ => None,
    };
    let id = text(attribute::IMAGE_ID).unwrap_or_default();
    Record::from_attributes(text)
        .map_err(|error| log::failure("", &error.context(format!("read record {id}"))))
        .ok()
}

fn already_there(error: Option<&PutItemError>, item: &Item) -> bool {
    match error {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => failed.item() == Some(item),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{self, Call, Calls, aws, dynamodb_error, empty_aws};

    fn everything() -> Listing {
        Listing { scope: Scope::Range { from: None, to: None }, order: Order::NewestFirst }
    }

    fn wire(record: &Record) -> Json {
        let pair = |(name, value): (&str, Value)| match value {
            Value::Text(text) => (name.to_owned(), json!({ "S": text })),
            Value::Number(number) => (name.to_owned(), json!({ "N": number.to_string() })),
        };
        record.attributes().into_iter().map(pair).collect::<serde_json::Map<_, _>>().into()
    }

    fn nth(number: u128) -> Record {
        Record { image_id: uuid::Uuid::from_u128(number), ..testing::record() }
    }

    /// A table of records 1 to `total`, newest first, that gives at most `most` in one answer.
    fn table(total: u128, most: usize) -> (Index, Calls) {
        let (aws, calls) = aws(move |call: &Call| {
            let asked = call.json();
            let start = asked["ExclusiveStartKey"]["ImageID"]["S"].as_str().map(|id| id.parse().unwrap());
            let start = start.map_or(total, |id: uuid::Uuid| id.as_u128() - 1);
            let limit = usize::try_from(asked["Limit"].as_u64().unwrap()).unwrap().min(most);
            let items: Vec<_> = (1..=start).rev().take(limit).map(|number| wire(&nth(number))).collect();
            let mut answer = json!({ "Items": items });
            if let Some(last) = items.last().filter(|_| items.len() == limit) {
                answer["LastEvaluatedKey"] = json!({ "ImageID": last["ImageID"] });
            }
            (200, answer.to_string())
        });
        (Index::new(&aws, "records"), calls)
    }

    #[tokio::test]
    async fn a_record_is_put_only_where_none_is() {
        let (aws, calls) = empty_aws();
        Index::new(&aws, "records").put(&testing::record()).await.unwrap();
        let call = calls.all().remove(0).json();
        assert_eq!(call["ConditionExpression"], "attribute_not_exists(#id)");
        assert_eq!(call["ExpressionAttributeNames"], json!({ "#id": "ImageID" }));
        assert_eq!(call["Item"], wire(&testing::record()));
    }

    #[tokio::test]
    async fn a_record_that_an_earlier_attempt_put_is_put_and_a_foreign_one_is_an_error() {
        let refusal = |there: Record| {
            let body = json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed",
                "Item": wire(&there),
            });
            aws(move |_| (400, body.to_string())).0
        };
        Index::new(&refusal(testing::record()), "records").put(&testing::record()).await.unwrap();
        let foreign = Record { size: 4, ..testing::record() };
        let error = Index::new(&refusal(foreign), "records").put(&testing::record()).await.unwrap_err();
        assert!(matches!(error, Reject::Internal(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_page_is_one_query_of_the_index_with_computed_bounds() {
        let (index, calls) = table(0, 100);
        let day = Listing { scope: Scope::Day(jiff::civil::date(2026, 11, 23)), order: Order::OldestFirst };
        for listing in [&day, &everything()] {
            index.page(listing, None, 50).await.unwrap();
        }
        let [first, second] = <[Call; 2]>::try_from(calls.all()).unwrap().map(|call| call.json());
        assert_eq!(
            first,
            json!({
                "TableName": "records",
                "IndexName": "UploadDateIndex",
                "Limit": 51,
                "ScanIndexForward": true,
                "KeyConditionExpression": "#partition = :partition AND #order BETWEEN :low AND :high",
                "ExpressionAttributeNames": { "#partition": "UploadDate", "#order": "UploadOrder" },
                "ExpressionAttributeValues": {
                    ":partition": { "S": "2026-11-23" }, ":low": { "S": "!" }, ":high": { "S": "~" }
                },
            })
        );
        assert_eq!(second["IndexName"], "OwnerIndex");
        assert_eq!(second["ScanIndexForward"], false);
        assert_eq!(second["ExpressionAttributeNames"]["#partition"], "Owner");
        assert_eq!(second["ExpressionAttributeValues"][":partition"], json!({ "S": "public" }));
    }

    #[tokio::test]
    async fn a_page_is_full_even_if_dynamodb_stops_early() {
        for (total, most, limit, expected, more, queries) in [
            (10, 100, 10, 10, false, 1),
            (11, 100, 10, 10, true, 1),
            (11, 4, 10, 10, true, 3),
            (10, 5, 10, 10, false, 3),
            (3, 100, 10, 3, false, 1),
            (0, 100, 10, 0, false, 1),
        ] {
            let (index, calls) = table(total, most);
            let page = index.page(&everything(), None, limit).await.unwrap();
            assert_eq!(page.records.len(), expected, "{total} {most}");
            assert_eq!(calls.all().len(), queries, "{total} {most}");
            let next = page.next.map(|position| position.image_id.as_u128());
            assert_eq!(next, more.then(|| total - limit as u128 + 1));
        }
    }

    #[tokio::test]
    async fn a_table_that_never_ends_is_given_up() {
        let (index, calls) = table(1000, 1);
        let error = index.page(&everything(), None, 50).await.unwrap_err();
        assert!(matches!(error, Reject::Busy(_)), "{error:?}");
        assert_eq!(calls.all().len(), MOST_QUERIES);
    }

    #[tokio::test]
    async fn one_broken_record_hides_no_other() {
        let good = wire(&nth(1));
        let (aws, _) = aws(move |_| {
            let broken = json!({ "ImageID": { "S": "?" }, "FileName": { "BOOL": true } });
            (200, json!({ "Items": [broken, good] }).to_string())
        });
        let page = Index::new(&aws, "records").page(&everything(), None, 50).await.unwrap();
        assert_eq!(page.records, [nth(1)]);
    }

    #[tokio::test]
    async fn throttling_passes_and_a_missing_table_does_not() {
        for (status, code, busy) in [
            (400, "ProvisionedThroughputExceededException", true),
            (400, "ThrottlingException", true),
            (400, "RequestLimitExceeded", true),
            (500, "InternalServerError", true),
            (400, "ResourceNotFoundException", false),
            (400, "AccessDeniedException", false),
            (400, "ValidationException", false),
        ] {
            let (aws, _) = aws(move |_| (status, dynamodb_error(code)));
            let error = Index::new(&aws, "records").page(&everything(), None, 50).await.unwrap_err();
            assert_eq!(matches!(error, Reject::Busy(_)), busy, "{code} {error:?}");
        }
    }
}
