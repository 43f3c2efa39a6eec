//! The alias `live` of a function, which the API calls, and the trial of the version that it was moved to.
//!
//! What is going on with the alias is in its description, set by the call that moves it, so that a run that was
//! killed at any moment is gone on with from what AWS says, on whatever machine.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, bail};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{AliasConfiguration, AliasRoutingConfiguration};
use contract::Function;
use serde_json::json;

use super::versions::publish;
use super::{GONE, NOT_YET, configuration, get};
use crate::aws::Aws;
use crate::aws::failure::{failed, is, optional};
use crate::aws::wait::{jittered, pauses, retry, wait};
use crate::stack::function::{Trigger, profile};
use crate::stack::place::{API_ID, LIVE, Names, STAGE};
use crate::stack::resource::lambda::{Alias, OnTrial};

/// Why the alias is where it is, as its description says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// It was moved to `version`, from `after`.
    Moved {
        version: String,
        after: String,
        trial: Trial,
    },
    /// It was moved there and back again.
    Failed(String),
    RolledBack {
        from: String,
    },
    None,
}

/// What a version that the alias was moved to has stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    Pending,
    Passed,
    /// Nobody was to test it.
    Skipped,
}

impl Trial {
    const ALL: [Trial; 3] = [Trial::Pending, Trial::Passed, Trial::Skipped];

    fn words(self) -> &'static str {
        match self {
            Trial::Pending => "is on trial",
            Trial::Passed => "passed its smoke test",
            Trial::Skipped => "had no smoke test",
        }
    }
}

/// How often a move of the alias is tried anew, where its revision was overtaken.
const OVERTAKEN: usize = 12;
const ROLLED_BACK: &str = "rolled back from version ";

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Moved { version, after, trial } => {
                write!(f, "version {version} {}, after version {after}", trial.words())
            }
            Note::Failed(version) => write!(f, "version {version} failed its smoke test"),
            Note::RolledBack { from } => write!(f, "{ROLLED_BACK}{from}"),
            Note::None => Ok(()),
        }
    }
}

impl Note {
    /// Only what later runs act upon is read back.
    fn parse(description: &str) -> Note {
        if let Some(from) = description.strip_prefix(ROLLED_BACK) {
            return Note::RolledBack { from: from.to_owned() };
        }
        let moved = |trial: Trial| {
            let rest = description.strip_prefix("version ")?;
            let (version, after) = rest.split_once(&format!(" {}, after version ", trial.words()))?;
            Some(Note::Moved { version: version.to_owned(), after: after.to_owned(), trial })
        };
        Trial::ALL.into_iter().find_map(moved).unwrap_or(Note::None)
    }
}

/// Where the alias points.
#[derive(Clone, Debug)]
pub struct Live {
    pub version: String,
    pub note: Note,
    /// What `note` was read from.
    description: String,
    /// What Lambda calls the alias's state; a change on the condition that it is still this one.
    revision: Option<String>,
    weights: BTreeMap<String, f64>,
}

impl Live {
    /// A name for this move of the alias; the next move has another.
    pub fn key(&self) -> String {
        let revision = self.revision.as_deref().unwrap_or_default();
        format!("cloudpix-smoke-{}-{revision}", self.version)
    }

    #[cfg(test)]
    pub fn at(version: &str, note: Note) -> Live {
        let description = note.to_string();
        Live { version: version.to_owned(), note, description, revision: None, weights: BTreeMap::new() }
    }

    fn new(alias: AliasConfiguration) -> Live {
        let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights);
        let description = alias.description.unwrap_or_default();
        Live {
            version: alias.function_version.unwrap_or_default(),
            note: Note::parse(&description),
            description,
            revision: alias.revision_id,
            weights: weights.unwrap_or_default().into_iter().collect(),
        }
    }
}

