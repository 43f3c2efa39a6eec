//! Requests as API Gateway asks about them, over a table of keys and a provider.

use catalog::testing::keyring::TABLE;
use catalog::testing::world::{Break, World};
use catalog::testing::{aws, dynamodb_error};
use contract::Scope;
use image::owner::Owner;
use keys::name::KeyName;
use keys::record::Key;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fetch::{Address, Fetch};
use crate::jwks::{Place, Source};
use crate::testing::{APPLICATION, ISSUER, KEY_ID, SUB, provider, token};

const NOW: &str = "2026-11-23T04:05:06.789Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn over(world: &World, provider_status: u16) -> Authorizer {
    let (provider, _) = aws(move |_| (provider_status, provider().jwks(KEY_ID).to_string()));
    let place = Place::Keys(Address::parse("https://login.example/jwks.json", false).unwrap());
    Authorizer {
        verifier: Verifier::new(ISSUER, APPLICATION),
        jwks: Jwks::new(Source { fetch: Fetch::new(provider.http, false), place }),
        access: Access::new(&world.aws(), TABLE),
    }
}

pub(crate) fn event(authorization: &[&str]) -> Event {
    let event = json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:abcde12345/v1/GET/list",
        "headers": { "Host": "pix.example", "Authorization": authorization.last() },
        "multiValueHeaders": { "Host": ["pix.example"], "Authorization": authorization },
    });
    serde_json::from_value(event).unwrap()
}

async fn judge(
    authorizer: &Authorizer,
    authorization: &[&str],
    now: &str,
) -> (Result<Result<Grant, Refusal>, Failure>, Value) {
    let line = Line::new("request", "function", false);
    let judged = authorizer.judge(&event(authorization), &line, at(now)).await;
    (judged, line.json(200, None, at(now)))
}

pub(crate) fn bearer(text: &str) -> String {
    format!("Bearer {text}")
}

/// Puts a key into the table, and gives back what its owner has of it.
async fn made(authorizer: &Authorizer, scopes: &str, days: Option<u16>) -> (Secret, Key) {
    let secret = Secret::draw().unwrap();
    let owner = Owner::user(SUB).unwrap();
    let key = Key::new(owner, KeyName::parse("backup").unwrap(), Scopes::read(scopes), days, at(NOW));
    authorizer.access.put(&secret.digest(), &key).await.unwrap();
    (secret, key)
}

#[tokio::test]
async fn a_token_is_its_users_for_everything() {
    let world = World::default();
    let (judged, line) = judge(&over(&world, 200), &[&bearer(&token())], NOW).await;
    let grant = judged.unwrap().unwrap();
    assert_eq!((grant.owner.as_str(), grant.by.as_str()), (SUB, "user"));
    assert_eq!(grant.scopes, Scopes::all());
    assert!(line["jwksMs"].is_number(), "{line}");
    assert!(world.calls().is_empty(), "a token needs no table");
}

#[tokio::test]
async fn a_key_is_its_owners_for_what_it_was_made_for() {
    let world = World::default();
    let authorizer = over(&world, 500);
    let (secret, key) = made(&authorizer, "read delete", None).await;
    world.breaks(None);
    let (judged, _) = judge(&authorizer, &[&bearer(secret.text())], NOW).await;
    let grant = judged.unwrap().unwrap();
    assert_eq!((grant.owner.as_str(), grant.by), (SUB, key.key_id.to_string()));
    assert_eq!(grant.scopes.to_string(), "read delete");
    assert_eq!(world.calls(), ["GetItem", "UpdateItem"]);
    judge(&authorizer, &[&bearer(secret.text())], NOW).await.0.unwrap().unwrap();
    assert_eq!(world.calls(), ["GetItem", "UpdateItem", "GetItem"], "its use is noted once an hour");
    judge(&authorizer, &[&bearer(secret.text())], "2026-11-23T05:05:06.789Z").await.0.unwrap().unwrap();
    assert_eq!(world.calls().len(), 5);
}

#[tokio::test]
async fn no_key_makes_keys_whatever_the_table_says() {
    let authorizer = over(&World::default(), 200);
    let (secret, _) = made(&authorizer, "read keys", None).await;
    let grant = judge(&authorizer, &[&bearer(secret.text())], NOW).await.0.unwrap().unwrap();
    assert!(grant.scopes.contains(Scope::Read) && !grant.scopes.contains(Scope::Keys));
}

