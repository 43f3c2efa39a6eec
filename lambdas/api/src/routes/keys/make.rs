//! `POST /keys`. The answer is the only place where the key itself is ever seen.
//!
//! There is no `Idempotency-Key`: whoever asked again could not be told the same key, since only its hash is kept. A
//! key whose answer got lost is in the list under its name, and can be revoked there.

use anyhow::Context;
use catalog::log::Line;
use contract::Scope;
use http::StatusCode;
use jiff::Timestamp;
use keys::name::{BadKeyName, KeyName};
use keys::record::{Key, MOST, MOST_DAYS};
use keys::scopes::{Scopes, can_be_granted};
use keys::secret::Secret;
use keys::wire::MadeKey;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::kept;
use crate::answer::Answer;
use crate::caller::Caller;
use crate::reject::{Problem, Reject};
use crate::request::{Body, Request, RequestExt};
use crate::routes::json::{object, text, whole_number};
use crate::service::Service;

/// A name of a hundred characters and all scopes, written with escapes, are far below.
const LARGEST_BODY: usize = 16 << 10;

/// What a key is asked to be.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    name: KeyName,
    scopes: Scopes,
    days: Option<u16>,
}

/// The fields as they came, so that each can be blamed by name. One that is not known is refused: a mistyped
/// `expiresInDays` would otherwise make a key that never expires.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    scopes: Option<&'a RawValue>,
    expires_in_days: Option<&'a RawValue>,
}

pub async fn make(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let kept = kept(service)?;
    let Wanted { name, scopes, days } = parse(&request)?;
    let there = line.timed("dynamodbQueryMs", kept.list(&caller.owner)).await?;
    // The limit keeps lists short. It is not exact, since the index follows the table within moments.
    if there.iter().filter(|key| !key.is_expired(now)).count() >= MOST {
        let detail = format!("there are {MOST} keys already; revoke one that is not needed");
        return Err(Reject::refused(Problem::Conflict, detail));
    }
    let secret = Secret::draw().context("draw a key").map_err(Reject::Internal)?;
    let key = Key::new(caller.owner.clone(), name, scopes, days, now);
    line.timed("dynamodbPutMs", kept.put(&secret.digest(), &key)).await?;
    Ok(service.answers.json(StatusCode::CREATED, &MadeKey::new(&secret, &key)))
}

fn parse(request: &Request) -> Result<Wanted, Reject> {
    let media_type = request.header("content-type").unwrap_or("application/json");
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let body = match request.body() {
        Body::Text(text) if essence.eq_ignore_ascii_case("application/json") => text,
        _ => return Err(Reject::refused(Problem::UnsupportedMediaType, "send application/json")),
    };
    if body.len() > LARGEST_BODY {
        return Err(Reject::refused(Problem::PayloadTooLarge, "this is too long for a name and some scopes"));
    }
    let fields: Fields = object(body)?;
    let name = text("name", fields.name)?.ok_or(BadKeyName::Empty)?;
    Ok(Wanted {
        name: KeyName::parse(&name)?,
        scopes: scopes(fields.scopes)?,
        days: fields.expires_in_days.map(days).transpose()?,
    })
}

fn scopes(value: Option<&RawValue>) -> Result<Scopes, Reject> {
    let invalid = || {
        let names: Vec<_> =
            Scope::ALL.into_iter().filter(|scope| can_be_granted(*scope)).map(Scope::name).collect();
        Reject::invalid(
            "scopes",
            format!("scopes must be a list, each once, of some of {}", names.join(", ")),
        )
    };
    let names: Vec<String> =
        value.and_then(|json| serde_json::from_str(json.get()).ok()).ok_or_else(invalid)?;
    let mut scopes = Vec::new();
    for name in names {
        let scope = Scope::named(&name).filter(|scope| can_be_granted(*scope) && !scopes.contains(scope));
        scopes.push(scope.ok_or_else(invalid)?);
    }
    if scopes.is_empty() { Err(invalid()) } else { Ok(scopes.into_iter().collect()) }
}

