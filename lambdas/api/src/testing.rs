//! For tests of routes and functions: a service over a scripted AWS, events that API Gateway would send and many
//! that it never would, and what every answer must keep to.

use catalog::access::Access;
use catalog::aws::Aws;
use catalog::index::Index;
use catalog::log::Line;
use catalog::store::Store;
use catalog::testing::keyring;
use catalog::testing::world::World;
use contract::{Auth, Function, ROUTES, Route, path};
use http::HeaderValue;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Answers};
use crate::caller::Caller;
use crate::gateway::event;
use crate::reject::Reject;
use crate::request::{Request, RequestExt};
use crate::route;
use crate::routes::delete::delete;
use crate::routes::keys;
use crate::routes::list::list;
use crate::routes::show::show;
use crate::routes::thumbnail::thumbnail;
use crate::routes::upload::upload;
use crate::service::{Limits, Service};

/// A service with small limits, where nobody signs in. Browsers on `allow_origin` may read its answers.
pub fn service(aws: &Aws, allow_origin: &str) -> Service {
    Service {
        store: Store::new(aws, "pictures"),
        index: Index::new(aws, "records"),
        access: Some(Access::new(aws, keyring::TABLE)),
        answers: Answers::new(allow_origin).unwrap_or_else(|error| panic!("{error}")),
        limits: Limits { max_pixels: 100, max_upload_bytes: 1000 },
        auth: Auth::ApiKey,
    }
}

/// Every route, as if one function served them all.
pub async fn any_route(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    match (request.method().as_str(), request.resource()) {
        ("POST", path::UPLOAD) => upload(service, caller, request, line, now).await,
        ("DELETE", path::IMAGE) => delete(service, caller, request, line, now).await,
        ("GET", path::LIST) => list(service, caller, request, line, now).await,
        ("GET", path::IMAGE) => show(service, caller, request, line, now).await,
        ("GET", path::THUMBNAIL) => thumbnail(service, caller, request, line, now).await,
        ("POST", path::KEYS) => keys::make::make(service, caller, request, line, now).await,
        ("GET", path::KEYS) => keys::list::list(service, caller, request, line, now).await,
        ("DELETE", path::KEY) => keys::revoke::revoke(service, caller, request, line, now).await,
        _ => Err(route::refuse(&request)),
    }
}

/// Asks with an event, of which `usual` has the parts that it does not have itself. Returns the answer's status,
/// the answer, its body, and the line that is logged.
pub async fn ask(service: &Service, now: &str, usual: Value, event: &Value) -> (u16, Answer, Value, Value) {
    let mut whole = usual;
    for (name, value) in event.as_object().into_iter().flatten() {
        whole[name] = value.clone();
    }
    let now = now.parse().unwrap_or_else(|error| panic!("{error}"));
    let line = Line::new("request", "function", false);
    let request = event::read(whole.to_string().into_bytes());
    line.route(route::name(&request));
    let answer = service.answer(&any_route, request, &line, now).await;
    let body = serde_json::from_str(&answer.body).unwrap_or_default();
    let line = line.json(answer.status.as_u16(), answer.problem, now);
    (answer.status.as_u16(), answer, body, line)
}

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
            "requestContext": {
                "path": "/v1/upload",
                "authorizer": { "owner": "7", "by": "user", "scopes": "read write delete keys" },
            },
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
    "/pathParameters/keyId",
    "/queryStringParameters",
    "/multiValueQueryStringParameters",
    "/requestContext",
    "/requestContext/path",
    "/requestContext/authorizer",
    "/requestContext/authorizer/owner",
    "/requestContext/authorizer/by",
    "/requestContext/authorizer/scopes",
    "/body",
    "/isBase64Encoded",
];

/// Values that lead far into a handler.
fn values() -> Vec<Value> {
    let fields = [
        r#"{"fileName":"a","data":"R0lGODlhAQABAIAAAAAAAA=="}"#,
        r#"{"fileName":"\ud800","data":"data:image/png;base64,\/\/8="}"#,
        r#"{"name":"a","scopes":["read"],"expiresInDays":1}"#,
        r#"{"name":"\u0000","scopes":["keys",{}],"expiresInDays":1e99}"#,
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

/// Serves one event by the routes of a function, as Lambda would.
pub fn serve(
    service: &Service,
    route: &impl AsyncFn(&Service, &Caller, Request, &Line, Timestamp) -> Result<Answer, Reject>,
    event: Vec<u8>,
) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without threads can always be built");
    let line = Line::new("request", "function", false);
    runtime.block_on(service.answer(route, event::read(event), &line, Timestamp::UNIX_EPOCH))
}

/// Asks a function for every route that there is, and for a path that is none. What `contract` says is its own
/// is served; to all else it answers 405 with the methods that the path has, or 404.
#[track_caller]
pub fn check_routes(
    function: Function,
    route: &impl AsyncFn(&Service, &Caller, Request, &Line, Timestamp) -> Result<Answer, Reject>,
) {
    let service = service(&World::default().aws(), "*");
    let ask = |method: &str, path: &str| {
        let event = json!({ "httpMethod": method, "resource": path });
        let answer = serve(&service, route, event.to_string().into_bytes());
        (answer.status.as_u16(), answer.headers.get("allow").cloned())
    };
    for Route { method, path, function: served_by, .. } in ROUTES {
        let (status, allow) = ask(method, path);
        assert_eq!(status != 405, served_by == function, "{method} {path}");
        let named =
            |allow: &HeaderValue| allow.to_str().is_ok_and(|allow| allow.split(", ").any(|it| it == method));
        assert_eq!(allow.is_some_and(|allow| named(&allow)), status == 405, "{method} {path}");
    }
    assert_eq!(ask("GET", "/other"), (404, None));
    let both = HeaderValue::from_static("GET, DELETE");
    assert_eq!(ask("PATCH", path::IMAGE), (405, Some(both)));
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
