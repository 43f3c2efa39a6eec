//! Idempotency keys. The first request under a key leaves a claim: what it asked for, and the id and
//! the moment it drew for its image. Whoever comes with the same key and asks for the same makes the
//! same image of it, so requests that are repeated, doubled or cut off anywhere all end in one object
//! and one record. A claim is an item of the table beside the records, with a key that is no UUID.

use std::fmt;

use anyhow::Context;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use contract::{CLAIM_PREFIX, attribute};
use image::digest::Sha256;
use image::item::CREATED_AT;
use image::moment::rfc3339;
use image::owner::Owner;
use image::record::new_image_id;
use jiff::Timestamp;
use uuid::Uuid;

use super::{CLAIM_LIFE, Index, Item, seconds, text};
use crate::aws;
use crate::failure::Failure;

const LONGEST: usize = 255;

/// The id of the image that the key's first request is to make.
const CLAIMED_IMAGE_ID: &str = "ClaimedImageID";
/// SHA-256 of what that request asked for.
const FINGERPRINT: &str = "Fingerprint";

/// A key of an owner, as the table knows it. The key itself is not kept: clients may put anything into it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(Sha256);

/// Why a text is no key, in words for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is 1 to {LONGEST} visible characters of ASCII, without spaces")]
pub struct BadKey;

