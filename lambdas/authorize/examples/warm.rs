//! What a request with a token costs once the provider's keys are there, in CPU time of this process:
//! `cargo run --release -p authorize --example warm`.
#![expect(clippy::print_stdout, reason = "it is for people")]

use std::time::Duration;

use authorize::authorizer::Authorizer;
use authorize::event::Event;
use authorize::fetch::{Address, Fetch};
use authorize::jwks::{Jwks, Place, Source};
use authorize::policy::Policy;
use authorize::testing::{APPLICATION, ISSUER, KEY_ID, provider, token};
use authorize::token::Verifier;
use catalog::access::Access;
use catalog::log::Line;
use catalog::testing::aws;
use image::moment::now;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use serde_json::json;

const REQUESTS: u32 = 10_000;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let (aws, _) = aws(|_| (200, provider().jwks(KEY_ID).to_string()));
        let place = Place::Keys(Address::parse("https://login.example/jwks.json", false)?);
        let authorizer = Authorizer {
            verifier: Verifier::new(ISSUER, APPLICATION),
            jwks: Jwks::new(Source { fetch: Fetch::new(aws.http.clone(), false), place }),
            access: Access::new(&aws, "access"),
        };
        authorizer.jwks.warm(now()).await;
        let event = json!({
            "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:abcde12345/v1/GET/list",
            "multiValueHeaders": { "Authorization": [format!("Bearer {}", token())] },
        });
        let event = event.to_string();
        let began = cpu_time()?;
        for _ in 0..REQUESTS {
            let line = Line::new("request", "function", false);
            let event: Event = serde_json::from_str(&event)?;
            let judged = authorizer.judge(&event, &line, now()).await?;
            let stage = event.stage().unwrap_or_default();
            serde_json::to_string(&Policy::allow(&stage, &judged?))?;
            line.json(200, None, now());
        }
        println!("{:?} of CPU a request", cpu_time()?.saturating_sub(began) / REQUESTS);
        Ok(())
    })
}

/// What this process has used so far.
fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let time =
        |time: TimeVal| Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or_default());
    Ok(time(usage.user_time()) + time(usage.system_time()))
}
