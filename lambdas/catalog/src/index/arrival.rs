//! What becomes of a record once its image's object is there, or turns out not to be. Events come at
//! least once and in any order, so each write is on a condition that only the first one meets.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use contract::attribute;
use image::facts::Derived;
use image::item::{SHA256, derived_attributes};
use image::record::Record;

use super::{Index, is_refused, key, status, to_item};
use crate::aws;
use crate::dynamodb::value;
use crate::failure::Failure;

impl Index {
    /// Writes a record over the pending one of its image. `false` if there is none any more.
    pub async fn replace_pending(&self, record: &Record) -> Result<bool, Failure> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(record)))
            .condition_expression("#status = :pending")
            .expression_attribute_names("#status", attribute::IMAGE_STATUS)
            .expression_attribute_values(":pending", AttributeValue::S("pending".to_owned()));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(aws::failure(format!("settle record {}", record.image_id), error)),
            },
        }
    }

    /// Writes a record over another one of its image, which must still be of that status and of those
    /// bytes. `false` if it is not.
    pub async fn replace(&self, record: &Record, there: &Record) -> Result<bool, Failure> {
        let item = to_item(record);
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .expression_attribute_names("#status", attribute::IMAGE_STATUS)
            .expression_attribute_names("#sha256", SHA256)
            .expression_attribute_values(":status", status(&there.status))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        put = match there.sha256 {
            Some(sha256) => put
                .condition_expression("#status = :status AND #sha256 = :sha256")
                .expression_attribute_values(":sha256", AttributeValue::S(sha256.to_string())),
            None => put.condition_expression("#status = :status AND attribute_not_exists(#sha256)"),
        };
        let Err(error) = put.send().await else { return Ok(true) };
        match error.as_service_error() {
            // An attempt of this very call may have written it.
            Some(PutItemError::ConditionalCheckFailedException(failed)) => Ok(failed.item() == Some(&item)),
            _ => Err(aws::failure(format!("replace record {}", record.image_id), error)),
        }
    }

    /// Notes what was made of a ready image. `false` if it is not ready any more, or of other bytes by now.
    pub async fn add_derived(&self, record: &Record, derived: &Derived) -> Result<bool, Failure> {
        let attributes = derived_attributes(derived);
        let placed = attributes.iter().enumerate();
        let sets: Vec<_> = placed.clone().map(|(place, _)| format!("#{place} = :{place}")).collect();
        let mut names: HashMap<_, _> =
            placed.map(|(place, (name, _))| (format!("#{place}"), (*name).to_owned())).collect();
        names.insert("#status".to_owned(), attribute::IMAGE_STATUS.to_owned());
        names.insert("#sha256".to_owned(), SHA256.to_owned());
        let mut values: HashMap<_, _> = attributes
            .into_iter()
            .enumerate()
            .map(|(place, (_, v))| (format!(":{place}"), value(v)))
            .collect();
        values.insert(":ready".to_owned(), AttributeValue::S("ready".to_owned()));
        let same_bytes = match record.sha256 {
            Some(sha256) => {
                values.insert(":sha256".to_owned(), AttributeValue::S(sha256.to_string()));
                "#sha256 = :sha256"
            }
            None => "attribute_not_exists(#sha256)",
        };
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(attribute::IMAGE_ID, key(record.image_id))
            .update_expression(format!("SET {}", sets.join(", ")))
            .condition_expression(format!("#status = :ready AND {same_bytes}"))
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused(error.as_service_error()) => Ok(false),
            Err(error) => Err(aws::failure(format!("note what was made of {}", record.image_id), error)),
        }
    }

    /// Takes back the record of a ready image that has no object. `false` if it is another one by now.
    pub async fn delete_unchanged(&self, record: &Record) -> Result<bool, Failure> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(attribute::IMAGE_ID, key(record.image_id))
            .condition_expression("#status = :status AND attribute_not_exists(#thumbnails)")
            .expression_attribute_names("#status", attribute::IMAGE_STATUS)
            .expression_attribute_names("#thumbnails", attribute::THUMBNAILS)
            .expression_attribute_values(":status", status(&record.status));
        match delete.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(aws::failure(format!("forget record {}", record.image_id), error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use image::digest::Sha256;
    use serde_json::json;

    use super::*;
    use crate::testing::empty_aws;
    use crate::testing::world::World;

    #[tokio::test]
    async fn a_record_is_replaced_only_while_it_is_of_the_bytes_that_were_looked_at() {
        let world = World::default();
        let index = Index::new(&world.aws(), "records");
        let (old, newer) = (image::testing::record(), Record { size: 4, ..image::testing::record() });
        let new = Record { sha256: Some(Sha256::of(b"abcd")), ..newer };
        assert!(!index.replace(&new, &old).await.unwrap(), "there is none");
        index.put(&old).await.unwrap();
        // Once more, as after an answer that got lost.
        for _ in 0..2 {
            assert!(index.replace(&new, &old).await.unwrap());
        }
        let late = Record { sha256: Some(Sha256::of(b"late")), ..old.clone() };
        assert!(!index.replace(&late, &old).await.unwrap());
        assert_eq!(index.get(old.image_id).await.unwrap(), Some(new));
    }

    #[tokio::test]
    async fn what_was_made_of_other_bytes_is_not_noted() {
        let world = World::default();
        let index = Index::new(&world.aws(), "records");
        let old = image::testing::record();
        index.put(&old).await.unwrap();
        let new = Record { sha256: Some(Sha256::of(b"abcd")), ..old.clone() };
        assert!(index.replace(&new, &old).await.unwrap());
        assert!(!index.add_derived(&old, &Derived::default()).await.unwrap());
        assert!(index.add_derived(&new, &Derived::default()).await.unwrap());
    }

    #[tokio::test]
    async fn what_replaces_a_record_is_conditional() {
        let (aws, calls) = empty_aws();
        let index = Index::new(&aws, "records");
        let (record, bare) = (image::testing::record(), Record { sha256: None, ..image::testing::record() });
        index.replace(&record, &record).await.unwrap();
        index.replace(&record, &bare).await.unwrap();
        let [whole, bare] = <[_; 2]>::try_from(calls.all()).unwrap().map(|call| call.json());
        assert_eq!(whole["ConditionExpression"], "#status = :status AND #sha256 = :sha256");
        assert_eq!(whole["ExpressionAttributeValues"][":status"], json!({ "S": "ready" }));
        assert_eq!(bare["ConditionExpression"], "#status = :status AND attribute_not_exists(#sha256)");
        assert_eq!(bare["ExpressionAttributeValues"], json!({ ":status": { "S": "ready" } }));
        for call in [whole, bare] {
            let names = json!({ "#status": "ImageStatus", "#sha256": "Sha256" });
            assert_eq!(call["ExpressionAttributeNames"], names);
        }
    }
}
