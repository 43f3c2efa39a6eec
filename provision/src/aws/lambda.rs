//! Lambda: functions, and who may call them. Their versions are in `versions`, and the alias is in `alias`.

use std::collections::HashMap;

use anyhow::Context;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, DeadLetterConfig, Environment, FunctionCode, PackageType, Runtime, TracingConfig,
    TracingMode,
};
use contract::Function;

use super::failure::{Failure, failed, optional};
use super::wait::{NotYet, retry, sending, wait};
use super::{Aws, tag_changes};
use crate::package::Artifact;
use crate::settings::Package;
use crate::stack::place::{Names, Place};
use crate::stack::policy;
use crate::stack::resource::lambda::{Code, Configuration, Lambda};
use crate::stack::resource::managed_tags;

mod alias;
mod calls;
mod state;
mod versions;

pub use alias::{
    Live, Note, Trial, annotate, create_alias, delete_alias, live, move_live, read_alias, serves,
    update_alias,
};
pub use calls::{Call, call, read_permission, send, set_permission};
pub use state::health;
pub use versions::{Version, delete_version, versions};

use state::ready;

const GONE: &[&str] = &["ResourceNotFoundException"];
/// What Lambda says while IAM and ECR, which are eventually consistent, have not told it yet, and
/// while its own last change is still going on.
const NOT_YET: &[NotYet] = &[
    ("InvalidParameterValueException", "cannot be assumed by Lambda"),
    ("InvalidParameterValueException", "does not have permissions to call"),
    ("InvalidParameterValueException", "Source image"),
    ("InvalidParameterValueException", "KMS key is invalid for CreateGrant"),
    ("ResourceConflictException", "in progress"),
    ("ResourceConflictException", "Pending"),
];
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-rust.html>
const RUNTIME: Runtime = Runtime::Providedal2023;

