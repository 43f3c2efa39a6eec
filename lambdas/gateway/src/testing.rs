//! Events that API Gateway would send, and many that it never would, for property tests of the
//! functions; and what every answer must keep to.

use catalog::answer::Answer;
use catalog::log::Line;
use contract::ROUTES;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// The bytes of an event: a real one with some of its parts exchanged, any JSON, or anything at all.
pub fn event() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => changed().prop_map(|event| event.to_string().into_bytes()),
        1 => any_json().prop_map(|json| json.to_string().into_bytes()),
        1 => any::<Vec<u8>>(),
    ]
}

fn changed() -> impl Strategy<Value = Value> {
    let change = (select(FIELDS), prop_oneof![any_json(), select(values())]);
    (select(ROUTES.as_slice()), prop::collection::vec(change, 0..4)).prop_map(|(route, changes)| {
        let mut event = json!({
            "httpMethod": route.method,
            "resource": route.path,
            "headers": { "Content-Type": "application/json", "Idempotency-Key": "a" },
            "pathParameters": { "imageId": "019aaf2c-0000-7000-8000-000000000001" },
            "queryStringParameters": null,
            "requestContext": { "path": "/v1/upload" },
            "body": "{\"fileName\":\"a\",\"contentType\":\"image/gif\",\"size\":1}",
            "isBase64Encoded": false,
        });
        for (field, value) in changes {
            let (parent, name) = field.rsplit_once('/').unwrap_or_default();
            if let Some(parent) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
                parent.insert(name.to_owned(), value);
            }
        }
        event
    })
}

const FIELDS: &[&str] = &[
    "/httpMethod",
    "/resource",
    "/headers",
    "/headers/Content-Type",
    "/headers/content-disposition",
    "/headers/Idempotency-Key",
    "/multiValueHeaders",
    "/pathParameters",
    "/pathParameters/imageId",
    "/queryStringParameters",
    "/multiValueQueryStringParameters",
    "/requestContext",
    "/requestContext/path",
    "/body",
    "/isBase64Encoded",
];

/// Values that lead far into a handler.
fn values() -> Vec<Value> {
    let fields = [
        r#"{"fileName":"a","data":"R0lGODlhAQABAIAAAAAAAA=="}"#,
        r#"{"fileName":"\ud800","data":"data:image/png;base64,\/\/8="}"#,
        r#"{"fileName":[],"data":{},"size":-1,"sha256":"?"}"#,
        "R0lGODlhAQABAIAAAAAAAA==",
        "image/gif",
        "application/octet-stream",
        "attachment; filename*=UTF-8''%E7%8C%AB; filename=\"\\",
        "",
    ];
    let mut values = fields.map(Value::from).to_vec();
    values.extend([
        json!({ "fileName": ["a"], "limit": "1", "date": "2026-11-23", "cursor": "A" }),
        json!({ "from": ["2026-11-23 00:00:00.5 09:00"], "to": ["9999-12-31"], "order": "asc" }),
        json!(true),
        Value::Null,
    ]);
    values
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|pairs| pairs.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// Serves one request, as Lambda would.
pub fn block_on(answer: &impl AsyncFn(&Line) -> Answer) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let line = Line::new("request", "function", false);
    runtime.expect("a runtime without threads can always be built").block_on(answer(&line))
}

#[track_caller]
pub fn check_answer(answer: &Answer, statuses: &[u16]) {
    let status = answer.status.as_u16();
    assert!(statuses.contains(&status), "{answer:?}");
    assert!(answer.headers.contains_key("access-control-allow-origin"), "{answer:?}");
    let media_type = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    match status {
        204 => assert!(answer.body.is_empty() && media_type.is_none(), "{answer:?}"),
        200..400 => assert!(body.is_some_and(|body| body.is_object()), "{answer:?}"),
        _ => {
            assert_eq!(media_type, Some("application/problem+json"));
            assert_eq!(body.map(|body| body["status"].clone()), Some(status.into()));
        }
    }
}
