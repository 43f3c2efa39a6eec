//! The images' records, in DynamoDB. Here they are put, read and deleted one by one; `arrival` has what happens
//! to one when its object is there, `page` reads them by the page, and `claim` has the claims of idempotency
//! keys, which lie in the same table.

use std::time::Duration;

use anyhow::Context;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use contract::{DELETING_OWNER, attribute};
use image::item::{self, FORMER_OWNER};
use image::owner::Owner;
use image::position::Position;
use image::record::Record;
use image::status::Status;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::aws::{self, Aws, WARM_TIME};
use crate::dynamodb::{self, ATTEMPT, Item, OPERATION, seconds, text};
use crate::failure::Failure;
use crate::listing::{Listing, Order, Scope};

mod arrival;
pub mod claim;
pub mod page;

/// How long an idempotency key is remembered.
const CLAIM_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How long a deleted image's record stays: longer than any claim that was made before it.
const TOMBSTONE_LIFE: SignedDuration = CLAIM_LIFE.saturating_add(SignedDuration::from_hours(1));

#[derive(Clone, Debug)]
pub struct Index {
    client: Client,
    table: String,
}

impl Index {
    pub fn new(aws: &Aws, table: &str) -> Index {
        Index::with_times(aws, table, ATTEMPT, OPERATION)
    }

    /// `attempt` and `operation` bound one try of a call and all of them.
    pub fn with_times(aws: &Aws, table: &str, attempt: Duration, operation: Duration) -> Index {
        Index { client: dynamodb::client(aws, attempt, operation), table: table.to_owned() }
    }

