//! Who may call a function, and calls of our own.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_types::timeout::TimeoutConfig;
use contract::Function;
use serde_json::Value;

use super::{GONE, NOT_YET};
use crate::aws::Aws;
use crate::aws::failure::{failed, optional};
use crate::aws::wait::{retry, says};
use crate::stack::place::{API_ID, LIVE, Names};
use crate::stack::resource::lambda::Permission;

/// Lambda lets no function run longer than 15 minutes.
const LONGEST: Duration = Duration::from_mins(16);

/// Who may call the function's alias, and the function past it, by statements that bear our ids.
///
/// An alias has a policy of its own, and what is allowed on the function itself is not allowed on it:
/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html>, `Qualifier`.
pub async fn read_permission(
    aws: &Aws,
    names: &Names,
    function: Function,
    api: Option<&str>,
) -> anyhow::Result<Option<Permission>> {
    let name = names.function(function);
    let (callers, unqualified) =
        tokio::try_join!(callers(aws, &name, Some(LIVE), api), callers(aws, &name, None, api))?;
    let permission = Permission { callers, unqualified };
    Ok((permission != Permission::default()).then_some(permission))
}

/// The ARN of a bucket holds no account, and a bucket that was deleted may come back as somebody
/// else's, so the account is a condition of its own.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html>
fn is_bucket(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("s3")
}

fn principal(caller: &str) -> &'static str {
    if is_bucket(caller) { "s3.amazonaws.com" } else { "apigateway.amazonaws.com" }
}

/// The ARN that a statement is for, where it says no less than one of ours does.
fn caller<'a>(aws: &Aws, statement: &'a Value) -> Option<&'a str> {
    let condition = &statement["Condition"];
    let caller = condition["ArnLike"]["AWS:SourceArn"].as_str()?;
    let service = statement["Principal"]["Service"].as_str() == Some(principal(caller));
    let account = condition["StringEquals"]["AWS:SourceAccount"].as_str();
    (service && (!is_bucket(caller) || account == Some(&aws.place.account))).then_some(caller)
}

async fn callers(
    aws: &Aws,
    name: &str,
    qualifier: Option<&str>,
    api: Option<&str>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let get = aws.lambda.get_policy().function_name(name).set_qualifier(qualifier.map(str::to_owned));
    let Some(policy) = optional(get.send().await, "lambda:GetPolicy", GONE)?.and_then(|it| it.policy) else {
        return Ok(BTreeMap::new());
    };
    let policy: Value =
        serde_json::from_str(&policy).with_context(|| format!("read the policy of the function {name}"))?;
    let suffix = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    let resource = aws.place.arn("lambda", &format!("function:{name}{suffix}"));
    let mut callers = BTreeMap::new();
    for statement in policy["Statement"].as_array().into_iter().flatten() {
        // IAM's grammar has letters and digits alone in a Sid; what earlier versions wrote had more.
        let ours = |id: &&str| id.starts_with("Cloudpix") || id.starts_with("cloudpix-");
        let Some(id) = statement["Sid"].as_str().filter(ours) else { continue };
        // An emulator tells those of the alias with those of the function.
        if statement["Resource"] != resource {
            continue;
        }
        let caller = caller(aws, statement).unwrap_or("anything else");
        let caller =
            api.map_or(caller.to_owned(), |api| caller.replace(&format!(":{api}/"), &format!(":{API_ID}/")));
        callers.insert(id.to_owned(), caller);
    }
    Ok(callers)
}

/// One statement after another: Lambda loses one of two that are added at the same time. What is to go does
/// so last, so that the API may call the function all the while.
pub async fn set_permission(
    aws: &Aws,
    names: &Names,
    function: Function,
    api: &str,
    live: &Permission,
    desired: &Permission,
) -> anyhow::Result<()> {
    let (client, name) = (&aws.lambda, names.function(function));
    for (id, caller) in desired.callers.iter().filter(|(id, caller)| live.callers.get(*id) != Some(caller)) {
        if live.callers.contains_key(id) {
            remove_permission(client, &name, Some(LIVE), id).await?;
        }
        let add = client
            .add_permission()
            .function_name(&name)
            .qualifier(LIVE)
            .statement_id(id)
            .action("lambda:InvokeFunction")
            .principal(principal(caller))
            .set_source_account(is_bucket(caller).then(|| aws.place.account.clone()))
            .source_arn(caller.replace(API_ID, api));
        match retry(NOT_YET, async || add.clone().send().await).await {
            // One that differs was removed, so this is ours: the response to an earlier try got lost.
            Err(error) if says(&error, ("ResourceConflictException", "already exist")) => (),
            answer => answer.map(|_| ()).map_err(failed("lambda:AddPermission"))?,
        }
    }
    for id in live.callers.keys().filter(|id| !desired.callers.contains_key(*id)) {
        remove_permission(client, &name, Some(LIVE), id).await?;
    }
    for id in live.unqualified.keys().filter(|id| !desired.unqualified.contains_key(*id)) {
        remove_permission(client, &name, None, id).await?;
    }
    Ok(())
}

async fn remove_permission(
    client: &Client,
    name: &str,
    qualifier: Option<&str>,
    id: &str,
) -> anyhow::Result<()> {
    let remove = client.remove_permission().function_name(name).statement_id(id);
    let remove = remove.set_qualifier(qualifier.map(str::to_owned));
    let answer = retry(NOT_YET, async || remove.clone().send().await).await;
    optional(answer, "lambda:RemovePermission", GONE).map(|_| ())
}

/// What a function said of an event that somebody waited for.
#[derive(Clone, Debug)]
pub enum Call {
    /// What it returned.
    Done(Value),
    /// It failed, with this message.
    Failed(String),
}

/// Has the function's alias do `event` now, and waits for what it returns.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
pub async fn call(aws: &Aws, names: &Names, function: Function, event: &Value) -> anyhow::Result<Call> {
    let invoke = aws.lambda.invoke().function_name(names.function(function)).qualifier(LIVE);
    // A function may take longer than any other call, and is not asked twice for that.
    let patience = TimeoutConfig::builder().operation_attempt_timeout(LONGEST);
    let patience = aws_sdk_lambda::config::Builder::new().timeout_config(patience.build());
    let invoke = invoke.payload(Blob::new(event.to_string())).customize().config_override(patience);
    let answer = invoke.send().await.map_err(failed("lambda:InvokeFunction"))?;
    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
    let said: Value = serde_json::from_slice(&payload).unwrap_or_default();
    Ok(match answer.function_error {
        None => Call::Done(said),
        Some(kind) => {
            let message = said["errorMessage"].as_str().unwrap_or("it did not say why");
            Call::Failed(format!("{kind}: {message}"))
        }
    })
}

/// Gives the function's alias an event to do when it can, and returns whether Lambda took it: not where
/// it is no JSON.
pub async fn send(aws: &Aws, names: &Names, function: Function, event: &str) -> anyhow::Result<bool> {
    let invoke = aws.lambda.invoke().function_name(names.function(function)).qualifier(LIVE);
    let invoke = invoke.invocation_type(InvocationType::Event).payload(Blob::new(event));
    let answer = optional(invoke.send().await, "lambda:InvokeFunction", &["InvalidRequestContentException"])?;
    let Some(status) = answer.map(|answer| answer.status_code) else { return Ok(false) };
    ensure!(status == 202, "lambda:InvokeFunction answers {status} to an event, not 202");
    Ok(true)
}