pub async fn read(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<Option<Lambda>> {
    let name = names.function(function);
    let Some(answer) = get(&aws.lambda, &name, None).await? else { return Ok(None) };
    let tags = managed_tags(tags(aws, &name, &answer).await?);
    let concurrency = answer.concurrency.as_ref().and_then(|it| it.reserved_concurrent_executions);
    Ok(Some(Lambda { tags, concurrency, configuration: configuration(answer)? }))
}

/// The function's tags, which Lambda leaves out of its response to whoever may not list them. Without them
/// it would seem to be somebody else's function.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html>, `Tags` and `TagsError`
async fn tags(aws: &Aws, name: &str, answer: &GetFunctionOutput) -> anyhow::Result<HashMap<String, String>> {
    const CALL: &str = "lambda:ListTags";
    if let Some(error) = &answer.tags_error {
        let (code, message) = (Some(error.error_code.clone()), error.message.clone());
        let request_id = answer.request_id().map(str::to_owned);
        return Err(Failure { call: CALL, code, message, request_id }.into());
    }
    match &answer.tags {
        Some(tags) if !tags.is_empty() => Ok(tags.clone()),
        _ => {
            let arn = aws.place.arn("lambda", &format!("function:{name}"));
            let listed = aws.lambda.list_tags().resource(arn).send().await.map_err(failed(CALL))?;
            Ok(listed.tags.unwrap_or_default())
        }
    }
}

fn configuration(answer: GetFunctionOutput) -> anyhow::Result<Configuration> {
    let configuration = answer.configuration.context("lambda:GetFunction answered no configuration")?;
    let image = answer.code.and_then(|code| code.image_uri);
    let package = match configuration.package_type {
        Some(PackageType::Image) => Package::Image,
        _ => Package::Zip,
    };
    let digest = match package {
        // Whoever set the function by tag gets that tag here, which equals no digest of ours.
        Package::Image => {
            image.map(|uri| uri.rsplit_once('@').map_or(uri.clone(), |(_, digest)| digest.to_owned()))
        }
        Package::Zip => configuration.code_sha256,
    };
    let architectures = configuration.architectures.unwrap_or_default();
    let architecture = architectures.first().unwrap_or(&Architecture::X8664).as_str().to_owned();
    let role_id = configuration.description.as_deref().and_then(|text| text.strip_prefix(DESCRIPTION));
    Ok(Configuration {
        role_id: role_id.unwrap_or_default().to_owned(),
        code: Code { package, digest: digest.unwrap_or_default(), architecture },
        role: configuration.role.unwrap_or_default(),
        memory: configuration.memory_size.unwrap_or_default(),
        timeout: configuration.timeout.unwrap_or_default(),
        tracing: configuration.tracing_config.and_then(|tracing| tracing.mode) == Some(TracingMode::Active),
        dead_letters: configuration
            .dead_letter_config
            .and_then(|letters| letters.target_arn)
            .filter(|arn| !arn.is_empty()),
        environment: configuration
            .environment
            .and_then(|environment| environment.variables)
            .unwrap_or_default()
            .into_iter()
            .collect(),
    })
}

/// The function, or where there is a qualifier the version that it names.
async fn get(
    client: &Client,
    name: &str,
    qualifier: Option<&str>,
) -> anyhow::Result<Option<GetFunctionOutput>> {
    let get = client.get_function().function_name(name).set_qualifier(qualifier.map(str::to_owned));
    optional(get.send().await, "lambda:GetFunction", GONE)
}

/// How many functions may run at once in the account and region.
pub async fn concurrency(aws: &Aws) -> anyhow::Result<i32> {
    let answer = aws.lambda.get_account_settings().send().await;
    let answer = answer.map_err(failed("lambda:GetAccountSettings"))?;
    answer
        .account_limit
        .map(|limit| limit.concurrent_executions)
        .context("lambda:GetAccountSettings answered no limit")
}

fn image_uri(aws: &Aws, names: &Names, function: Function, digest: &str) -> String {
    let (Place { account, region, .. }, name) = (&aws.place, names.function(function));
    format!("{account}.dkr.ecr.{region}.{}/{name}@{digest}", contract::domain(region))
}

fn environment(desired: &Configuration) -> Environment {
    Environment::builder().set_variables(Some(desired.environment.clone().into_iter().collect())).build()
}

/// What a function is described with; its role's own id follows, by which a role made anew is known.
const DESCRIPTION: &str = "CloudPix; of the role ";

fn description(desired: &Configuration) -> String {
    format!("{DESCRIPTION}{}", desired.role_id)
}

fn tracing(desired: &Configuration) -> TracingConfig {
    let mode = if desired.tracing { TracingMode::Active } else { TracingMode::PassThrough };
    TracingConfig::builder().mode(mode).build()
}

/// An empty ARN takes off what there is.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeadLetterConfig.html>
fn dead_letters(arn: Option<&str>) -> DeadLetterConfig {
    DeadLetterConfig::builder().target_arn(arn.unwrap_or_default()).build()
}

pub async fn create(
    aws: &Aws,
    names: &Names,
    function: Function,
    desired: &Lambda,
    artifact: &Artifact,
) -> anyhow::Result<()> {
    let (client, name) = (&aws.lambda, names.function(function));
    let Lambda { tags, configuration, .. } = desired;
    let create = client
        .create_function()
        .function_name(&name)
        .role(&configuration.role)
        .description(description(configuration))
        .memory_size(configuration.memory)
        .timeout(configuration.timeout)
        .tracing_config(tracing(configuration))
        .architectures(Architecture::from(configuration.code.architecture.as_str()))
        .environment(environment(configuration))
        .set_dead_letter_config(configuration.dead_letters.as_deref().map(|arn| dead_letters(Some(arn))))
        .set_tags(Some(tags.clone().into_iter().collect()));
    let create = match artifact {
        Artifact::Image(_) => {
            let uri = image_uri(aws, names, function, &configuration.code.digest);
            let code = FunctionCode::builder().image_uri(uri);
            create.package_type(PackageType::Image).code(code.build())
        }
        Artifact::Zip(zip) => {
            let code = FunctionCode::builder().zip_file(Blob::new(zip.bytes.clone()));
            create.package_type(PackageType::Zip).code(code.build()).runtime(RUNTIME).handler("bootstrap")
        }
    };
    let answer =
        retry(NOT_YET, async || create.clone().customize().config_override(patience(artifact)).send().await);
    answer.await.map_err(failed("lambda:CreateFunction"))?;
    ready(client, &name, None).await?;
    if desired.concurrency.is_some() { reserve(client, &name, desired.concurrency).await } else { Ok(()) }
}

/// A zip file goes along with the call.
fn patience(artifact: &Artifact) -> aws_sdk_lambda::config::Builder {
    let bytes = if let Artifact::Zip(zip) = artifact { zip.bytes.len() } else { 0 };
    aws_sdk_lambda::config::Builder::new().timeout_config(sending(bytes))
}

/// Sets how many may run at once, or that the function shares what the account has.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html>
async fn reserve(client: &Client, name: &str, concurrency: Option<i32>) -> anyhow::Result<()> {
    if let Some(concurrency) = concurrency {
        let put = client.put_function_concurrency().function_name(name);
        let put = put.reserved_concurrent_executions(concurrency);
        let answer = retry(NOT_YET, async || put.clone().send().await).await;
        return answer.map(|_| ()).map_err(failed("lambda:PutFunctionConcurrency"));
    }
    let delete = client.delete_function_concurrency().function_name(name);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "lambda:DeleteFunctionConcurrency", GONE).map(|_| ())
}

