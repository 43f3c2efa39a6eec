//! Lists as a client sees them, and the calls to AWS that they make.

use catalog::aws::Aws;
use catalog::testing::{Calls, aws, dynamodb_error};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::service::Service;
use crate::testing::{ask, service};

pub(in crate::routes) fn item(number: usize) -> Value {
    let id = format!("019aaf2c-0000-7000-8000-{number:012}");
    json!({
        "ImageID": { "S": id },
        "FileName": { "S": "猫.png" },
        "ContentType": { "S": "image/png" },
        "Size": { "N": "70" },
        "Width": { "N": "3" },
        "Height": { "N": "2" },
        "Sha256": { "S": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        "S3ObjectKey": { "S": format!("uploads/{id}.png") },
        "ImageStatus": { "S": "ready" },
        "CreatedAt": { "S": "2026-11-23T04:05:06.789Z" },
        "UploadDate": { "S": "2026-11-23" },
        "UploadOrder": { "S": format!("2026-11-23T04:05:06.789Z#{id}") },
        "Owner": { "S": "public" },
    })
}

/// A table with some images, all of which each Query finds, up to its limit.
pub(in crate::routes) fn list(images: usize) -> (Service, Calls) {
    let (aws, calls) = aws(move |call| {
        let limit = usize::try_from(call.json()["Limit"].as_u64().unwrap()).unwrap();
        let items: Vec<_> = (1..=images).rev().take(limit).map(item).collect();
        (200, json!({ "Items": items }).to_string())
    });
    (over(&aws), calls)
}

fn over(aws: &Aws) -> Service {
    service(aws, "https://pix.example")
}

/// The answer's status, the answer, its body, and the line that is logged.
pub(in crate::routes) async fn get(service: &Service, event: &Value) -> (u16, Answer, Value, Value) {
    ask(service, "2026-11-23T05:00:00Z", json!({ "httpMethod": "GET", "resource": "/list" }), event).await
}

pub(in crate::routes) fn image(id: &str) -> Value {
    json!({ "resource": "/images/{imageId}", "pathParameters": { "imageId": id } })
}

fn queries(queries: &Value) -> Value {
    json!({ "queryStringParameters": queries })
}

#[tokio::test]
async fn an_image_is_listed_whole_with_its_own_link() {
    let (list, calls) = list(1);
    let (status, response, mut page, line) = get(&list, &json!({})).await;
    let url = page["images"][0]["downloadUrl"].take();
    assert!(url.as_str().unwrap().contains("/uploads/019aaf2c-0000-7000-8000-000000000001.png?"), "{url}");
    assert_eq!(status, 200);
    assert_eq!(response.headers["vary"], "Origin");
    assert_eq!(
        page,
        json!({
            "images": [{
                "imageId": "019aaf2c-0000-7000-8000-000000000001",
                "status": "ready",
                "fileName": "猫.png",
                "contentType": "image/png",
                "size": 70,
                "width": 3,
                "height": 2,
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "uploadDate": "2026-11-23",
                "uploadedAt": "2026-11-23T04:05:06.789Z",
                "downloadUrl": null,
                "downloadUrlExpiresAt": "2026-11-23T05:15:00.000Z",
            }],
            "count": 1,
        })
    );
    assert_eq!(calls.names(), ["Query"]);
    assert!(line["dynamodbQueryMs"].is_number(), "{line}");
    assert!(!line.to_string().contains("X-Amz"), "{line}");
}

#[tokio::test]
async fn nothing_found_is_an_empty_list() {
    let (_, _, page, _) = get(&list(0).0, &json!({})).await;
    assert_eq!(page, json!({ "images": [], "count": 0 }));
}

#[tokio::test]
async fn a_cursor_goes_on_right_behind_the_last_image_of_a_page() {
    let (list, calls) = list(3);
    let (_, _, page, _) = get(&list, &queries(&json!({ "limit": "2", "date": "2026-11-23" }))).await;
    assert_eq!(page["count"], 2);
    let next = json!({ "limit": "2", "date": "2026-11-23", "cursor": page["nextCursor"] });
    assert_eq!(get(&list, &queries(&next)).await.0, 200);
    let second = calls.all().remove(1).json();
    assert_eq!(second["ExclusiveStartKey"], Value::Null);
    assert_eq!(
        second["ExpressionAttributeValues"][":high"]["S"],
        "2026-11-23T04:05:06.789Z#019aaf2c-0000-7000-8000-000000000001~"
    );
}

#[tokio::test]
async fn the_last_page_has_no_cursor() {
    let (_, _, page, _) = get(&list(2).0, &queries(&json!({ "limit": "2" }))).await;
    assert_eq!((&page["count"], page.get("nextCursor")), (&json!(2), None));
}

#[tokio::test]
async fn a_refused_request_calls_nobody() {
    let (list, calls) = list(1);
    for (event, status, field) in [
        (json!({ "resource": "/other" }), 404, Value::Null),
        (json!({ "httpMethod": "POST" }), 405, Value::Null),
        (json!({ "resource": "/images/{imageId}" }), 404, Value::Null),
        (image("7"), 404, Value::Null),
        (image(&format!("idempotency#{}", "0".repeat(64))), 404, Value::Null),
        (queries(&json!({ "date": "2026-02-30" })), 400, json!("date")),
        (queries(&json!({ "limit": "0" })), 400, json!("limit")),
        (queries(&json!({ "cursor": "foreign" })), 400, json!("cursor")),
    ] {
        let (found, response, problem, _) = get(&list, &event).await;
        assert_eq!((found, &problem["field"]), (status, &field));
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(response.headers["access-control-allow-origin"], "https://pix.example");
    }
    assert!(calls.all().is_empty());
}

#[tokio::test]
async fn a_failure_of_aws_is_told_without_its_text() {
    for (code, status) in [("ThrottlingException", 503), ("ResourceNotFoundException", 500)] {
        let (aws, _) = aws(move |_| (400, dynamodb_error(code)));
        for event in [json!({}), image("019aaf2c-0000-7000-8000-000000000001")] {
            let (found, response, problem, line) = get(&over(&aws), &event).await;
            assert_eq!(found, status);
            assert_eq!(response.headers.contains_key("retry-after"), status == 503);
            assert!(!problem.to_string().contains(code), "{problem}");
            assert!(line["causes"][0].as_str().unwrap().contains(code), "{line}");
        }
    }
}

/// A table that holds one item, whichever is asked for.
pub(in crate::routes) fn holding(item: &Value) -> Service {
    let answer = json!({ "Item": item }).to_string();
    over(&aws(move |_| (200, answer.clone())).0)
}

pub(in crate::routes) fn with_thumbnails() -> Value {
    let mut item = item(1);
    for (name, value) in [
        ("Thumbnails", json!({ "S": "webp:160=160x107/5123,480=480x320/20111" })),
        ("ThumbHash", json!({ "S": "1QcSHQRnh493V4dIh4eXh1h4kJUI" })),
        ("CapturedAt", json!({ "S": "2026-11-20T10:11:12" })),
        ("Camera", json!({ "S": "FUJIFILM X100V" })),
        ("Orientation", json!({ "N": "6" })),
    ] {
        item[name] = value;
    }
    item
}
