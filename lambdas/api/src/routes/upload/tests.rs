//! Uploads as a client sees them, and the calls to AWS that they make.

use catalog::aws::Aws;
use catalog::testing::world::World;
use catalog::testing::{Call, Calls, aws, dynamodb_error, empty_aws, s3_error};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::service::Service;
use crate::testing::{ask, service};

mod idempotency;

/// A PNG of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

pub(crate) fn over(aws: &Aws) -> Service {
    service(aws, "*")
}

fn upload((aws, calls): (Aws, Calls)) -> (Service, Calls) {
    (over(&aws), calls)
}

/// An AWS where some calls fail.
fn failing(script: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static) -> (Service, Calls) {
    upload(aws(move |call: &Call| script(&call.name).unwrap_or_else(|| (200, "{}".to_owned()))))
}

/// The answer's status, the answer, its body, and the line that is logged.
pub(crate) async fn send_at(service: &Service, now: &str, event: &Value) -> (u16, Answer, Value, Value) {
    let usual = json!({
        "httpMethod": "POST",
        "resource": "/upload",
        "requestContext": { "path": "/v1/upload" },
        "headers": { "Content-Type": "application/json" },
    });
    ask(service, now, usual, event).await
}

async fn send(service: &Service, event: &Value) -> (u16, Answer, Value) {
    let (status, answer, body, _) = send_at(service, "2026-11-23T04:05:06.789Z", event).await;
    (status, answer, body)
}

pub(crate) fn pixel() -> Value {
    json!({ "body": json!({ "fileName": "猫.png", "data": PIXEL }).to_string() })
}

#[tokio::test]
async fn an_image_is_stored_object_first_and_answered_whole() {
    let (upload, calls) = upload(empty_aws());
    let (status, response, mut image) = send(&upload, &pixel()).await;
    assert_eq!(status, 201);
    assert_eq!(calls.names(), ["PUT object", "PutItem"]);
    let id = image["imageId"].as_str().unwrap().to_owned();
    assert_eq!(response.headers["location"], format!("/v1/images/{id}"));
    let url = image["downloadUrl"].take();
    assert!(url.as_str().unwrap().contains(&format!("/uploads/{id}.png?")), "{url}");
    assert_eq!(
        image,
        json!({
            "imageId": id,
            "status": "ready",
            "fileName": "猫.png",
            "contentType": "image/png",
            "size": 70,
            "width": 1,
            "height": 1,
            "sha256": image["sha256"],
            "uploadDate": "2026-11-23",
            "uploadedAt": "2026-11-23T04:05:06.789Z",
            "downloadUrl": null,
            "downloadUrlExpiresAt": "2026-11-23T04:20:06.789Z",
        })
    );
    let [object, record] = <[Call; 2]>::try_from(calls.all()).unwrap();
    assert_eq!(object.body.len(), 70);
    assert!(object.uri.contains(&format!("/uploads/{id}.png")), "{}", object.uri);
    let item = &record.json()["Item"];
    assert_eq!(item["UploadOrder"]["S"], format!("2026-11-23T04:05:06.789Z#{id}"));
    assert_eq!(item["S3ObjectKey"]["S"], format!("uploads/{id}.png"));
}

#[tokio::test]
async fn an_announced_image_gets_a_url_and_a_pending_record() {
    let (upload, calls) = upload(empty_aws());
    let body = json!({ "fileName": "猫.png", "contentType": "image/png", "size": 70 }).to_string();
    let (status, response, answer) = send(&upload, &json!({ "body": body })).await;
    assert_eq!(status, 201);
    let id = answer["imageId"].as_str().unwrap();
    assert_eq!(response.headers["location"], format!("/v1/images/{id}"));
    assert_eq!(
        answer,
        json!({
            "imageId": id,
            "status": "pending",
            "uploadUrl": answer["uploadUrl"],
            "method": "PUT",
            "headers": {
                "content-length": "70",
                "content-type": "image/png",
                "if-none-match": "*",
                "x-amz-meta-file-name": "%E7%8C%AB.png",
            },
            "expiresAt": "2026-11-23T04:20:06.789Z",
        })
    );
    assert_eq!(calls.names(), ["PutItem"]);
    let call = calls.all().remove(0).json();
    assert_eq!(call["Item"]["ImageStatus"]["S"], "pending");
    // 05:20:06, an hour after the URL.
    assert_eq!(call["Item"]["ExpiresAt"]["N"], "1795411206");
    assert_eq!(call["ConditionExpression"], "attribute_not_exists(#id)");
}

