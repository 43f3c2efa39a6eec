//! Whose image it is, on every route: its owner's and nobody else's.

use catalog::testing::world::World;
use contract::{Auth, ROUTES, Route, Scope, path};
use serde_json::{Value, json};

use super::upload::tests::pixel;
use crate::service::Service;
use crate::testing::{ask, service};

const NOW: &str = "2026-11-23T04:05:06.789Z";
const ALICE: &str = "4f8c7a52-1b0e-4d8a-9c55-0f1e2d3c4b5a";
const BOB: &str = "0b9d1f6e-6f0e-4b0c-8d51-7a8b9c0d1e2f";
/// An image that never was.
const NONE: &str = "019aaf2c-0000-7000-8000-00000000000f";

fn over(world: &World, auth: Auth) -> Service {
    Service { auth, ..service(&world.aws(), "*") }
}

fn everything() -> String {
    Scope::ALL.map(Scope::name).join(" ")
}

fn all_but(left_out: Scope) -> String {
    let others = Scope::ALL.into_iter().filter(|scope| *scope != left_out);
    others.map(Scope::name).collect::<Vec<_>>().join(" ")
}

/// What the authorizer says of somebody.
fn of(owner: &str, scopes: &str) -> Value {
    json!({ "owner": owner, "by": "user", "scopes": scopes })
}