    /// Writes the record of a new image, and returns the other one that was there already, if any.
    pub async fn put(&self, record: &Record) -> Result<Option<Record>, Failure> {
        let item = to_item(record);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", attribute::IMAGE_ID)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => match failed.item() {
                // An attempt of this very call, or another one for the same image, wrote it.
                Some(there) if *there == item => Ok(None),
                there => read(record.image_id, there).map(Some),
            },
            _ => Err(aws::failure(format!("put record {}", record.image_id), error)),
        }
    }

    /// Reads a record as it is now.
    pub async fn get(&self, image_id: Uuid) -> Result<Option<Record>, Failure> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let got = get.key(attribute::IMAGE_ID, key(image_id)).send().await;
        let got = got.map_err(|error| aws::failure(format!("get record {image_id}"), error))?;
        got.item().map(|item| read(image_id, Some(item))).transpose()
    }

    /// Takes an image of this owner that clients can see, or one whose deletion broke off, out of every listing
    /// and every answer, and returns its record. Until that is buried, `OwnerIndex` has it under an owner of
    /// its own, where `provision` finds it.
    pub async fn hide(
        &self,
        image_id: Uuid,
        owner: &Owner,
        now: Timestamp,
    ) -> Result<Option<Record>, Failure> {
        let mut is_owned = "#owner = :owner OR #former = :owner".to_owned();
        if owner.is_public() {
            // Records of before name no owner while they are not ready, and none that they had once they are hidden.
            is_owned += " OR (attribute_not_exists(#former) \
                         AND (attribute_not_exists(#owner) OR #owner = :nobody))";
        }
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(attribute::IMAGE_ID, key(image_id))
            .update_expression(
                "SET #status = :deleting, #owner = :nobody, #former = :owner, #order = :order \
                 REMOVE #date, #expires",
            )
            .condition_expression(format!(
                "attribute_exists(#id) AND #status <> :deleted \
                 AND (attribute_not_exists(#expires) OR #expires > :now) AND ({is_owned})",
            ))
            .expression_attribute_names("#id", attribute::IMAGE_ID)
            .expression_attribute_names("#status", attribute::IMAGE_STATUS)
            .expression_attribute_names("#date", attribute::UPLOAD_DATE)
            .expression_attribute_names("#order", attribute::UPLOAD_ORDER)
            .expression_attribute_names("#owner", attribute::OWNER)
            .expression_attribute_names("#former", FORMER_OWNER)
            .expression_attribute_names("#expires", attribute::EXPIRES_AT)
            .expression_attribute_values(":deleting", status(&Status::Deleting))
            .expression_attribute_values(":deleted", status(&buried(now)))
            .expression_attribute_values(":owner", AttributeValue::S(owner.to_string()))
            .expression_attribute_values(":nobody", AttributeValue::S(DELETING_OWNER.to_owned()))
            .expression_attribute_values(":order", position(image_id, now))
            .expression_attribute_values(":now", seconds(now))
            .return_values(ReturnValue::AllNew);
        match update.send().await {
            Ok(updated) => read(image_id, updated.attributes()).map(Some),
            Err(error) if is_refused(error.as_service_error()) => Ok(None),
            Err(error) => Err(aws::failure(format!("hide record {image_id}"), error)),
        }
    }

    /// Notes that a hidden image's object is gone. The record stays for a while, because whoever
    /// repeats the upload under its idempotency key must not bring the image back.
    pub async fn mark_deleted(&self, record: &Record, now: Timestamp) -> Result<(), Failure> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(attribute::IMAGE_ID, key(record.image_id))
            .update_expression("SET #status = :deleted, #expires = :expires REMOVE #order, #owner")
            .condition_expression("#status = :deleting")
            .expression_attribute_names("#status", attribute::IMAGE_STATUS)
            .expression_attribute_names("#order", attribute::UPLOAD_ORDER)
            .expression_attribute_names("#owner", attribute::OWNER)
            .expression_attribute_names("#expires", attribute::EXPIRES_AT)
            .expression_attribute_values(":deleting", status(&Status::Deleting))
            .expression_attribute_values(":deleted", status(&buried(now)))
            .expression_attribute_values(":expires", seconds(now + TOMBSTONE_LIFE));
        match update.send().await {
            Ok(_) => Ok(()),
            // Somebody else, deleting the same image, was faster.
            Err(error) if is_refused(error.as_service_error()) => Ok(()),
            Err(error) => Err(aws::failure(format!("bury record {}", record.image_id), error)),
        }
    }

    /// Takes back the record of an image that could not be kept; one that is not there is fine.
    pub async fn delete(&self, record: &Record) -> Result<(), Failure> {
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.key(attribute::IMAGE_ID, key(record.image_id)).send().await;
        deleted.map(drop).map_err(|error| aws::failure(format!("delete record {}", record.image_id), error))
    }

    /// Opens the connection that the first upload would wait for.
    pub async fn warm_for_writing(&self) {
        let key = AttributeValue::S("warm".to_owned());
        let get = self.client.get_item().table_name(&self.table).key(attribute::IMAGE_ID, key);
        tokio::time::timeout(WARM_TIME, get.send()).await.ok();
    }

    /// Opens the connection that the first listing would wait for.
    pub async fn warm_for_listing(&self) {
        let scope = Scope::Day(Date::ZERO);
        let listing = Listing { owner: Owner::public(), scope, order: Order::NewestFirst };
        tokio::time::timeout(WARM_TIME, self.query(&listing, None, 1, None)).await.ok();
    }
}

/// The record as an item of the table.
pub fn to_item(record: &Record) -> Item {
    dynamodb::item(item::attributes(record))
}

fn read(image_id: Uuid, item: Option<&Item>) -> Result<Record, Failure> {
    let record = item.context("DynamoDB returned no item").and_then(from_item);
    record.with_context(|| format!("read record {image_id}")).map_err(Failure::Broken)
}

fn from_item(item: &Item) -> anyhow::Result<Record> {
    item::read(|name| text(item, name))
}

fn key(image_id: Uuid) -> AttributeValue {
    AttributeValue::S(image_id.to_string())
}

fn position(image_id: Uuid, at: Timestamp) -> AttributeValue {
    AttributeValue::S(Position { at, image_id }.to_string())
}

