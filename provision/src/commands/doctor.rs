//! `provision doctor`, which also runs before the first change: everything that is known to keep
//! `apply` from working is looked at, all at once.

use std::process::ExitCode;

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};

use crate::aws::{Aws, apigateway, http, iam, lambda};
use crate::cli::{Code, Common};
use crate::finding::{Finding, Severity};
use crate::live::Suffix;
use crate::session::Session;
use crate::settings::{self, Settings};
use crate::state::Store;
use crate::{package, permissions, report};

/// AWS refuses a signature that is five minutes off, and a clock that is a minute off goes on drifting.
const SKEW_LIMIT: SignedDuration = SignedDuration::from_mins(5);
const SKEW_WARNING: SignedDuration = SignedDuration::from_mins(1);

pub async fn run(common: &Common, code: &Code, policy: bool) -> anyhow::Result<ExitCode> {
    if policy {
        let settings = settings::load(common.config.as_deref(), &common.env, code.package)?;
        let aws = Aws::connect().await?;
        report::policy(&permissions::policy(&aws.place, &settings))?;
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
                findings.extend(sign_in(settings).await);
            }
            // Without settings that can be read, it is looked at what would be without any.
            let fallback = Settings { env: common.env.clone(), ..Settings::default() };
            findings.extend(look(&aws, settings.as_ref().unwrap_or(&fallback)).await);
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
pub(super) async fn before_the_first_change(
    Session { settings, aws, .. }: &Session,
    suffix: Suffix,
) -> anyhow::Result<()> {
    if suffix == Suffix::Known {
        return Ok(());
    }
    let findings = look(aws, settings).await;
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
async fn look(aws: &Aws, settings: &Settings) -> Vec<Finding> {
    let who = Finding::ok(
        "credentials",
        format!("{} in account {}, region {}", aws.caller, aws.place.account, aws.place.region),
    );
    let (permissions, concurrency, logs, clock) = tokio::join!(
        permissions(aws, settings),
        concurrency(aws, settings.reserved()),
        access_logs(aws),
        clock(aws)
    );
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
    match package::pack_all(settings, aws.place.endpoint.is_some(), code.functions.as_deref()).await {
        Ok(packed) => Finding::ok("functions", format!("{} are built", packed.code.len())),
        Err(error) => Finding::error("functions", format!("{error:#}"), "build them: make build"),
    }
}

async fn permissions(aws: &Aws, settings: &Settings) -> Finding {
    const WHAT: &str = "permissions";
    let env = &settings.env;
    let policy = || {
        let env = if env == "default" { String::new() } else { format!(" --env {env}") };
        format!("the policy that is needed: provision doctor --policy{env}")
    };
    if aws.caller.ends_with(":root") {
        let detail = "these are the root user's credentials, which may do everything";
        return Finding::warning(WHAT, detail, format!("make a user or a role for this; {}", policy()));
    }
    match iam::denied(aws, &permissions::statements(&aws.place, settings)).await {
        Ok(refused) => permissions::finding(&refused, &policy()),
        Err(error) => {
            let first = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
            Finding::warning(WHAT, format!("cannot be checked: {first}"), policy())
        }
    }
}

async fn concurrency(aws: &Aws, reserved: i32) -> Finding {
    match lambda::concurrency(aws).await {
        Ok(limit) => at_once(limit, reserved),
        Err(error) => {
            let first = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
            Finding::warning("Lambda quota", format!("cannot be read: {first}"), "it may be fine")
        }
    }
}

/// New accounts may run no more functions than these at once.
const FEW_AT_ONCE: i32 = 50;

/// How many of the functions that may run at once no function may have for itself.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>; an account that is new
/// has 10 in all, and Lambda's refusal then names 10.
fn unreservable(limit: i32) -> i32 {
    if limit >= 100 { 100 } else { 10 }
}

/// What it means that `limit` functions may run at once in account and region, of which the settings want
/// `reserved` for functions of this stack.
fn at_once(limit: i32, reserved: i32) -> Finding {
    const WHAT: &str = "Lambda quota";
    const ADVICE: &str = "ask for more in Service Quotas: Lambda, Concurrent executions";
    let free = limit - unreservable(limit);
    if reserved > free {
        let detail = format!(
            "{limit} functions at once, of which {} can be reserved, and `concurrency` in cloudpix.toml is {reserved}",
            free.max(0)
        );
        return Finding::error(WHAT, detail, format!("lower it, or {ADVICE}"));
    }
    if limit < FEW_AT_ONCE {
        let detail =
            format!("only {limit} functions at once in this account and region; more requests get 429");
        return Finding::warning(WHAT, detail, ADVICE);
    }
    let of_ours = if reserved > 0 { format!(", {reserved} of them reserved") } else { String::new() };
    Finding::ok(WHAT, format!("{limit} functions at once{of_ours}"))
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

/// Who may call the API, and whether a provider of one's own is where the settings say.
async fn sign_in(settings: &Settings) -> Option<Finding> {
    const WHAT: &str = "sign-in";
    const ADVICE: &str =
        "correct sign-in.issuer in cloudpix.toml, or see to it that the provider can be reached";
    if !settings.has_users() {
        return None;
    }
    let Some((issuer, _)) = settings.sign_in.provider() else {
        let tier = settings.sign_in.tier.name().to_lowercase();
        return Some(Finding::ok(WHAT, format!("a user pool of the stack's own, {tier}")));
    };
    // OpenID Connect Discovery 1.0, section 4.
    let url = format!("{issuer}/.well-known/openid-configuration");
    Some(match http::status(&url, &[]).await {
        Ok(200) => Finding::ok(WHAT, format!("the users of {issuer}")),
        Ok(status) => Finding::error(WHAT, format!("{url} answers {status}"), ADVICE),
        Err(error) => Finding::warning(WHAT, format!("{error:#}"), ADVICE),
    })
}

/// Neither is wrong: it is a matter of money.
fn tracing(settings: &Settings) -> Finding {
    Finding::ok(
        "tracing",
        if settings.tracing {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_reserved_is_said_before_lambda_refuses_it() {
        let judge = |limit, reserved| at_once(limit, reserved).severity;
        assert_eq!(judge(1000, 0), Severity::Ok);
        assert_eq!(judge(1000, 900), Severity::Ok);
        assert_eq!(judge(1000, 901), Severity::Error);
        assert_eq!(judge(10, 0), Severity::Warning);
        assert_eq!(judge(10, 1), Severity::Error);
        let detail = at_once(10, 1).detail;
        assert!(detail.contains("10 functions at once, of which 0 can be reserved"), "{detail}");
    }
}
