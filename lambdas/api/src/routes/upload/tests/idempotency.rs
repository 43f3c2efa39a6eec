//! Uploads that are repeated, doubled or cut off.

use catalog::aws::Aws;
use catalog::testing::world::{Break, World};
use catalog::testing::{Calls, aws, dynamodb_error};
use serde_json::{Value, json};

use super::{over, pixel, send_at};

const NOW: &str = "2026-11-23T04:05:06.789Z";
const LATER: &str = "2026-11-23T04:05:09.000Z";

fn keyed(mut event: Value) -> Value {
    event["headers"] = json!({ "content-type": "application/json", "idempotency-KEY": "order-7" });
    event
}

fn announced(size: u32) -> Value {
    let body = json!({ "fileName": "a.png", "contentType": "image/png", "size": size });
    keyed(json!({ "body": body.to_string() }))
}

async fn send(world: &World, now: &str, event: &Value) -> (u16, Value) {
    let (status, _, body, _) = send_at(&over(&world.aws()), now, event).await;
    (status, body)
}

fn unlinked(mut image: Value) -> Value {
    image["downloadUrl"].take();
    image["downloadUrlExpiresAt"].take();
    image
}

#[tokio::test]
async fn the_same_key_and_image_give_the_same_image_and_store_nothing_twice() {
    let world = World::default();
    let (status, first) = send(&world, NOW, &keyed(pixel())).await;
    assert_eq!((status, &first["uploadedAt"]), (201, &json!(NOW)));
    assert_eq!(world.calls(), ["PutItem", "PUT object", "PutItem"]);
    world.breaks(None);
    let (status, second) = send(&world, LATER, &keyed(pixel())).await;
    assert_eq!((status, unlinked(second)), (201, unlinked(first)));
    assert_eq!(world.calls(), ["PutItem", "GetItem"]);
    assert_eq!((world.objects().len(), world.records().len()), (1, 1));
}

#[tokio::test]
async fn another_image_under_the_same_key_is_refused_and_so_is_a_bad_key() {
    let world = World::default();
    send(&world, NOW, &keyed(pixel())).await;
    for other in
        [announced(70), keyed(json!({ "body": pixel()["body"].as_str().unwrap().replace('猫', "犬") }))]
    {
        let (status, problem) = send(&world, LATER, &other).await;
        assert_eq!(
            problem,
            json!({
                "type": "urn:cloudpix:problem:conflict",
                "title": "Conflict",
                "status": status,
                "detail": "the key was used for another upload",
                "field": "Idempotency-Key",
            })
        );
        assert_eq!(status, 409);
    }
    let bad = json!({ "headers": { "Idempotency-Key": "" }, "body": pixel()["body"] });
    let (status, problem) = send(&world, LATER, &bad).await;
    assert_eq!((status, &problem["field"]), (400, &json!("Idempotency-Key")));
    assert_eq!((world.objects().len(), world.records().len()), (1, 1));
}

#[tokio::test]
async fn a_key_is_free_again_after_a_day_and_after_a_refusal() {
    let world = World::default();
    let text = keyed(json!({ "body": "{\"fileName\":\"a\",\"data\":\"YWJj\"}" }));
    assert_eq!(send(&world, NOW, &text).await.0, 415);
    assert_eq!(send(&world, NOW, &keyed(pixel())).await.0, 201);
    assert_eq!(send(&world, "2026-11-24T04:05:05Z", &announced(7)).await.0, 409);
    assert_eq!(send(&world, "2026-11-24T04:05:06Z", &announced(7)).await.0, 201);
}

