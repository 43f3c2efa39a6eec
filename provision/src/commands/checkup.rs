//! `provision doctor`, which also runs before the first change: everything that is known to keep
//! `apply` from working is looked at, all at once.

use std::process::ExitCode;

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};

use super::pack;
use crate::aws::{Aws, apigateway, http, iam, lambda};
use crate::cli::{Code, Common};
use crate::doctor::{self, Finding, Severity, statements};
use crate::report;
use crate::settings::{self, Settings, StateBucket};
use crate::state::Store;

/// AWS refuses a signature that is five minutes off, and a clock that is a minute off goes on drifting.
const SKEW_LIMIT: SignedDuration = SignedDuration::from_mins(5);
const SKEW_WARNING: SignedDuration = SignedDuration::from_mins(1);

pub async fn doctor(common: &Common, code: &Code, policy: bool) -> anyhow::Result<ExitCode> {
    if policy {
        let settings = settings::load(common.config.as_deref(), &common.env, code.package)?;
        let aws = Aws::connect().await?;
        report::policy(&doctor::policy(&aws.place, &common.env, settings.state_bucket.as_ref()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut findings = Vec::new();
    let settings = settings::load(common.config.as_deref(), &common.env, code.package);
    let settings = match settings {
        Ok(settings) => {
            findings.push(Finding::ok("settings", format!("environment {}", settings.env)));
            Some(settings)
        }
        Err(error) => {
            findings.push(Finding::error("settings", format!("{error:#}"), "correct cloudpix.toml"));
            None
        }
    };
    match Aws::connect().await {
        Ok(aws) => {
            if let Some(settings) = &settings {
                findings.extend(state(common, settings, &aws).await);
                findings.push(binaries(settings, &aws, code).await);
                findings.push(tracing(settings));
            }
            findings.extend(look(&aws, &common.env, settings.as_ref()).await);
        }
        Err(error) => findings.push(Finding::error(
            "credentials",
            format!("{error:#}"),
            "give provision credentials and a region, then run doctor again",
        )),
    }
    findings.push(docker());
    let well = report::checkup(&findings, common.json)?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What must be well before a stack is begun; an error holds all that is not.
pub(super) async fn before_the_first_change(aws: &Aws, settings: &Settings) -> anyhow::Result<()> {
    let findings = look(aws, &settings.env, Some(settings)).await;
    if findings.iter().all(|finding| finding.severity != Severity::Error) {
        return Ok(());
    }
    let wrong: Vec<String> = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|Finding { what, detail, advice, .. }| {
            format!("  {what}: {detail}; {}", advice.unwrap_or_default())
        })
        .collect();
    bail!("nothing was changed, because the following would stop it half-way:\n{}", wrong.join("\n"))
}

/// What AWS can be asked.
async fn look(aws: &Aws, env: &str, settings: Option<&Settings>) -> Vec<Finding> {
    let state = settings.and_then(|settings| settings.state_bucket.as_ref());
    let reserved = settings.map_or(0, Settings::reserved);
    let who = Finding::ok(
        "credentials",
        format!("{} in account {}, region {}", aws.caller, aws.place.account, aws.place.region),
    );
    let (permissions, concurrency, logs, clock) =
        tokio::join!(permissions(aws, env, state), concurrency(aws, reserved), access_logs(aws), clock(aws));
    vec![who, permissions, concurrency, logs, clock]
}

async fn state(common: &Common, settings: &Settings, aws: &Aws) -> Option<Finding> {
    let store = Store::new(&common.state_dir, settings, aws);
    let found = store.load().await.and_then(|record| match record {
        Some(record) => record.check_place(&aws.place, &store.place()).map(|()| true),
        None => Ok(false),
    });
    match found {
        Ok(true) => Some(Finding::ok("state", store.place())),
        Ok(false) => None,
        Err(error) => Some(Finding::error("state", format!("{error:#}"), "see the message")),
    }
}

async fn binaries(settings: &Settings, aws: &Aws, code: &Code) -> Finding {
    match pack(settings, aws.endpoint.is_some(), code.functions.as_deref()).await {
        Ok((codes, _)) => Finding::ok("functions", format!("{} are built", codes.len())),
        Err(error) => Finding::error("functions", format!("{error:#}"), "build them: make build"),
    }
}

async fn permissions(aws: &Aws, env: &str, state: Option<&StateBucket>) -> Finding {
    const WHAT: &str = "permissions";
    let policy = || {
        let env = if env == "default" { String::new() } else { format!(" --env {env}") };
        format!("the policy that is needed: provision doctor --policy{env}")
    };
    if aws.caller.ends_with(":root") {
        let detail = "these are the root user's credentials, which may do everything";
        return Finding::warning(WHAT, detail, format!("make a user or a role for this; {}", policy()));
    }
    match iam::denied(aws, &statements(&aws.place, env, state)).await {
        Ok(refused) => doctor::permissions(&refused, &policy()),
        Err(error) => {
            let first = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
            Finding::warning(WHAT, format!("cannot be checked: {first}"), policy())
        }
    }
}

async fn concurrency(aws: &Aws, reserved: i32) -> Finding {
    match lambda::concurrency(aws).await {
        Ok(limit) => doctor::concurrency(limit, reserved),
        Err(error) => {
            let first = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
            Finding::warning("Lambda quota", format!("cannot be read: {first}"), "it may be fine")
        }
    }
}

async fn access_logs(aws: &Aws) -> Finding {
    const WHAT: &str = "access logs";
    const ADVICE: &str = "to have them, let API Gateway write logs: docs/observability.md, \"Access logs\"";
    match apigateway::may_log(aws).await {
        Ok(true) => Finding::ok(WHAT, "this account lets API Gateway write them"),
        Ok(false) => Finding::warning(WHAT, "none: this account lets API Gateway write no logs", ADVICE),
        Err(error) => {
            let first = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
            Finding::warning(WHAT, format!("cannot be read: {first}"), ADVICE)
        }
    }
}

async fn clock(aws: &Aws) -> Finding {
    const WHAT: &str = "clock";
    let asked = Timestamp::now();
    let theirs = match http::date(&aws.sts_url()).await {
        Ok(Some(theirs)) => theirs,
        Ok(None) => return Finding::warning(WHAT, "AWS did not say the time", "it may be fine"),
        Err(error) => return Finding::warning(WHAT, format!("{error:#}"), "it may be fine"),
    };
    // A header has whole seconds.
    let skew = (asked.duration_until(theirs)).abs() - SignedDuration::from_secs(1);
    let detail = format!("{} s off", skew.as_secs().max(0));
    if skew > SKEW_LIMIT {
        Finding::error(WHAT, detail, "set this machine's clock; AWS refuses requests of another time")
    } else if skew > SKEW_WARNING {
        Finding::warning(WHAT, detail, "set this machine's clock; from five minutes on AWS refuses requests")
    } else {
        Finding::ok(WHAT, "right")
    }
}

/// Neither is wrong: it is a matter of money.
fn tracing(settings: &Settings) -> Finding {
    Finding::ok(
        "tracing",
        if settings.watch.tracing {
            "on, at 5 dollars a million traces; `tracing = false` once nobody looks at them"
        } else {
            "off; `tracing = true` while you look for where the time of requests goes"
        },
    )
}

fn docker() -> Finding {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("docker").is_file()));
    Finding::ok("Docker", if found { "here, and not needed" } else { "not here, and not needed" })
}