/// Configuration first, code second: new code may need a variable that the old one ignores.
pub async fn update(
    aws: &Aws,
    names: &Names,
    function: Function,
    live: &Lambda,
    desired: &Lambda,
    artifact: &Artifact,
) -> anyhow::Result<()> {
    let (client, name) = (&aws.lambda, names.function(function));
    let (set, unset) = tag_changes(&live.tags, &desired.tags);
    let arn = aws.place.arn("lambda", &format!("function:{name}"));
    if !set.is_empty() {
        let call = client.tag_resource().resource(&arn).set_tags(Some(set.into_iter().collect()));
        call.send().await.map_err(failed("lambda:TagResource"))?;
    }
    if !unset.is_empty() {
        let call = client.untag_resource().resource(&arn).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("lambda:UntagResource"))?;
    }
    if live.concurrency != desired.concurrency {
        reserve(client, &name, desired.concurrency).await?;
    }
    let (live, desired) = (&live.configuration, &desired.configuration);
    let code = live.code.clone();
    if *live != (Configuration { code, ..desired.clone() }) {
        if live.role_id != desired.role_id && live.role == desired.role {
            // Lambda makes a new grant to a role where it is set to another one; the same is nothing to it.
            let away = Function::ALL.into_iter().find(|other| *other != function).unwrap_or(function);
            let away = policy::role_arn(&aws.place, names, away);
            let update = client.update_function_configuration().function_name(&name).role(away);
            // The other role may not send to the queue, and Lambda refuses one that may not.
            let update =
                update.set_dead_letter_config(live.dead_letters.as_ref().map(|_| dead_letters(None)));
            let answer = retry(NOT_YET, async || update.clone().send().await).await;
            answer.map_err(failed("lambda:UpdateFunctionConfiguration"))?;
            ready(client, &name, None).await?;
        }
        let update = client
            .update_function_configuration()
            .function_name(&name)
            .role(&desired.role)
            .description(description(desired))
            .memory_size(desired.memory)
            .timeout(desired.timeout)
            .tracing_config(tracing(desired))
            .environment(environment(desired));
        let has_or_had = live.dead_letters.is_some() || desired.dead_letters.is_some();
        let letters = has_or_had.then(|| dead_letters(desired.dead_letters.as_deref()));
        let update = update.set_dead_letter_config(letters);
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        answer.map_err(failed("lambda:UpdateFunctionConfiguration"))?;
        ready(client, &name, None).await?;
    }
    if live.code != desired.code {
        let update = client
            .update_function_code()
            .function_name(&name)
            .architectures(Architecture::from(desired.code.architecture.as_str()));
        let update = match artifact {
            Artifact::Image(_) => update.image_uri(image_uri(aws, names, function, &desired.code.digest)),
            Artifact::Zip(zip) => update.zip_file(Blob::new(zip.bytes.clone())),
        };
        let answer = retry(NOT_YET, async || {
            update.clone().customize().config_override(patience(artifact)).send().await
        });
        answer.await.map_err(failed("lambda:UpdateFunctionCode"))?;
        ready(client, &name, None).await?;
    }
    Ok(())
}

pub async fn delete(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<()> {
    let (client, name) = (&aws.lambda, names.function(function));
    let delete = client.delete_function().function_name(&name);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "lambda:DeleteFunction", GONE)?;
    wait(&format!("the deletion of the function {name}"), async || {
        Ok(get(client, &name, None).await?.is_none().then_some(()))
    })
    .await
}
