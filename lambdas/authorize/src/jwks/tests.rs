//! How often a provider is asked for its keys, and what it may answer.

use std::sync::{Arc, Mutex};

use catalog::testing::{Calls, aws};
use serde_json::json;

use super::*;
use crate::testing::{KEY_ID, provider, stranger};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn line() -> Line {
    Line::new("request", "function", false)
}

const URL: &str = "https://login.example/.well-known/jwks.json";

/// Keys at a provider whose answer can be changed.
fn keys(answer: (u16, String)) -> (Jwks, Calls, Arc<Mutex<(u16, String)>>) {
    let answer = Arc::new(Mutex::new(answer));
    let given = Arc::clone(&answer);
    let (aws, calls) = aws(move |_| given.lock().unwrap().clone());
    let place = Place::Keys(Address::parse(URL, false).unwrap());
    (Jwks::new(Source { fetch: Fetch::new(aws.http, false), place }), calls, answer)
}

fn good() -> (u16, String) {
    (200, provider().jwks(KEY_ID).to_string())
}

#[tokio::test]
async fn keys_are_fetched_at_the_start_and_not_again() {
    let (jwks, calls, _) = keys(good());
    jwks.warm(at("2026-11-23T04:00:00Z")).await;
    assert_eq!(calls.all().len(), 1);
    for _ in 0..100 {
        assert!(jwks.find(KEY_ID, &line(), at("2026-11-24T04:00:00Z")).await.unwrap().is_some());
    }
    assert_eq!(calls.all().len(), 1);
}

#[tokio::test]
async fn unknown_ids_make_one_fetch_a_minute_however_many_come() {
    let (jwks, calls, _) = keys(good());
    jwks.warm(at("2026-11-23T04:00:00Z")).await;
    for second in 0..180 {
        let now = at("2026-11-23T04:00:00Z") + SignedDuration::from_secs(second);
        for number in 0..5 {
            let id = format!("{second}-{number}");
            assert!(jwks.find(&id, &line(), now).await.unwrap().is_none());
        }
    }
    // At the start, and at 60 and 120 seconds.
    assert_eq!(calls.all().len(), 3);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nobody_wait() {
    let (jwks, calls, _) = keys(good());
    jwks.warm(at("2026-11-23T04:00:00Z")).await;
    jwks.find("new", &line(), at("2026-11-23T03:59:30Z")).await.unwrap();
    assert_eq!(calls.all().len(), 1);
    jwks.find("new", &line(), at("2026-11-23T03:00:00Z")).await.unwrap();
    assert_eq!(calls.all().len(), 2);
}

#[tokio::test]
async fn a_new_key_is_found_and_the_old_one_goes_when_the_provider_says_so() {
    let (jwks, _, answer) = keys(good());
    jwks.warm(at("2026-11-23T04:00:00Z")).await;
    *answer.lock().unwrap() = (200, stranger().jwks("new").to_string());
    assert!(jwks.find("new", &line(), at("2026-11-23T04:00:59Z")).await.unwrap().is_none());
    assert!(jwks.find("new", &line(), at("2026-11-23T04:01:00Z")).await.unwrap().is_some());
    assert!(jwks.find(KEY_ID, &line(), at("2026-11-23T04:01:01Z")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_our_failure_and_not_the_tokens() {
    let (jwks, calls, answer) = keys((500, String::new()));
    jwks.warm(at("2026-11-23T04:00:00Z")).await;
    assert_eq!(calls.all().len(), 2, "the start tries twice");
    for second in 1..60 {
        let now = at("2026-11-23T04:00:00Z") + SignedDuration::from_secs(second);
        let failure = jwks.find(KEY_ID, &line(), now).await.unwrap_err();
        assert!(matches!(failure, Failure::Busy(_)), "{failure:?}");
    }
    assert_eq!(calls.all().len(), 2);
    assert!(jwks.find(KEY_ID, &line(), at("2026-11-23T04:01:00Z")).await.is_err());
    assert_eq!(calls.all().len(), 3, "a request tries once");
    *answer.lock().unwrap() = good();
    assert!(jwks.find(KEY_ID, &line(), at("2026-11-23T04:02:00Z")).await.unwrap().is_some());
}

#[tokio::test]
async fn keys_that_are_known_outlive_a_provider_that_is_down() {
    for down in [(503, String::new()), (200, "{}".to_owned()), (200, json!({ "keys": [] }).to_string())] {
        let (jwks, _, answer) = keys(good());
        jwks.warm(at("2026-11-23T04:00:00Z")).await;
        *answer.lock().unwrap() = down;
        assert!(jwks.find("new", &line(), at("2026-11-23T05:00:00Z")).await.is_err());
        assert!(jwks.find(KEY_ID, &line(), at("2026-11-23T05:00:01Z")).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_provider_says_itself_where_its_keys_are() {
    let issuer = "https://login.example/tenant";
    for (told, found) in [
        (json!({ "issuer": issuer, "jwks_uri": "https://keys.example/all" }), true),
        (json!({ "issuer": "https://other.example", "jwks_uri": "https://keys.example/all" }), false),
        (json!({ "issuer": issuer, "jwks_uri": "http://keys.example/all" }), false),
        (json!({ "issuer": issuer }), false),
        (json!([]), false),
    ] {
        let (aws, calls) = aws(move |call| {
            let keys = call.uri == "https://keys.example/all";
            (200, if keys { provider().jwks(KEY_ID).to_string() } else { told.to_string() })
        });
        let address =
            Address::parse("https://login.example/tenant/.well-known/openid-configuration", false).unwrap();
        let place = Place::Configuration { address, issuer: issuer.to_owned() };
        let jwks = Jwks::new(Source { fetch: Fetch::new(aws.http, false), place });
        let got = jwks.find(KEY_ID, &line(), at("2026-11-23T04:00:00Z")).await;
        assert_eq!(got.is_ok(), found);
        let uris: Vec<_> = calls.all().into_iter().map(|call| call.uri).collect();
        assert_eq!(uris[0], "https://login.example/tenant/.well-known/openid-configuration");
        assert_eq!(uris.len(), if found { 2 } else { 1 });
    }
}

#[test]
fn of_a_set_those_keys_count_that_are_for_rs256() {
    let with = |changes: serde_json::Value| {
        let mut key = provider().jwk("7");
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        let set = json!({ "keys": [{ "kty": "EC" }, null, key], "more": 7 });
        parse(set.to_string().as_bytes()).unwrap().contains_key("7")
    };
    assert!(with(json!({})));
    assert!(with(json!({ "use": null, "alg": null, "x5c": [] })));
    for change in [
        json!({ "kty": "EC" }),
        json!({ "kty": "oct", "k": "AA" }),
        json!({ "use": "enc" }),
        json!({ "alg": "RS512" }),
        json!({ "alg": 7 }),
        json!({ "kid": null }),
        json!({ "n": "?" }),
        json!({ "e": null }),
    ] {
        assert!(!with(change.clone()), "{change}");
    }
    for broken in ["", "{}", "[]", "null", r#"{"keys":7}"#, "<html>"] {
        assert!(parse(broken.as_bytes()).is_err(), "{broken}");
    }
}
