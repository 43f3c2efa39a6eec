use keys::name::KeyName;
use keys::scopes::Scopes;
use serde_json::json;

use super::*;
use crate::testing::keyring::TABLE;
use crate::testing::world::World;
use crate::testing::{aws, dynamodb_error, empty_aws};

const NOW: &str = "2026-11-23T04:05:06.789Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn user(sub: &str) -> Owner {
    Owner::user(sub).unwrap()
}

fn key(owner: &str, name: &str, created_at: &str) -> Key {
    let name = KeyName::parse(name).unwrap();
    Key::new(user(owner), name, Scopes::read("read write"), Some(7), at(created_at))
}

fn digest(text: &str) -> Sha256 {
    Sha256::of(text.as_bytes())
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_as_it_is_now() {
    let access = Access::new(&World::default().aws(), TABLE);
    let key = key("alice", "backup", NOW);
    assert_eq!(access.get(&digest("a")).await.unwrap(), None);
    access.put(&digest("a"), &key).await.unwrap();
    assert_eq!(access.get(&digest("a")).await.unwrap(), Some(key.clone()));
    assert_eq!(access.get(&digest("b")).await.unwrap(), None);

    let (aws, calls) = empty_aws();
    let access = Access::new(&aws, TABLE);
    access.get(&digest("a")).await.unwrap();
    access.put(&digest("a"), &key).await.unwrap();
    let [get, put] = <[_; 2]>::try_from(calls.all()).unwrap().map(|call| call.json());
    assert_eq!(get["ConsistentRead"], true);
    assert_eq!(get["Key"], json!({ "Key": { "S": format!("key#{}", digest("a")) } }));
    assert_eq!(
        put["Item"],
        json!({
            "Key": { "S": format!("key#{}", digest("a")) },
            "Owner": { "S": "alice" },
            "CreatedAt": { "S": NOW },
            "ExpiresAt": { "N": "1796011506" },
            "KeyId": { "S": key.key_id.to_string() },
            "Name": { "S": "backup" },
            "Scopes": { "S": "read write" },
        })
    );
}

#[tokio::test]
async fn an_owner_sees_and_deletes_their_own_keys_alone() {
    let world = World::default();
    let access = Access::new(&world.aws(), TABLE);
    let keys = [
        key("alice", "second", "2026-11-23T04:05:07Z"),
        key("alice", "first", "2026-11-23T04:05:06Z"),
        key("bob", "other", NOW),
    ];
    for key in &keys {
        access.put(&digest(key.name.as_str()), key).await.unwrap();
    }
    let names = async |owner: &str| {
        let keys = access.list(&user(owner)).await.unwrap();
        keys.into_iter().map(|key| key.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names("alice").await, names("bob").await),
        (vec!["first".to_owned(), "second".to_owned()], vec!["other".to_owned()])
    );
    assert!(!access.delete(&user("bob"), keys[0].key_id).await.unwrap());
    assert!(access.delete(&user("alice"), keys[0].key_id).await.unwrap());
    assert!(!access.delete(&user("alice"), keys[0].key_id).await.unwrap());
    assert_eq!(names("alice").await, ["first"]);
    assert_eq!(access.get(&digest("second")).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_is_one_query_of_the_index() {
    let (aws, calls) = empty_aws();
    assert!(Access::new(&aws, TABLE).list(&user("alice")).await.unwrap().is_empty());
    assert_eq!(
        calls.all().remove(0).json(),
        json!({
            "TableName": "access",
            "IndexName": "OwnerIndex",
            "KeyConditionExpression": "#owner = :owner",
            "ExpressionAttributeNames": { "#owner": "Owner" },
            "ExpressionAttributeValues": { ":owner": { "S": "alice" } },
        })
    );
}

#[tokio::test]
async fn one_broken_key_hides_no_other_but_is_no_key_itself() {
    let broken = json!({ "Key": { "S": "key#1" }, "KeyId": { "S": "7" }, "Scopes": { "S": "read" } });
    let (aws, _) = aws(move |call| {
        let answer =
            if call.name == "Query" { json!({ "Items": [broken] }) } else { json!({ "Item": broken }) };
        (200, answer.to_string())
    });
    let access = Access::new(&aws, TABLE);
    assert!(access.list(&user("alice")).await.unwrap().is_empty());
    let error = access.get(&digest("a")).await.unwrap_err();
    assert!(matches!(error, Failure::Broken(_)), "{error:?}");
}

#[tokio::test]
async fn a_use_is_noted_once_an_hour_and_of_a_key_that_is_there() {
    let world = World::default();
    let access = Access::new(&world.aws(), TABLE);
    let last_used = async || access.get(&digest("a")).await.unwrap().and_then(|key| key.last_used_at);
    access.touch(&digest("a"), at(NOW)).await.unwrap();
    assert!(world.keys().is_empty(), "a key that was revoked is not back");
    access.put(&digest("a"), &key("alice", "backup", NOW)).await.unwrap();
    for (now, noted) in [
        ("2026-11-23T04:05:06.789Z", "2026-11-23T04:05:06.789Z"),
        ("2026-11-23T05:05:06.788Z", "2026-11-23T04:05:06.789Z"),
        ("2026-11-23T05:05:06.789Z", "2026-11-23T05:05:06.789Z"),
    ] {
        access.touch(&digest("a"), at(now)).await.unwrap();
        assert_eq!(last_used().await, Some(at(noted)), "{now}");
    }
}

/// The function's role is allowed the two, on a condition (`dynamodb:Attributes`): a third would be refused on AWS.
#[tokio::test]
async fn noting_a_use_names_two_attributes_alone() {
    let (aws, calls) = empty_aws();
    Access::new(&aws, TABLE).touch(&digest("a"), at(NOW)).await.unwrap();
    let call = calls.all().remove(0).json();
    assert_eq!(call["ExpressionAttributeNames"], json!({ "#key": "Key", "#used": "LastUsed" }));
    assert_eq!(call["UpdateExpression"], "SET #used = :now");
    assert_eq!(
        call["ConditionExpression"],
        "attribute_exists(#key) AND (attribute_not_exists(#used) OR #used <= :before)"
    );
    assert_eq!(
        call["ExpressionAttributeValues"],
        json!({ ":now": { "S": NOW }, ":before": { "S": "2026-11-23T03:05:06.789Z" } })
    );
    assert_eq!(call.get("ReturnValues"), None);
}

#[tokio::test]
async fn throttling_passes_and_a_missing_right_does_not() {
    for (code, busy) in [("ThrottlingException", true), ("AccessDeniedException", false)] {
        let (aws, _) = aws(move |_| (400, dynamodb_error(code)));
        let access = Access::new(&aws, TABLE);
        let key = key("alice", "backup", NOW);
        let failures = [
            access.get(&digest("a")).await.map(drop).unwrap_err(),
            access.put(&digest("a"), &key).await.unwrap_err(),
            access.list(&user("alice")).await.map(drop).unwrap_err(),
            access.delete(&user("alice"), key.key_id).await.map(drop).unwrap_err(),
            access.touch(&digest("a"), at(NOW)).await.unwrap_err(),
        ];
        for failure in failures {
            assert_eq!(matches!(failure, Failure::Busy(_)), busy, "{failure:?}");
            assert!(!format!("{failure:?}").contains(&digest("a").to_string()));
        }
    }
}
