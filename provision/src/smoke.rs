//! Does a function do its work? Asked through the API, as a client would, or by an event where no route leads to it.

use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{Function, path};
use keys::secret::Secret;
use serde_json::json;

use crate::aws::Aws;
use crate::aws::http::{self, Answer};
use crate::aws::lambda::{self, Call};
use crate::outputs::Outputs;
use crate::pass::Pass;
use crate::stack::function::{SmokeTest, profile};
use crate::stack::place::Names;

/// A PNG of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const NAME: &str = "cloudpix-smoke-test.png";
/// Tries of a request: a throttled one, or one whose connection broke, says nothing of the function.
const TRIES: u32 = 4;

/// Has `function` do what it is there for, and returns an error where it does not.
///
/// What is uploaded is deleted again. `key` names the test: run again under it after a kill, it finds
/// its own image and goes on, and leaves none behind.
pub async fn test(
    aws: &Aws,
    names: &Names,
    outputs: &Outputs,
    pass: &Pass,
    function: Function,
    key: &str,
) -> anyhow::Result<()> {
    let api = Api { outputs, pass };
    match profile(function).smoke_test {
        SmokeTest::Get { path, query } => {
            api.expect("GET", &format!("{path}?{query}"), &[], b"", &[200]).await.map(|_| ())
        }
        // A key that nobody has is refused, and asked about anew, since no answer to it is kept.
        SmokeTest::Key { path, query } => {
            let asked = format!("{path}?{query}");
            api.expect("GET", &asked, &[], b"", &[200]).await?;
            let wrong = format!("Bearer {}", Secret::draw().context("draw a key")?.text());
            let stranger = Pass::default();
            let api = Api { outputs, pass: &stranger };
            api.expect("GET", &asked, &[("authorization", &wrong)], b"", &[401]).await.map(|_| ())
        }
        // An event about nothing succeeds in every function that has started well.
        SmokeTest::EmptyEvent => match lambda::call(aws, names, function, &json!({"Records": []})).await? {
            Call::Done(_) => Ok(()),
            Call::Failed(why) => bail!("an event without records fails: {why}"),
        },
        SmokeTest::Upload => {
            let pixel = STANDARD.decode(PIXEL).context("decode the pixel")?;
            let to = format!("{}?fileName={NAME}", path::UPLOAD);
            let headers = [("content-type", "image/png"), ("idempotency-key", key)];
            // 409: this very test has uploaded and deleted it, before a kill.
            let answer = api.expect("POST", &to, &headers, &pixel, &[201, 409]).await?;
            if answer.status == 409 {
                return Ok(());
            }
            let location = answer.location.context("the answer to an upload has no Location")?;
            api.expect("DELETE", below_the_stage(&location), &[], b"", &[204, 404]).await.map(|_| ())
        }
    }
}

/// The image's path below the API's URL, which has the stage already. Versions that may yet be gone back
/// to leave the stage out.
fn below_the_stage(location: &str) -> &str {
    location.rfind("/images/").map_or(location, |at| &location[at..])
}

struct Api<'a> {
    outputs: &'a Outputs,
    pass: &'a Pass,
}

impl Api<'_> {
    async fn expect(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
        wanted: &[u16],
    ) -> anyhow::Result<Answer> {
        let url = self.outputs.api_url.as_deref().context("the stack has no API")?;
        let url = format!("{url}{path}");
        let headers: Vec<(&'static str, &str)> = headers.iter().copied().chain(self.pass.headers()).collect();
        let mut last = String::new();
        for attempt in 0..TRIES {
            match http::send(method, &url, &headers, body).await {
                Ok(answer) if wanted.contains(&answer.status) => return Ok(answer),
                Ok(answer) => last = format!("{method} {path} answers {}", answer.status),
                Err(error) => last = format!("{error:#}"),
            }
            if attempt + 1 < TRIES {
                tokio::time::sleep(Duration::from_millis(250 << attempt)).await;
            }
        }
        bail!("{last}, not {}", wanted.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_below_the_stage_wherever_a_version_says_it_is() {
        for location in ["/images/7", "/v1/images/7", "/restapis/a/v1/_user_request_/images/7"] {
            assert_eq!(below_the_stage(location), "/images/7");
        }
    }

    #[test]
    fn the_pixel_is_a_png() {
        assert!(STANDARD.decode(PIXEL).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    }
}