fn days(value: &RawValue) -> Result<u16, Reject> {
    let days = whole_number(value.get()).and_then(|days| u16::try_from(days).ok());
    days.filter(|days| (1..=MOST_DAYS).contains(days)).ok_or_else(|| {
        let detail = format!("expiresInDays must be a whole number from 1 to {MOST_DAYS}");
        Reject::invalid("expiresInDays", detail)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gateway::event;

    fn read(body: &str) -> Result<Wanted, Reject> {
        let event = json!({ "headers": { "Content-Type": "application/json" }, "body": body });
        parse(&event::read(event.to_string().into_bytes()))
    }

    #[test]
    fn a_key_has_a_name_scopes_and_maybe_an_end() {
        let wanted = read(r#"{"name":"バックアップ","scopes":["write","read"],"expiresInDays":30}"#).unwrap();
        let name = KeyName::parse("バックアップ").unwrap();
        assert_eq!(wanted, Wanted { name, scopes: Scopes::read("read write"), days: Some(30) });
        for end in ["", r#","expiresInDays":null"#] {
            let body = format!(r#"{{"name":"\u0061","scopes":["shares"]{end}}}"#);
            assert_eq!(read(&body).unwrap().days, None);
        }
        assert_eq!(
            read(r#"{"name":"a","scopes":["read"],"expiresInDays":3.65e3}"#).unwrap().days,
            Some(3650)
        );
    }

    #[track_caller]
    fn check(body: &str, field: &str, detail: &str) {
        match read(body).unwrap_err() {
            Reject::Refused { problem: Problem::BadRequest, field: Some(at_fault), detail: told } => {
                assert_eq!(at_fault, field, "{body}");
                assert!(told.contains(detail), "{body}: {told}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn what_makes_no_key_is_told_by_its_field() {
        check("", "body", "the body is empty");
        check("[]", "body", "must be a JSON object");
        check(r#"{"name":"a","scopes":["read"],"expireInDays":1}"#, "body", "unknown field `expireInDays`");
        check(r#"{"scopes":["read"]}"#, "name", "the name is empty");
        check(r#"{"name":7,"scopes":["read"]}"#, "name", "name must be a string");
        check(r#"{"name":"\u0000","scopes":["read"]}"#, "name", "control character");
        for scopes in [
            "null",
            "[]",
            "7",
            r#""read""#,
            r#"["keys"]"#,
            r#"["READ"]"#,
            r#"["read","read"]"#,
            r#"["read",7]"#,
        ] {
            check(&format!(r#"{{"name":"a","scopes":{scopes}}}"#), "scopes", "read, write, delete, shares");
        }
        check(r#"{"name":"a"}"#, "scopes", "each once");
        for days in ["0", "-1", "3651", "1.5", r#""7""#, "1e9", "true"] {
            let body = format!(r#"{{"name":"a","scopes":["read"],"expiresInDays":{days}}}"#);
            check(&body, "expiresInDays", "from 1 to 3650");
        }
    }

    #[test]
    fn only_json_is_taken_and_not_much_of_it() {
        let told = |media_type: &str, is_base64: bool, body: &str| {
            let event = json!({
                "headers": { "Content-Type": media_type },
                "body": body,
                "isBase64Encoded": is_base64,
            });
            parse(&event::read(event.to_string().into_bytes())).unwrap_err().problem()
        };
        assert_eq!(told("text/plain", false, "{}"), Problem::UnsupportedMediaType);
        assert_eq!(told("application/json", true, "e30="), Problem::UnsupportedMediaType);
        assert_eq!(told("Application/JSON; charset=utf-8", false, "{}"), Problem::BadRequest);
        assert_eq!(told("application/json", false, &" ".repeat(LARGEST_BODY + 1)), Problem::PayloadTooLarge);
    }
}
