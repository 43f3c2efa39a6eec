//! Reads records by the page: always one Query of an index, never a Scan.

use anyhow::anyhow;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::{attribute, index};
use image::position::Position;
use image::record::Record;
use image::status::Status;

use super::{Index, Item, from_item, text};
use crate::failure::Failure;
use crate::listing::{Listing, Order, Partition};
use crate::{aws, log};

/// A page is 201 records of at most 2 KB and DynamoDB stops at 1 MB, so one Query does; more are
/// needed only where it stops early for reasons of its own.
const MOST_QUERIES: usize = 10;

/// Records in the order asked for, and where the next page goes on.
#[derive(Debug)]
pub struct Page {
    pub records: Vec<Record>,
    pub next: Option<Position>,
}

impl Index {
    /// Reads a page of a listing, full unless it is the last. One record more than wanted is asked
    /// for, because only that tells whether there is a next page.
    pub async fn page(
        &self,
        listing: &Listing,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page, Failure> {
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
        Err(Failure::Busy(anyhow!("list images: no full page after {MOST_QUERIES} queries")))
    }

    /// One Query: the items, and where DynamoDB stopped before the end. `None` if nothing can match.
    pub(super) async fn query(
        &self,
        listing: &Listing,
        after: Option<Position>,
        limit: usize,
        start: Option<Item>,
    ) -> Result<Option<(Vec<Item>, Option<Item>)>, Failure> {
        let Some(bounds) = listing.bounds(after) else { return Ok(None) };
        let (index_name, key, partition) = match listing.partition() {
            Partition::Day(date) => (index::UPLOAD_DATE, attribute::UPLOAD_DATE, date),
            Partition::Owner(owner) => (index::OWNER, attribute::OWNER, owner),
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
}

fn position(record: &Record) -> Option<Position> {
    match record.status {
        Status::Ready { ready_at, .. } => Some(Position { at: ready_at, image_id: record.image_id }),
        _ => None,
    }
}

/// One record that someone else broke must not hide all others: it is logged and left out.
fn readable(item: &Item) -> Option<Record> {
    let id = text(item, attribute::IMAGE_ID).unwrap_or_default();
    from_item(item).map_err(|error| log::failure(&error.context(format!("read record {id}")))).ok()
}

#[cfg(test)]
mod tests {
    use image::owner::Owner;
    use serde_json::json;

    use super::*;
    use crate::index::tests::wire;
    use crate::listing::Scope;
    use crate::testing::{Call, Calls, aws, dynamodb_error};

    fn everything() -> Listing {
        let scope = Scope::Range { from: None, to: None };
        Listing { owner: Owner::public(), scope, order: Order::NewestFirst }
    }

    fn nth(number: u128) -> Record {
        Record { image_id: uuid::Uuid::from_u128(number), ..image::testing::record() }
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
    async fn a_page_is_one_query_of_the_index_with_computed_bounds() {
        let (index, calls) = table(0, 100);
        let day = Scope::Day(jiff::civil::date(2026, 11, 23));
        let day = Listing { owner: Owner::public(), scope: day, order: Order::OldestFirst };
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
        assert!(matches!(error, Failure::Busy(_)), "{error:?}");
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
            assert_eq!(matches!(error, Failure::Busy(_)), busy, "{code} {error:?}");
        }
    }
}