impl Key {
    pub fn parse(text: &str, owner: &Owner) -> Result<Key, BadKey> {
        if !(1..=LONGEST).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadKey);
        }
        // No text of a key has a line break, so that of somebody is never one of everybody's, which are as they
        // were before there were owners.
        let text = if owner.is_public() { text.to_owned() } else { format!("{owner}\n{text}") };
        Ok(Key(Sha256::of(text.as_bytes())))
    }

    fn partition(self) -> String {
        format!("{CLAIM_PREFIX}{}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// What an image is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub image_id: Uuid,
    pub at: Timestamp,
    pub by: Claimant,
}

/// What claiming a key comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    For(Claim),
    /// The key stands for something else, which was asked for before.
    ForAnotherUpload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimant {
    /// There is no key, and nobody else will ever come for this image.
    Nobody,
    /// This request, as the first with its key.
    ThisRequest,
    /// An earlier request with the same key, or one that runs at the same time.
    AnotherRequest,
}

impl Claim {
    pub fn without_key(now: Timestamp) -> Claim {
        Claim { image_id: new_image_id(now), at: now, by: Claimant::Nobody }
    }
}

impl Index {
    /// Claims a key for what the fingerprint stands for, or finds out who did before.
    pub async fn claim(&self, key: Key, fingerprint: Sha256, now: Timestamp) -> Result<Claimed, Failure> {
        let claim = Claim { by: Claimant::ThisRequest, ..Claim::without_key(now) };
        let text = |text: String| AttributeValue::S(text);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(attribute::IMAGE_ID, text(key.partition()))
            .item(CLAIMED_IMAGE_ID, text(claim.image_id.to_string()))
            .item(FINGERPRINT, text(fingerprint.to_string()))
            .item(CREATED_AT, text(rfc3339(now)))
            .item(attribute::EXPIRES_AT, seconds(now + CLAIM_LIFE))
            // DynamoDB removes what has expired only days later.
            .condition_expression("attribute_not_exists(#id) OR #expires <= :now")
            .expression_attribute_names("#id", attribute::IMAGE_ID)
            .expression_attribute_names("#expires", attribute::EXPIRES_AT)
            .expression_attribute_values(":now", seconds(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(Claimed::For(claim)) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let there = failed.item().context("DynamoDB returned no item");
                let there = there.and_then(|item| read(item, &fingerprint)).context("read claim");
                Ok(match there.map_err(Failure::Broken)? {
                    None => Claimed::ForAnotherUpload,
                    // An attempt of this very call wrote it before its answer got lost.
                    Some(there) if there.image_id == claim.image_id => Claimed::For(claim),
                    Some(there) => Claimed::For(there),
                })
            }
            _ => Err(aws::failure("put claim", error)),
        }
    }
}

/// The claim, if it was made for the same.
fn read(item: &Item, fingerprint: &Sha256) -> anyhow::Result<Option<Claim>> {
    let get = |name: &str| text(item, name).with_context(|| format!("{name} is missing"));
    if get(FINGERPRINT)? != fingerprint.to_string() {
        return Ok(None);
    }
    Ok(Some(Claim {
        image_id: Uuid::try_parse(get(CLAIMED_IMAGE_ID)?).context("read ClaimedImageID")?,
        at: get(CREATED_AT)?.parse().context("read CreatedAt")?,
        by: Claimant::AnotherRequest,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Calls, aws, dynamodb_error, empty_aws, world::World};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn key() -> Key {
        Key::parse("order-7", &Owner::public()).unwrap()
    }

    async fn claim(index: &Index, content: &[u8], now: &str) -> Claim {
        match index.claim(key(), Sha256::of(content), at(now)).await.unwrap() {
            Claimed::For(claim) => claim,
            Claimed::ForAnotherUpload => panic!("it is claimed for another upload"),
        }
    }

    #[test]
    fn a_key_is_short_visible_ascii() {
        for text in ["a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "\"quoted\"", "~!", &"x".repeat(255)] {
            assert!(Key::parse(text, &Owner::public()).is_ok(), "{text}");
        }
        for text in ["", " ", "a b", "a\n", "猫", "\u{7f}", &"x".repeat(256)] {
            assert_eq!(Key::parse(text, &Owner::public()), Err(BadKey), "{text}");
        }
        assert_eq!(format!("{:?}", key()), "Key");
    }

    #[test]
    fn a_key_is_its_owners_own() {
        let owners = [Owner::public(), image::testing::alice(), Owner::user("bob").unwrap()];
        let mut keys: Vec<_> =
            owners.iter().map(|owner| Key::parse("order-7", owner).unwrap().partition()).collect();
        keys.dedup();
        assert_eq!(keys.len(), 3);
    }

    #[tokio::test]
    async fn a_claim_is_an_item_that_no_index_and_no_client_sees() {
        let (aws, calls): (_, Calls) = empty_aws();
        let now = at("2026-11-23T04:05:06.789Z");
        let claim = claim(&Index::new(&aws, "records"), b"abc", "2026-11-23T04:05:06.789Z").await;
        assert_eq!((claim.at, claim.by), (now, Claimant::ThisRequest));
        let call = calls.all().remove(0).json();
        assert_eq!(
            call["Item"],
            json!({
                "ImageID": { "S": format!("idempotency#{}", Sha256::of(b"order-7")) },
                "ClaimedImageID": { "S": claim.image_id.to_string() },
                "Fingerprint": { "S": Sha256::of(b"abc").to_string() },
                "CreatedAt": { "S": "2026-11-23T04:05:06.789Z" },
                "ExpiresAt": { "N": "1795493106" },
            })
        );
        assert_eq!(call["ConditionExpression"], "attribute_not_exists(#id) OR #expires <= :now");
        assert_eq!(call["ExpressionAttributeValues"], json!({ ":now": { "N": "1795406706" } }));
    }

    #[tokio::test]
    async fn the_same_request_finds_the_claim_and_another_one_is_refused_for_a_day() {
        let index = Index::new(&World::default().aws(), "records");
        let first = claim(&index, b"abc", "2026-11-23T04:05:06.789Z").await;
        let second = claim(&index, b"abc", "2026-11-24T04:05:05.999Z").await;
        assert_eq!(second, Claim { by: Claimant::AnotherRequest, ..first });
        let other = index.claim(key(), Sha256::of(b"abd"), at("2026-11-23T04:05:07Z")).await.unwrap();
        assert_eq!(other, Claimed::ForAnotherUpload);
        let third = claim(&index, b"abd", "2026-11-24T04:05:06Z").await;
        assert_eq!(third.by, Claimant::ThisRequest);
        assert_ne!(third.image_id, first.image_id);
    }

    #[tokio::test]
    async fn a_broken_claim_is_our_failure_and_throttling_passes() {
        let broken = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "Item": { "Fingerprint": { "BOOL": true } },
        });
        for (answer, busy) in [(broken.to_string(), false), (dynamodb_error("ThrottlingException"), true)] {
            let (aws, _) = aws(move |_| (400, answer.clone()));
            let now = at("2026-11-23T04:05:06.789Z");
            let error = Index::new(&aws, "records").claim(key(), Sha256::of(b""), now).await.unwrap_err();
            assert_eq!(matches!(error, Failure::Busy(_)), busy, "{error:?}");
        }
    }
}