fn status(status: &Status) -> AttributeValue {
    AttributeValue::S(status.name().to_owned())
}

fn buried(now: Timestamp) -> Status {
    Status::Deleted { expires_at: now + TOMBSTONE_LIFE }
}

fn is_refused(error: Option<&UpdateItemError>) -> bool {
    matches!(error, Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

#[cfg(test)]
mod tests {
    use image::item::Value;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::world::World;
    use crate::testing::{aws, empty_aws};

    pub(super) fn wire(record: &Record) -> Json {
        let pair = |(name, value): (&str, Value)| match value {
            Value::Text(text) => (name.to_owned(), json!({ "S": text })),
            Value::Number(number) => (name.to_owned(), json!({ "N": number.to_string() })),
        };
        item::attributes(record).into_iter().map(pair).collect::<serde_json::Map<_, _>>().into()
    }

    #[tokio::test]
    async fn a_record_is_put_only_where_none_is() {
        let (aws, calls) = empty_aws();
        Index::new(&aws, "records").put(&image::testing::record()).await.unwrap();
        let call = calls.all().remove(0).json();
        assert_eq!(call["ConditionExpression"], "attribute_not_exists(#id)");
        assert_eq!(call["ExpressionAttributeNames"], json!({ "#id": "ImageID" }));
        assert_eq!(call["Item"], wire(&image::testing::record()));
    }

    #[tokio::test]
    async fn a_record_that_an_earlier_attempt_put_is_put_and_a_foreign_one_is_told() {
        let index = Index::new(&World::default().aws(), "records");
        for _ in 0..2 {
            assert_eq!(index.put(&image::testing::record()).await.unwrap(), None);
        }
        let other = Record { size: 4, ..image::testing::record() };
        assert_eq!(index.put(&other).await.unwrap(), Some(image::testing::record()));
    }

    #[tokio::test]
    async fn a_record_is_read_as_it_is_now() {
        let world = World::default();
        let index = Index::new(&world.aws(), "records");
        assert_eq!(index.get(image::testing::record().image_id).await.unwrap(), None);
        index.put(&image::testing::record()).await.unwrap();
        assert_eq!(
            index.get(image::testing::record().image_id).await.unwrap(),
            Some(image::testing::record())
        );
        let (aws, calls) = empty_aws();
        Index::new(&aws, "records").get(image::testing::record().image_id).await.unwrap();
        let call = calls.all().remove(0).json();
        assert_eq!(call["ConsistentRead"], true);
        assert_eq!(call["Key"], json!({ "ImageID": { "S": image::testing::record().image_id.to_string() } }));
    }

    #[tokio::test]
    async fn a_deleted_record_is_hidden_first_and_buried_later() {
        let world = World::default();
        let index = Index::new(&world.aws(), "records");
        let (now, id) = ("2026-11-23T05:00:00Z".parse().unwrap(), image::testing::record().image_id);
        let owner = &Owner::public();
        assert_eq!(index.hide(id, owner, now).await.unwrap(), None);
        index.put(&image::testing::record()).await.unwrap();
        // Once more, as after a crash.
        for _ in 0..2 {
            let hidden = index.hide(id, owner, now).await.unwrap().unwrap();
            assert_eq!(hidden, Record { status: Status::Deleting, ..image::testing::record() });
            assert!(world.listed().is_empty());
            assert_eq!(world.deleting(), [id.to_string()]);
        }
        for _ in 0..2 {
            index.mark_deleted(&image::testing::record(), now).await.unwrap();
            assert_eq!(index.hide(id, owner, now).await.unwrap(), None);
            assert!(world.listed().is_empty() && world.deleting().is_empty());
        }
        let buried = index.get(id).await.unwrap().unwrap().status;
        assert_eq!(buried, Status::Deleted { expires_at: "2026-11-24T06:00:00Z".parse().unwrap() });
    }

    #[tokio::test]
    async fn only_its_owner_can_hide_a_record_and_go_on_with_that() {
        let world = World::default();
        let index = Index::new(&world.aws(), "records");
        let (now, hers) = ("2026-11-23T05:00:00Z".parse().unwrap(), image::testing::alice());
        let record = Record { owner: hers.clone(), ..image::testing::record() };
        index.put(&record).await.unwrap();
        let others = [Owner::public(), Owner::user("bob").unwrap()];
        for _ in 0..2 {
            for other in &others {
                assert_eq!(index.hide(record.image_id, other, now).await.unwrap(), None);
            }
            let hidden = index.hide(record.image_id, &hers, now).await.unwrap().unwrap();
            assert_eq!(hidden, Record { status: Status::Deleting, ..record.clone() });
        }
        index.mark_deleted(&record, now).await.unwrap();
        assert_eq!(index.get(record.image_id).await.unwrap().unwrap().owner, hers);
    }

    #[tokio::test]
    async fn a_record_of_before_is_hidden_by_everybody() {
        let (aws, calls) = empty_aws();
        let (now, id) = ("2026-11-23T05:00:00Z".parse().unwrap(), image::testing::record().image_id);
        Index::new(&aws, "records").hide(id, &Owner::public(), now).await.ok();
        let condition = calls.all().remove(0).json()["ConditionExpression"].take();
        let (_, is_owned) = condition.as_str().unwrap().split_once("#expires > :now) AND ").unwrap();
        assert_eq!(
            is_owned,
            "(#owner = :owner OR #former = :owner OR (attribute_not_exists(#former) \
             AND (attribute_not_exists(#owner) OR #owner = :nobody)))"
        );
    }

    #[tokio::test]
    async fn what_hides_and_buries_a_record_is_conditional() {
        let (aws, calls) =
            aws(|_| (200, json!({ "Attributes": wire(&image::testing::record()) }).to_string()));
        let index = Index::new(&aws, "records");
        let now = "2026-11-23T05:00:00Z".parse().unwrap();
        index.hide(image::testing::record().image_id, &image::testing::alice(), now).await.unwrap();
        index.mark_deleted(&image::testing::record(), now).await.unwrap();
        let [hide, bury] = <[_; 2]>::try_from(calls.all()).unwrap().map(|call| call.json());
        assert_eq!(
            hide["ConditionExpression"],
            "attribute_exists(#id) AND #status <> :deleted AND (attribute_not_exists(#expires) OR #expires > :now) \
             AND (#owner = :owner OR #former = :owner)"
        );
        assert_eq!(
            hide["UpdateExpression"],
            "SET #status = :deleting, #owner = :nobody, #former = :owner, #order = :order REMOVE #date, #expires"
        );
        assert_eq!(hide["ExpressionAttributeValues"][":nobody"], json!({ "S": "#deleting" }));
        let order = json!({ "S": format!("2026-11-23T05:00:00.000Z#{}", image::testing::record().image_id) });
        assert_eq!(hide["ExpressionAttributeValues"][":order"], order);
        assert_eq!(hide["ReturnValues"], "ALL_NEW");
        assert_eq!(
            hide["ExpressionAttributeNames"],
            json!({
                "#id": "ImageID",
                "#status": "ImageStatus",
                "#date": "UploadDate",
                "#order": "UploadOrder",
                "#owner": "Owner",
                "#former": "FormerOwner",
                "#expires": "ExpiresAt",
            })
        );
        assert_eq!(
            bury["UpdateExpression"],
            "SET #status = :deleted, #expires = :expires REMOVE #order, #owner"
        );
        assert_eq!(bury["ConditionExpression"], "#status = :deleting");
        assert_eq!(bury["ExpressionAttributeValues"][":expires"], json!({ "N": "1795500000" }));
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_our_failure() {
        let (aws, _) = aws(|_| (200, json!({ "Item": { "ImageID": { "S": "?" } } }).to_string()));
        let error = Index::new(&aws, "records").get(image::testing::record().image_id).await.unwrap_err();
        assert!(matches!(error, Failure::Broken(_)), "{error:?}");
    }
}
