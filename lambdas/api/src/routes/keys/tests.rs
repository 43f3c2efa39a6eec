//! Keys as their owners see them, and what the table then holds.

use catalog::testing::world::{Break, World};
use contract::Auth;
use keys::secret::Secret;
use serde_json::{Value, json};

use crate::service::Service;
use crate::testing::{ask, service};

const NOW: &str = "2026-11-23T04:05:06.789Z";

fn over(world: &World) -> Service {
    Service { auth: Auth::Users, ..service(&world.aws(), "*") }
}

/// The status, the body of the answer, and the line that is logged.
async fn send(service: &Service, owner: &str, now: &str, event: Value) -> (u16, Value, Value) {
    let usual = json!({
        "requestContext": {
            "path": "/v1/keys",
            "authorizer": { "owner": owner, "by": "user", "scopes": "read write delete shares keys" },
        },
    });
    let (status, answer, body, line) = ask(service, now, usual, &event).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    (status, body, line)
}

fn made(name: &str, days: Option<u16>) -> Value {
    let body = json!({ "name": name, "scopes": ["write", "read"], "expiresInDays": days });
    json!({ "httpMethod": "POST", "resource": "/keys", "body": body.to_string() })
}

fn listed() -> Value {
    json!({ "httpMethod": "GET", "resource": "/keys" })
}

fn revoked(key_id: &str) -> Value {
    json!({ "httpMethod": "DELETE", "resource": "/keys/{keyId}", "pathParameters": { "keyId": key_id } })
}

async fn names(service: &Service, owner: &str, now: &str) -> Vec<String> {
    let (status, list, _) = send(service, owner, now, listed()).await;
    assert_eq!(status, 200);
    let keys = list["keys"].as_array().unwrap();
    assert_eq!(list["count"], keys.len());
    keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_is_seen_once_and_kept_as_a_hash() {
    let world = World::default();
    let service = over(&world);
    let (status, mut key, line) = send(&service, "alice", NOW, made("バックアップ", Some(7))).await;
    assert_eq!(status, 201);
    let secret = key["key"].take();
    let text = secret.as_str().unwrap();
    let digest = Secret::parse(text).unwrap().digest();
    let key_id = key["keyId"].as_str().unwrap().to_owned();
    let mut expected = json!({
        "key": null,
        "keyId": key_id,
        "name": "バックアップ",
        "scopes": ["read", "write"],
        "createdAt": NOW,
        "expiresAt": "2026-11-30T04:05:06.000Z",
    });
    assert_eq!(key, expected);
    let kept = world.keys();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["Key"]["S"], format!("key#{digest}"));
    assert_eq!(kept[0]["Owner"]["S"], "alice");
    for told in [json!(kept), line] {
        assert!(!told.to_string().contains(&text[4..]), "{told}");
    }
    let (_, list, line) = send(&service, "alice", NOW, listed()).await;
    expected.as_object_mut().unwrap().remove("key");
    assert_eq!(list, json!({ "keys": [expected], "count": 1 }));
    assert_eq!(line["route"], "GET /keys");
}

#[tokio::test]
async fn a_key_is_its_owners_and_gone_when_it_is_revoked() {
    let world = World::default();
    let service = over(&world);
    let (_, key, _) = send(&service, "alice", NOW, made("a", None)).await;
    send(&service, "bob", NOW, made("b", None)).await;
    assert_eq!(key.get("expiresAt"), None);
    let key_id = key["keyId"].as_str().unwrap();
    assert_eq!(names(&service, "alice", NOW).await, ["a"]);
    let (status, problem, _) = send(&service, "bob", NOW, revoked(key_id)).await;
    assert_eq!((status, &problem["detail"]), (404, &json!("there is no such key")));
    for other in ["", "7", &key_id.to_uppercase(), &format!("urn:uuid:{key_id}")] {
        assert_eq!(send(&service, "alice", NOW, revoked(other)).await.0, 404, "{other}");
    }
    assert_eq!(world.keys().len(), 2);
    let (status, _, line) = send(&service, "alice", NOW, revoked(key_id)).await;
    assert_eq!((status, &line["route"]), (204, &json!("DELETE /keys/{keyId}")));
    assert_eq!(names(&service, "alice", NOW).await, [""; 0]);
    assert_eq!(names(&service, "bob", NOW).await, ["b"]);
    assert_eq!(send(&service, "alice", NOW, revoked(key_id)).await.0, 404);
}

#[tokio::test]
async fn an_owner_has_fifty_keys_at_most_and_expired_ones_do_not_count() {
    let service = over(&World::default());
    assert_eq!(send(&service, "alice", NOW, made("short", Some(1))).await.0, 201);
    for number in 1..50 {
        assert_eq!(send(&service, "alice", NOW, made(&number.to_string(), None)).await.0, 201);
    }
    let (status, problem, _) = send(&service, "alice", NOW, made("more", None)).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:cloudpix:problem:conflict")));
    assert_eq!(send(&service, "bob", NOW, made("other", None)).await.0, 201);
    let tomorrow = "2026-11-24T04:05:06.789Z";
    assert_eq!(names(&service, "alice", tomorrow).await.len(), 49);
    assert_eq!(send(&service, "alice", tomorrow, made("more", None)).await.0, 201);
}

#[tokio::test]
async fn where_nobody_signs_in_there_are_no_keys() {
    for auth in [Auth::ApiKey, Auth::None] {
        let world = World::default();
        let service = Service { auth, ..over(&world) };
        let key_id = "019aaf2c-0000-7000-8000-00000000000f";
        for event in [made("a", None), listed(), revoked(key_id)] {
            let (status, problem, _) = send(&service, "alice", NOW, event).await;
            assert_eq!((status, &problem["type"]), (404, &json!("urn:cloudpix:problem:not-found")));
        }
        assert!(world.calls().is_empty());
    }
}

#[tokio::test]
async fn a_key_that_could_not_be_kept_is_not_told() {
    for at in 0..2 {
        let world = World::default();
        world.breaks(Some(Break { at, takes_effect: false }));
        let (status, problem, line) = send(&over(&world), "alice", NOW, made("a", None)).await;
        assert_eq!((status, problem.get("key")), (500, None));
        assert!(!line.to_string().contains("cpx_") && world.keys().is_empty());
    }
}