#[tokio::test]
async fn a_key_that_has_expired_or_was_revoked_or_is_another_stacks_is_refused() {
    let world = World::default();
    let authorizer = over(&world, 200);
    let (secret, key) = made(&authorizer, "read", Some(1)).await;
    let (other, _) = made(&over(&World::default(), 200), "read", None).await;
    let refused = async |secret: &Secret, now: &str| {
        judge(&authorizer, &[&bearer(secret.text())], now).await.0.unwrap().unwrap_err()
    };
    assert_eq!(refused(&other, NOW).await, Refusal::UnknownKey);
    judge(&authorizer, &[&bearer(secret.text())], "2026-11-24T04:05:05.999Z").await.0.unwrap().unwrap();
    assert_eq!(refused(&secret, "2026-11-24T04:05:06Z").await, Refusal::ExpiredKey);
    assert!(authorizer.access.delete(&key.owner, key.key_id).await.unwrap());
    assert_eq!(refused(&secret, NOW).await, Refusal::UnknownKey);
    assert!(world.keys().is_empty(), "its last use does not bring it back");
}

#[tokio::test]
async fn a_use_that_cannot_be_noted_fails_nothing() {
    let world = World::default();
    let authorizer = over(&world, 200);
    let (secret, _) = made(&authorizer, "read", None).await;
    world.breaks(Some(Break { at: 1, takes_effect: false }));
    let (judged, line) = judge(&authorizer, &[&bearer(secret.text())], NOW).await;
    judged.unwrap().unwrap();
    assert!(line["causes"][0].as_str().unwrap().starts_with("note the use of a key"), "{line}");
}

#[tokio::test]
async fn what_fails_is_ours_and_no_refusal() {
    let authorizer = over(&World::default(), 500);
    let (judged, _) = judge(&authorizer, &[&bearer(&token())], NOW).await;
    assert!(matches!(judged.unwrap_err(), Failure::Busy(_)));
    for (code, busy) in [("ThrottlingException", true), ("ResourceNotFoundException", false)] {
        let (broken, _) = aws(move |_| (400, dynamodb_error(code)));
        let authorizer = Authorizer { access: Access::new(&broken, TABLE), ..over(&World::default(), 200) };
        let secret = Secret::draw().unwrap();
        let failure = judge(&authorizer, &[&bearer(secret.text())], NOW).await.0.unwrap_err();
        assert_eq!(matches!(failure, Failure::Busy(_)), busy, "{failure:?}");
        assert!(!format!("{failure:?}").contains(&secret.digest().to_string()));
    }
}

#[tokio::test]
async fn of_two_headers_none_counts_and_a_long_one_neither() {
    let world = World::default();
    let authorizer = over(&world, 200);
    let good = bearer(&token());
    let long = bearer(&format!("{}{}", token(), "a".repeat(10_000)));
    for (authorization, refusal) in [
        (vec![], Refusal::Missing),
        (vec![good.as_str(), good.as_str()], Refusal::Doubled),
        (vec![good.as_str(), "Bearer cpx_"], Refusal::Doubled),
        (vec![long.as_str()], Refusal::TooLong),
    ] {
        let (judged, _) = judge(&authorizer, &authorization, NOW).await;
        assert_eq!(judged.unwrap().unwrap_err(), refusal);
    }
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn nothing_of_what_a_request_shows_gets_into_the_log() {
    let world = World::default();
    let authorizer = over(&world, 200);
    let (secret, _) = made(&authorizer, "read", None).await;
    let expired = provider().sign(&crate::testing::header(), &crate::testing::claims(&json!({ "exp": 0 })));
    for shown in [secret.text(), Secret::draw().unwrap().text(), &token(), &expired, "cpx_AAAAAAAA"] {
        let line = Line::new("request", "function", false);
        let judged = authorizer.judge(&event(&[&bearer(shown)]), &line, at(NOW)).await.unwrap();
        if let Err(refusal) = judged {
            line.remark(refusal.to_string());
        }
        let line = line.json(401, Some("unauthorized"), at(NOW)).to_string();
        let parts = shown.split(['.', '_']).filter(|part| part.len() > 3);
        parts.for_each(|part| assert!(!line.contains(part), "{line}"));
    }
}

proptest! {
    /// Whatever a stranger sends is refused, and is never a failure of ours, which would be a 500.
    #[test]
    fn whatever_is_sent_is_judged(text: String, shaped in "(Bearer |bearer  )?(cpx_|eyJ)?[A-Za-z0-9_.=-]{0,80}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let authorizer = over(&World::default(), 200);
        for header in [&text, &shaped] {
            let (judged, _) = runtime.block_on(judge(&authorizer, &[header], NOW));
            prop_assert!(judged.unwrap().is_err());
        }
    }
}