/// A request that the route would serve, and the status that it would then be answered with.
fn wanted(route: &Route, id: &str) -> (u16, Value) {
    let (status, event) = match (route.method, route.path) {
        ("POST", path::UPLOAD) => (201, pixel()),
        ("GET", path::LIST | path::IMAGE | path::KEYS) => (200, json!({})),
        ("GET", path::THUMBNAIL) => (307, json!({ "queryStringParameters": { "width": "160" } })),
        ("DELETE", path::IMAGE) => (204, json!({})),
        ("POST", path::KEYS) => (201, json!({ "body": r#"{"name":"a","scopes":["read"]}"# })),
        // The routes of keys have tests of their own.
        ("DELETE", path::KEY) => (404, json!({})),
        (method, path) => panic!("say what {method} {path} is to be asked"),
    };
    let mut event = event;
    event["httpMethod"] = route.method.into();
    event["resource"] = route.path.into();
    event["pathParameters"] = json!({ "imageId": id, "keyId": id });
    (status, event)
}

/// The status and the body of the answer.
async fn send(service: &Service, mut event: Value, authorizer: &Value) -> (u16, Value) {
    event["requestContext"] = json!({ "path": "/v1", "authorizer": authorizer });
    let (status, _, body, _) = ask(service, NOW, json!({}), &event).await;
    (status, body)
}

/// A world with one ready image, of this owner or, without sign-in, of everybody; and its id.
async fn with_an_image(auth: Auth, authorizer: &Value) -> (World, String) {
    let world = World::default();
    let upload = ROUTES.iter().find(|route| route.path == path::UPLOAD).unwrap();
    let (status, image) = send(&over(&world, auth), wanted(upload, NONE).1, authorizer).await;
    assert_eq!(status, 201, "{image}");
    let id = image["imageId"].as_str().unwrap().to_owned();
    world.set(&id, &json!({ "Thumbnails": { "S": "webp:160=1x1/70" } }));
    (world, id)
}

/// The ids of all images that are listed for a caller, of this day or of all.
async fn listed(world: &World, auth: Auth, authorizer: &Value, date: Option<&str>) -> Vec<String> {
    let event = json!({
        "httpMethod": "GET",
        "resource": "/list",
        "queryStringParameters": date.map(|date| json!({ "date": date })),
    });
    let (status, page) = send(&over(world, auth), event, authorizer).await;
    assert_eq!(status, 200, "{page}");
    let ids = page["images"].as_array().unwrap().iter().map(|image| image["imageId"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_route_serves_the_owner_of_an_image() {
    for route in &ROUTES {
        let alice = of(ALICE, route.scope.name());
        let (world, id) = with_an_image(Auth::Users, &of(ALICE, "write")).await;
        let (expected, event) = wanted(route, &id);
        let (status, body) = send(&over(&world, Auth::Users), event, &alice).await;
        assert_eq!(status, expected, "{route:?} {body}");
        if route.path == path::LIST {
            assert_eq!(body["images"][0]["imageId"], id.as_str());
        }
    }
}

#[tokio::test]
async fn to_everybody_else_an_image_is_not_there() {
    let bob = of(BOB, &everything());
    for (auth, other) in [(Auth::Users, &bob), (Auth::ApiKey, &Value::Null), (Auth::None, &Value::Null)] {
        for route in ROUTES.iter().filter(|route| !route.path.starts_with(path::KEYS)) {
            let (world, id) = with_an_image(Auth::Users, &of(ALICE, "write")).await;
            let before = (world.records()[&id].clone(), world.objects());
            let service = over(&world, auth);
            let (status, body) = send(&service, wanted(route, &id).1, other).await;
            match route.path {
                path::LIST => assert_eq!(body, json!({ "images": [], "count": 0 })),
                path::UPLOAD => assert_ne!(body["imageId"], id.as_str()),
                _ => {
                    let missing = send(&service, wanted(route, NONE).1, other).await;
                    assert_eq!((status, &body), (404, &missing.1), "{route:?}");
                    assert_eq!((status, body), missing);
                }
            }
            assert_eq!(world.records()[&id], before.0, "{route:?}");
            assert!(before.1.iter().all(|(key, bytes)| world.objects().get(key) == Some(bytes)));
        }
    }
}

#[tokio::test]
async fn what_is_everybodys_is_nobodys_who_signs_in() {
    for route in ROUTES.iter().filter(|route| route.path.contains("{imageId}")) {
        let (world, id) = with_an_image(Auth::ApiKey, &Value::Null).await;
        let (expected, event) = wanted(route, &id);
        let (status, _) = send(&over(&world, Auth::Users), event.clone(), &of(ALICE, &everything())).await;
        assert_eq!(status, 404, "{route:?}");
        assert_eq!(listed(&world, Auth::Users, &of(ALICE, "read"), None).await, [""; 0]);
        assert_eq!(send(&over(&world, Auth::ApiKey), event, &Value::Null).await.0, expected);
    }
}

#[tokio::test]
async fn a_key_without_the_scope_of_a_route_is_told_which_and_calls_nobody() {
    for route in &ROUTES {
        let (world, id) = with_an_image(Auth::Users, &of(ALICE, "write")).await;
        world.breaks(None);
        let lacking = of(ALICE, &all_but(route.scope));
        let (status, problem) = send(&over(&world, Auth::Users), wanted(route, &id).1, &lacking).await;
        assert_eq!((status, &problem["scope"]), (403, &json!(route.scope.name())), "{route:?}");
        assert_eq!(problem["type"], "urn:cloudpix:problem:forbidden");
        assert!(problem["detail"].as_str().unwrap().contains(route.scope.name()), "{problem}");
        assert!(world.calls().is_empty(), "{route:?}");
    }
}

#[tokio::test]
async fn a_line_says_which_key_asks_and_not_whose_it_is() {
    let world = World::default();
    let key = "019aaf2c-0000-7000-8000-000000000009";
    for (auth, by) in [(Auth::Users, json!(key)), (Auth::ApiKey, Value::Null)] {
        let event = json!({
            "httpMethod": "GET",
            "resource": "/list",
            "requestContext": { "authorizer": { "owner": ALICE, "by": key, "scopes": "read" } },
        });
        let (_, _, _, line) = ask(&over(&world, auth), NOW, json!({}), &event).await;
        assert_eq!((&line["status"], &line["by"]), (&json!(200), &by));
        assert!(!line.to_string().contains(ALICE), "{line}");
    }
}

#[tokio::test]
async fn where_people_sign_in_a_request_of_nobody_calls_nobody() {
    for route in &ROUTES {
        let (world, id) = with_an_image(Auth::Users, &of(ALICE, "write")).await;
        world.breaks(None);
        for nobody in [Value::Null, of("", &everything()), of("public", &everything()), json!({})] {
            let (status, problem) = send(&over(&world, Auth::Users), wanted(route, &id).1, &nobody).await;
            assert_eq!(status, 401, "{route:?} {nobody}");
            assert_eq!(problem["type"], "urn:cloudpix:problem:unauthorized");
        }
        assert!(world.calls().is_empty(), "{route:?}");
    }
}

#[tokio::test]
async fn a_day_holds_what_is_ones_own() {
    let (alice, bob) = (of(ALICE, &everything()), of(BOB, &everything()));
    let (world, hers) = with_an_image(Auth::Users, &alice).await;
    let (_, his) = send(&over(&world, Auth::Users), wanted(&ROUTES[0], NONE).1, &bob).await;
    let (_, everybodys) = send(&over(&world, Auth::None), wanted(&ROUTES[0], NONE).1, &Value::Null).await;
    let id = |image: &Value| image["imageId"].as_str().unwrap().to_owned();
    for (auth, caller, own) in [
        (Auth::Users, &alice, hers),
        (Auth::Users, &bob, id(&his)),
        (Auth::None, &Value::Null, id(&everybodys)),
    ] {
        for date in [None, Some("2026-11-23")] {
            assert_eq!(listed(&world, auth, caller, date).await, [own.as_str()], "{date:?}");
        }
        for date in ["2026-11-22", "2026-11-24", "9999-12-31"] {
            assert_eq!(listed(&world, auth, caller, Some(date)).await, [""; 0]);
        }
    }
}

fn announced(key: &str) -> Value {
    json!({
        "httpMethod": "POST",
        "resource": "/upload",
        "headers": { "content-type": "application/json", "idempotency-key": key },
        "body": json!({ "fileName": "a.png", "contentType": "image/png", "size": 70 }).to_string(),
    })
}

#[tokio::test]
async fn an_announced_image_is_its_owners_from_that_moment_on() {
    let world = World::default();
    let (alice, bob) = (of(ALICE, &everything()), of(BOB, &everything()));
    let service = over(&world, Auth::Users);
    let (status, pending) = send(&service, announced("order-7"), &alice).await;
    assert_eq!((status, &pending["headers"]["x-amz-meta-owner"]), (201, &json!(ALICE)));
    let id = pending["imageId"].as_str().unwrap();
    assert_eq!(world.records()[id]["Owner"]["S"], ALICE);
    let by = |method: &str| json!({ "httpMethod": method, "resource": "/images/{imageId}", "pathParameters": { "imageId": id } });
    assert_eq!(send(&service, by("GET"), &bob).await.0, 404);
    assert_eq!(send(&service, by("DELETE"), &bob).await.0, 404);
    let (status, shown) = send(&service, by("GET"), &alice).await;
    assert_eq!((status, &shown["status"]), (200, &json!("pending")));
    assert_eq!(send(&service, by("DELETE"), &alice).await.0, 204);
    assert_eq!(send(&service, by("DELETE"), &alice).await.0, 404);
}

#[tokio::test]
async fn an_idempotency_key_is_its_owners_own() {
    let world = World::default();
    let (alice, bob) = (of(ALICE, &everything()), of(BOB, &everything()));
    let mut made = Vec::new();
    for (auth, caller) in [(Auth::Users, &alice), (Auth::Users, &bob), (Auth::ApiKey, &Value::Null)] {
        let service = over(&world, auth);
        let (status, first) = send(&service, announced("order-7"), caller).await;
        assert_eq!(status, 201, "{first}");
        assert_eq!(send(&service, announced("order-7"), caller).await.1["imageId"], first["imageId"]);
        made.push(first["imageId"].clone());
    }
    made.dedup();
    assert_eq!(made.len(), 3);
    assert_eq!(world.records().len(), 3);
}

#[tokio::test]
async fn a_key_does_not_lead_to_an_image_that_somebody_has_got_since() {
    let world = World::default();
    let service = over(&world, Auth::ApiKey);
    let mut event = announced("order-7");
    event["body"] = pixel()["body"].clone();
    let (_, image) = send(&service, event.clone(), &Value::Null).await;
    world.set(image["imageId"].as_str().unwrap(), &json!({ "Owner": { "S": ALICE } }));
    let (status, problem) = send(&service, event, &Value::Null).await;
    assert_eq!((status, &problem["field"]), (409, &json!("Idempotency-Key")));
    assert!(!problem.to_string().contains("X-Amz"), "{problem}");
}