pub async fn live(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<Option<Live>> {
    let get = aws.lambda.get_alias().function_name(names.function(function)).name(LIVE);
    Ok(optional(get.send().await, "lambda:GetAlias", GONE)?.map(|answer| {
        Live::new(
            AliasConfiguration::builder()
                .set_function_version(answer.function_version)
                .set_description(answer.description)
                .set_revision_id(answer.revision_id)
                .set_routing_config(answer.routing_config)
                .build(),
        )
    }))
}

pub async fn read_alias(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<Option<Alias>> {
    let Some(live) = live(aws, names, function).await? else { return Ok(None) };
    let name = names.function(function);
    let answer = get(&aws.lambda, &name, Some(&live.version)).await?;
    let answer =
        answer.with_context(|| format!("the alias names version {}, which is gone", live.version))?;
    let on_trial = OnTrial(matches!(live.note, Note::Moved { trial: Trial::Pending, .. }));
    Ok(Some(Alias { configuration: configuration(answer)?, weights: live.weights, on_trial }))
}

pub async fn create_alias(
    aws: &Aws,
    names: &Names,
    function: Function,
    desired: &Alias,
) -> anyhow::Result<()> {
    let name = names.function(function);
    let version = publish(&aws.lambda, &name, &desired.configuration).await?;
    let create = aws.lambda.create_alias().function_name(&name).name(LIVE).function_version(version);
    create.send().await.map(|_| ()).map_err(failed("lambda:CreateAlias"))
}

/// Publishes what should be served, and moves the alias there, on trial.
pub async fn update_alias(
    aws: &Aws,
    names: &Names,
    function: Function,
    desired: &Alias,
) -> anyhow::Result<()> {
    let version = publish(&aws.lambda, &names.function(function), &desired.configuration).await?;
    let live = live(aws, names, function).await?.context("the alias is gone; run again to make it anew")?;
    // Who was on trial is no version to go back to; the one before it is.
    let after = match live.note {
        Note::Moved { ref after, trial: Trial::Pending, .. } => after.clone(),
        _ => live.version.clone(),
    };
    let note = if after == version {
        Note::None
    } else {
        Note::Moved { version: version.clone(), after, trial: Trial::Pending }
    };
    move_live(aws, names, function, &live, &version, &note).await
}

pub async fn delete_alias(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<()> {
    let delete = aws.lambda.delete_alias().function_name(names.function(function)).name(LIVE);
    optional(delete.send().await, "lambda:DeleteAlias", GONE).map(|_| ())
}

/// Points the alias at `version`, on the condition that it still points where `live` says, and says the
/// same of why.
///
/// A right to call the alias is part of what its revision is of, so a revision that was overtaken is no
/// other move yet: where the alias has not moved, this goes on; where it has moved just so, the response to
/// an earlier try got lost.
pub async fn move_live(
    aws: &Aws,
    names: &Names,
    function: Function,
    live: &Live,
    version: &str,
    note: &Note,
) -> anyhow::Result<()> {
    let routing =
        AliasRoutingConfiguration::builder().set_additional_version_weights(Some([].into())).build();
    let update = aws
        .lambda
        .update_alias()
        .function_name(names.function(function))
        .name(LIVE)
        .function_version(version)
        .description(note.to_string())
        .routing_config(routing);
    let mut revision = live.revision.clone();
    let mut pauses = pauses().take(OVERTAKEN);
    loop {
        let update = update.clone().set_revision_id(revision);
        let Err(error) = retry(NOT_YET, async || update.clone().send().await).await else { return Ok(()) };
        if !is(&error, &["PreconditionFailedException"]) {
            return Err(failed("lambda:UpdateAlias")(error));
        }
        let now = self::live(aws, names, function).await?;
        let now = now.context("the alias is gone; run again to make it anew")?;
        if now.version == version && now.description == note.to_string() {
            return Ok(());
        }
        let moved = (&now.version, &now.description) != (&live.version, &live.description);
        match pauses.next().filter(|_| !moved) {
            Some(pause) => tokio::time::sleep(jittered(pause)).await,
            None => {
                let error = failed("lambda:UpdateAlias")(error);
                return Err(error.context(format!("somebody else moves the alias {LIVE}; run again")));
            }
        }
        revision = now.revision;
    }
}

/// Changes what the alias says of itself, and not where it points.
pub async fn annotate(
    aws: &Aws,
    names: &Names,
    function: Function,
    live: &Live,
    note: &Note,
) -> anyhow::Result<()> {
    move_live(aws, names, function, live, &live.version, note).await
}

/// Waits until calls to the alias reach `version`, and returns an error where that fails.
///
/// Lambda takes a moment to tell all its machines that an alias has moved.
pub async fn serves(aws: &Aws, names: &Names, function: Function, version: &str) -> anyhow::Result<()> {
    let name = names.function(function);
    // One that every function of its kind takes, and does nothing for.
    let event = match profile(function).trigger {
        Trigger::Requests | Trigger::Objects => json!({}),
        Trigger::Authorization => {
            let method = aws.place.arn("execute-api", &format!("{API_ID}/{STAGE}/GET/"));
            json!({ "type": "REQUEST", "methodArn": method, "headers": {} })
        }
    };
    wait(&format!("the alias {name}:{LIVE} at version {version}"), async || {
        let invoke = aws.lambda.invoke().function_name(&name).qualifier(LIVE);
        let invoke = invoke.payload(Blob::new(event.to_string()));
        let answer = retry(NOT_YET, async || invoke.clone().send().await).await;
        let answer = answer.map_err(failed("lambda:InvokeFunction"))?;
        if answer.executed_version.as_deref().is_some_and(|executed| executed != version) {
            return Ok(None);
        }
        if let Some(error) = answer.function_error {
            let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
            bail!("{name} answers with an error ({error}): {}", String::from_utf8_lossy(&payload));
        }
        Ok(Some(()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_later_runs_act_upon_is_read_back_as_it_was_written() {
        let moved = |trial| Note::Moved { version: "8".to_owned(), after: "7".to_owned(), trial };
        let rolled_back = Note::RolledBack { from: "12".to_owned() };
        for note in Trial::ALL.map(moved).into_iter().chain([rolled_back, Note::None]) {
            assert_eq!(Note::parse(&note.to_string()), note);
        }
        assert_eq!(Note::parse(&Note::Failed("8".to_owned()).to_string()), Note::None);
        assert_eq!(Note::parse("what somebody wrote on the console"), Note::None);
    }
}
