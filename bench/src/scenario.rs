//! What is measured: a request each, how often it is made, and what its answer must say.

use anyhow::{Context, ensure};
use contract::{Function, INLINE_LIMIT};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::event;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) event: Vec<u8>,
    /// Warm requests to each contender.
    pub(crate) runs: usize,
    /// Whether any program that takes and lists images serves it.
    pub(crate) is_plain: bool,
    status: u16,
    /// Fields of the answer.
    answer: Value,
}

/// As many as settle the median where a request is quick, and as take a few seconds where it is not.
const MANY: usize = 200;
const FEW: usize = 50;

pub(crate) fn all() -> Vec<Scenario> {
    let upload = |name, event, runs, answer| Scenario {
        name,
        function: Function::Upload,
        event,
        runs,
        is_plain: true,
        status: 201,
        answer,
    };
    let large = json!({ "status": "ready", "size": INLINE_LIMIT, "width": 4032, "height": 3024 });
    vec![
        upload("small upload", event::upload_of_pixel(), MANY, json!({ "status": "ready", "size": 70 })),
        upload(
            "1 MB upload",
            event::upload_of_photograph(1_000_000),
            FEW,
            json!({ "status": "ready", "size": 1_000_000 }),
        ),
        upload("large upload", event::upload_of_photograph(INLINE_LIMIT), FEW, large.clone()),
        upload("large raw upload", event::upload_of_bytes(INLINE_LIMIT), FEW, large),
        Scenario {
            is_plain: false,
            ..upload(
                "presigned upload",
                event::announcement(20_000_000),
                MANY,
                json!({ "status": "pending" }),
            )
        },
        listing(),
    ]
}

pub(crate) fn listing() -> Scenario {
    Scenario {
        name: "list of 50",
        function: Function::List,
        event: event::listing(&Value::Null),
        runs: MANY,
        is_plain: true,
        status: 200,
        answer: json!({ "count": 50 }),
    }
}

impl Scenario {
    /// A quick answer that is wrong is worth nothing.
    pub(crate) fn check(&self, answer: &[u8]) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Response {
            status_code: u16,
            body: String,
        }
        let text = || String::from_utf8_lossy(answer).chars().take(1000).collect::<String>();
        let response: Response =
            serde_json::from_slice(answer).with_context(|| format!("this is no response: {}", text()))?;
        ensure!(response.status_code == self.status, "status {} is wanted: {}", self.status, text());
        let body: Value = serde_json::from_str(&response.body).context("read the response's body")?;
        for (name, value) in self.answer.as_object().into_iter().flatten() {
            ensure!(body[name] == *value, "{name} must be {value}: {}", text());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_must_have_the_status_and_the_fields() {
        let all = all();
        let list = all.last().unwrap();
        let answer = |status: u16, count: u64| {
            json!({ "statusCode": status, "body": json!({ "count": count }).to_string() }).to_string()
        };
        assert!(list.check(answer(200, 50).as_bytes()).is_ok());
        assert!(list.check(answer(200, 49).as_bytes()).is_err());
        assert!(list.check(answer(500, 50).as_bytes()).is_err());
        assert!(list.check(b"{}").is_err());
    }

    #[test]
    fn every_event_fits_what_lambda_takes() {
        for scenario in all() {
            assert!(scenario.event.len() <= 6 * 1024 * 1024, "{}: {}", scenario.name, scenario.event.len());
        }
    }
}