/// Wherever the first request breaks off, with or without the last call taking effect, the second
/// ends in one object and one record.
#[tokio::test]
async fn a_request_that_broke_off_anywhere_is_completed_by_its_repetition() {
    for event in [keyed(pixel()), announced(70)] {
        for at in 0..3 {
            for takes_effect in [false, true] {
                let world = World::default();
                world.breaks(Some(Break { at, takes_effect }));
                let (broken, _) = send(&world, NOW, &event).await;
                world.breaks(None);
                let (status, image) = send(&world, LATER, &event).await;
                let case = format!("{at} {takes_effect} {broken} {image}");
                assert_eq!(status, 201, "{case}");
                let id = image["imageId"].as_str().unwrap();
                assert_eq!(world.records().into_keys().collect::<Vec<_>>(), [id], "{case}");
                let began = if (at, takes_effect) == (0, false) { LATER } else { NOW };
                assert_eq!(world.records()[id]["CreatedAt"]["S"], began, "{case}");
                let stored: Vec<_> = world.objects().into_keys().collect();
                let expected = (image["status"] == "ready").then(|| format!("uploads/{id}.png"));
                assert_eq!(stored, Vec::from_iter(expected), "{case}");
                assert_eq!(unlinked(send(&world, LATER, &event).await.1), unlinked(image), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn doubled_requests_end_in_one_image_and_neither_takes_back_the_other() {
    let world = World::default();
    let upload = over(&world.aws());
    let event = keyed(pixel());
    let (first, second) = tokio::join!(send_at(&upload, NOW, &event), send_at(&upload, LATER, &event));
    assert_eq!((first.0, second.0), (201, 201));
    assert_eq!(unlinked(first.2), unlinked(second.2));
    // They took turns, so both wrote both, after the second had found a claim and no record.
    let calls = world.calls();
    let count = |name: &str| calls.iter().filter(|call| *call == name).count();
    assert_eq!(["PutItem", "GetItem", "PUT object"].map(count), [4, 1, 2], "{calls:?}");
    assert_eq!((world.objects().len(), world.records().len()), (1, 1));
}

/// An AWS that refuses to put a record, and says so with this.
fn refusing_records(answer: impl Fn(Value) -> String + Send + Sync + 'static) -> (Aws, Calls) {
    aws(move |call| {
        let item = call.json()["Item"].take();
        if item.get("FileName").is_some() { (400, answer(item)) } else { (200, "{}".to_owned()) }
    })
}

#[tokio::test]
async fn what_was_stored_under_a_key_is_not_taken_back() {
    let (aws, calls) = refusing_records(|_| dynamodb_error("ResourceNotFoundException"));
    let (status, _, _, line) = send_at(&over(&aws), NOW, &keyed(pixel())).await;
    assert_eq!(status, 503);
    assert_eq!(calls.names(), ["PutItem", "PUT object", "PutItem"]);
    assert!(line["causes"][0].as_str().unwrap().starts_with("put record"), "{line}");
}

#[tokio::test]
async fn an_image_that_is_deleted_meanwhile_leaves_no_object() {
    let (aws, calls) = refusing_records(|mut item| {
        item["ImageStatus"] = json!({ "S": "deleting" });
        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        json!({ "__type": kind, "Item": item }).to_string()
    });
    assert_eq!(send_at(&over(&aws), NOW, &keyed(pixel())).await.0, 409);
    assert_eq!(calls.names(), ["PutItem", "PUT object", "PutItem", "DELETE object"]);
}

#[tokio::test]
async fn a_sent_image_answers_as_what_has_become_of_it() {
    let world = World::default();
    let (_, pending) = send(&world, NOW, &announced(70)).await;
    let id = pending["imageId"].as_str().unwrap();
    let (status, again) = send(&world, LATER, &announced(70)).await;
    assert_eq!((status, &again["imageId"], &again["status"]), (201, &json!(id), &json!("pending")));
    assert_eq!(again["expiresAt"], "2026-11-23T04:20:09.000Z");
    let (status, problem) = send(&world, "2026-11-23T05:05:07Z", &announced(70)).await;
    assert_eq!(
        (status, problem["detail"].as_str().unwrap()),
        (409, "the image of this key was not sent in time; use another key")
    );
    world.set(
        id,
        &json!({
            "ImageStatus": { "S": "ready" },
            "Width": { "N": "1" },
            "Height": { "N": "1" },
            "UploadDate": { "S": "2026-11-23" },
            "UploadOrder": { "S": format!("{LATER}#{id}") },
            "Owner": { "S": "public" },
        }),
    );
    let (status, ready) = send(&world, "2026-11-23T05:05:07Z", &announced(70)).await;
    assert_eq!((status, &ready["status"], &ready["uploadedAt"]), (201, &json!("ready"), &json!(LATER)));
    for (status, detail) in [
        ("rejected", "the image of this key was refused after it had been sent; use another key"),
        ("deleting", "the image of this key has been deleted; use another key"),
        ("deleted", "the image of this key has been deleted; use another key"),
    ] {
        world.set(id, &json!({ "ImageStatus": { "S": status }, "RejectReason": { "S": "no image" } }));
        let (found, problem) = send(&world, LATER, &announced(70)).await;
        assert_eq!((found, problem["detail"].as_str().unwrap()), (409, detail));
    }
}
