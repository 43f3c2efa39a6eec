//! Published versions of a function. Publishing is safe to repeat: where nothing changed since, Lambda returns the
//! last version.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{AliasConfiguration, FunctionConfiguration, LastUpdateStatus, State};
use contract::Function;
use serde::Serialize;

use super::state::{ready, settled};
use super::{GONE, NOT_YET, configuration, get};
use crate::aws::Aws;
use crate::aws::failure::{failed, is, optional};
use crate::aws::wait::{pauses, retry, wait};
use crate::stack::place::{LIVE, Names};
use crate::stack::resource::lambda::Configuration;

/// A published version of a function.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Version {
    #[serde(rename = "version")]
    pub number: String,
    /// When its code or configuration was last changed, as Lambda writes it.
    pub changed: String,
    pub memory: i32,
    /// As of [`crate::stack::resource::lambda::Code`].
    pub digest: String,
    /// Names of the aliases that send calls to it.
    pub aliases: BTreeSet<String>,
}

impl Version {
    pub fn is_live(&self) -> bool {
        self.aliases.contains(LIVE)
    }
}

/// All published versions, oldest first.
pub async fn versions(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<Vec<Version>> {
    let (client, name) = (&aws.lambda, names.function(function));
    let pages = client.list_versions_by_function().function_name(&name).into_paginator().items();
    let all = pages.send().collect::<Result<Vec<FunctionConfiguration>, _>>().await;
    let all = all.map_err(failed("lambda:ListVersionsByFunction"))?;
    let pages = client.list_aliases().function_name(&name).into_paginator().items();
    let aliases = pages.send().collect::<Result<Vec<AliasConfiguration>, _>>().await;
    let aliases = aliases.map_err(failed("lambda:ListAliases"))?;
    let mut versions = Vec::new();
    for one in all.into_iter().filter(|one| one.version() != Some("$LATEST")) {
        let number = one.version.unwrap_or_default();
        // One that was deleted meanwhile is none.
        let Some(answer) = get(client, &name, Some(&number)).await? else { continue };
        let uses = |alias: &&AliasConfiguration| {
            let weights = alias.routing_config().and_then(|routing| routing.additional_version_weights());
            alias.function_version() == Some(&number)
                || weights.is_some_and(|weights| weights.contains_key(&number))
        };
        versions.push(Version {
            changed: one.last_modified.unwrap_or_default(),
            memory: one.memory_size.unwrap_or_default(),
            digest: configuration(answer)?.code.digest,
            aliases: aliases.iter().filter(uses).filter_map(|alias| alias.name.clone()).collect(),
            number,
        });
    }
    versions.sort_by_key(|version| version.number.parse::<u64>().unwrap_or_default());
    Ok(versions)
}

pub async fn delete_version(
    aws: &Aws,
    names: &Names,
    function: Function,
    version: &str,
) -> anyhow::Result<()> {
    let delete = aws.lambda.delete_function().function_name(names.function(function)).qualifier(version);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "lambda:DeleteFunction", GONE).map(|_| ())
}

/// The number of the version that is exactly `desired`, published now where there is none.
///
/// Lambda publishes whatever the function is at that moment, so that is looked at first, and the
/// revision seen is the condition.
pub(super) async fn publish(client: &Client, name: &str, desired: &Configuration) -> anyhow::Result<String> {
    let mut pauses = pauses();
    loop {
        let latest = latest(client, name).await?;
        let revision = latest.configuration.as_ref().and_then(|it| it.revision_id.clone());
        ensure!(
            configuration(latest)? == *desired,
            "the function {name} was changed by somebody else meanwhile; run again"
        );
        let publish = client.publish_version().function_name(name).set_revision_id(revision);
        let answer = retry(NOT_YET, async || publish.clone().send().await).await;
        let pause = match &answer {
            // The revision changes also when Lambda itself finishes something.
            Err(error) if is(error, &["PreconditionFailedException"]) => pauses.next(),
            _ => None,
        };
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
            continue;
        }
        let answer = answer.map_err(failed("lambda:PublishVersion"))?;
        let done = answer.state == Some(State::Active)
            && answer.last_update_status == Some(LastUpdateStatus::Successful);
        let version = answer.version.context("lambda:PublishVersion answered no version")?;
        if !done {
            ready(client, name, Some(&version)).await?;
        }
        return Ok(version);
    }
}

/// The function, once its last change is done.
async fn latest(client: &Client, name: &str) -> anyhow::Result<GetFunctionOutput> {
    wait(&format!("the function {name}"), async || {
        let answer =
            get(client, name, None).await?.with_context(|| format!("the function {name} is gone"))?;
        let configuration = answer.configuration.as_ref();
        let settled = configuration.map_or(Ok(None), |configuration| settled(name, configuration))?;
        Ok(settled.map(|()| answer))
    })
    .await
}