#[tokio::test]
async fn a_refused_request_calls_nobody() {
    let (upload, calls) = upload(empty_aws());
    let wide = "R0lGODlhZQABAIAAAAAAAA==";
    for (event, status, kind) in [
        (json!({ "resource": "/other" }), 404, "not-found"),
        (json!({ "resource": null }), 404, "not-found"),
        (json!({ "headers": { "Idempotency-Key": "a b" } }), 400, "bad-request"),
        (json!({ "httpMethod": "PUT" }), 405, "method-not-allowed"),
        (json!({ "body": null }), 400, "bad-request"),
        (json!({ "body": r#"{"fileName":"a","data":"YWJj"}"# }), 415, "unsupported-media-type"),
        (json!({ "body": json!({ "fileName": "a", "data": wide }).to_string() }), 422, "too-many-pixels"),
        (
            json!({ "body": r#"{"fileName":"a","contentType":"image/png","size":1001}"# }),
            413,
            "payload-too-large",
        ),
    ] {
        let (found, response, problem) = send(&upload, &event).await;
        assert_eq!(found, status, "{problem}");
        assert_eq!(problem["type"], format!("urn:cloudpix:problem:{kind}"));
        assert_eq!(problem["status"], status);
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(response.headers["access-control-allow-origin"], "*");
    }
    assert!(calls.all().is_empty());
}

#[tokio::test]
async fn when_the_record_fails_nothing_remains_and_the_client_may_try_again() {
    for (status, code) in [(500, "InternalServerError"), (400, "ResourceNotFoundException")] {
        let (upload, calls) =
            failing(move |name| (name == "PutItem").then(|| (status, dynamodb_error(code))));
        let (status, response, problem) = send(&upload, &pixel()).await;
        assert_eq!((status, problem["type"].as_str()), (503, Some("urn:cloudpix:problem:unavailable")));
        assert_eq!(response.headers["retry-after"], "1");
        assert!(!problem.to_string().contains("of the test"));
        let calls = calls.all();
        let key = |name: &str| {
            let call = calls.iter().find(|call| call.name == name).unwrap();
            call.uri.split('?').next().unwrap().to_owned()
        };
        assert_eq!(key("PUT object"), key("DELETE object"));
        assert!(calls.iter().any(|call| call.name == "DeleteItem"));
    }
}

#[tokio::test]
async fn when_taking_back_fails_too_the_client_is_told_the_same() {
    let (upload, _) = failing(|name| match name {
        "PUT object" => None,
        "DELETE object" => Some((403, s3_error("AccessDenied"))),
        _ => Some((400, dynamodb_error("AccessDeniedException"))),
    });
    assert_eq!(send(&upload, &pixel()).await.0, 503);
}

#[tokio::test]
async fn when_the_object_fails_no_record_is_written() {
    let (upload, calls) = failing(|name| (name == "PUT object").then(|| (503, s3_error("SlowDown"))));
    assert_eq!(send(&upload, &pixel()).await.0, 503);
    assert_eq!(calls.names(), ["PUT object", "PUT object", "PUT object", "DELETE object"]);

    let (upload, calls) = failing(|name| (name == "PUT object").then(|| (403, s3_error("AccessDenied"))));
    let (status, _, problem) = send(&upload, &pixel()).await;
    assert_eq!((status, &problem["detail"]), (500, &json!("internal error")));
    assert_eq!(calls.names(), ["PUT object"]);
}

#[tokio::test]
async fn a_line_says_what_was_done_and_nothing_that_is_secret() {
    let mut event = pixel();
    event["headers"] = json!({ "Idempotency-Key": "order-7" });
    let (_, _, image, line) = send_at(&over(&World::default().aws()), "2026-11-23T04:05:06Z", &event).await;
    assert_eq!((&line["route"], &line["status"]), (&json!("POST /upload"), &json!(201)));
    assert_eq!((&line["imageId"], &line["bytes"]), (&image["imageId"], &json!(70)));
    assert_eq!((&line["Uploads"], &line["UploadedBytes"]), (&json!(1), &json!(70)));
    for call in ["dynamodbClaimMs", "s3PutMs", "dynamodbPutMs"] {
        assert!(line[call].is_number(), "{call} {line}");
    }
    let refusals = [
        over(&aws(|_| (400, dynamodb_error("AccessDeniedException"))).0),
        over(&aws(|_| (503, s3_error("SlowDown"))).0),
        over(&aws(|_| (400, dynamodb_error("ConditionalCheckFailedException"))).0),
    ];
    let mut lines = vec![line];
    for upload in &refusals {
        for event in [&event, &pixel(), &json!({ "body": "{\"fileName\":\"a\",\"data\":\"c2VjcmV0\"}" })] {
            lines.push(send_at(upload, "2026-11-23T04:05:06Z", event).await.3);
        }
    }
    for line in lines.iter().map(Value::to_string) {
        for secret in [PIXEL, "iVBOR", "c2VjcmV0", "order-7", "X-Amz", "Signature", "AKID", "猫", "data\":"]
        {
            assert!(!line.contains(secret), "{secret} {line}");
        }
    }
}
