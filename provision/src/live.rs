//! What exists on AWS, read all at once, in the terms of `stack`.

use std::collections::BTreeMap;

use anyhow::Context;
use contract::Function;
use futures_util::future::try_join_all;

use crate::aws::{Aws, apigateway, cloudwatch, dynamodb, ecr, iam, lambda, logs, s3, sqs};
use crate::stack::Stack;
use crate::stack::id::Id;
use crate::stack::place::Names;
use crate::stack::resource::{Code, Resource};

/// Where the suffix of the bucket's name is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suffix {
    /// The state file, or a bucket that was found by its tag.
    Known,
    /// It was drawn a moment ago, so that no bucket can bear it.
    Drawn,
}

/// What is read with, besides the names.
pub struct Known<'a> {
    /// The REST API's id, where it exists.
    pub api: Option<&'a str>,
    pub suffix: Suffix,
    /// The code that should be, which says what images to look for.
    pub code: &'a BTreeMap<Function, Code>,
}

/// The REST API's id and all there is, read side by side.
///
/// The recorded id is taken to be right, and is where there is an API of that id; else ours is looked for.
pub async fn look(
    aws: &Aws,
    names: &Names,
    recorded: Option<&str>,
    suffix: Suffix,
    code: &BTreeMap<Function, Code>,
) -> anyhow::Result<(Option<String>, Stack)> {
    let (without, known) = (Known { api: None, suffix, code }, Known { api: recorded, suffix, code });
    let (api, live) = if recorded.is_some() {
        let live = read(aws, names, &known).await?;
        if live.contains_key(&Id::Api) {
            return Ok((recorded.map(str::to_owned), live));
        }
        (apigateway::find(aws, names).await?, None)
    } else {
        let (api, live) = tokio::try_join!(apigateway::find(aws, names), read(aws, names, &without))?;
        (api, Some(live))
    };
    if let (None, Some(live)) = (&api, live) {
        return Ok((None, live));
    }
    let live = read(aws, names, &Known { api: api.as_deref(), suffix, code }).await?;
    Ok((api, live))
}

/// Reads every resource there can be, wanted or not, so that what is no longer wanted is found.
pub async fn read(aws: &Aws, names: &Names, known: &Known<'_>) -> anyhow::Result<Stack> {
    read_some(aws, names, known, Id::all()).await
}

/// Reads those of `ids` that exist.
pub async fn read_some(aws: &Aws, names: &Names, known: &Known<'_>, ids: Vec<Id>) -> anyhow::Result<Stack> {
    let reads = ids.into_iter().map(async |id| {
        let found = read_one(aws, names, known, id).await;
        let found = found.with_context(|| format!("read the {} {}", id.kind(), names.of(id)))?;
        anyhow::Ok(found.map(|resource| (id, resource)))
    });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

pub async fn read_one(
    aws: &Aws,
    names: &Names,
    known: &Known<'_>,
    id: Id,
) -> anyhow::Result<Option<Resource>> {
    Ok(match (id, known.api) {
        (Id::Bucket | Id::Notification, _) if known.suffix == Suffix::Drawn => None,
        (Id::Bucket, _) => s3::read(aws, names).await?.map(Resource::Bucket),
        (Id::Table, _) => dynamodb::read(aws, names).await?.map(Resource::Table),
        (Id::Queue, _) => sqs::read(aws, names).await?.map(Resource::Queue),
        (Id::Notification, _) => s3::notification::read(aws, names).await?.map(Resource::Notification),
        (Id::LogGroup(f), _) => logs::read(aws, &names.log_group(f)).await?.map(Resource::LogGroup),
        (Id::AccessLog, _) => logs::read(aws, &names.access_log()).await?.map(Resource::LogGroup),
        (Id::Role(f), _) => iam::read(aws, names, f).await?.map(Resource::Role),
        (Id::Repository(f), _) => ecr::read(aws, names, f).await?.map(Resource::Repository),
        (Id::Image(f), _) => match known.code.get(&f).filter(|code| code.digest.starts_with("sha256:")) {
            Some(code) => ecr::read_image(aws, names, f, &code.digest).await?.map(Resource::Image),
            None => None,
        },
        (Id::Function(f), _) => lambda::read(aws, names, f).await?.map(Resource::Function),
        (Id::Alias(f), _) => lambda::read_alias(aws, names, f).await?.map(Resource::Alias),
        (Id::Permission(f), api) => {
            lambda::read_permission(aws, names, f, api).await?.map(Resource::Permission)
        }
        (Id::ApiKey, _) => apigateway::read_key(aws, names).await?.map(Resource::ApiKey),
        (Id::UsagePlan, api) => apigateway::read_plan(aws, names, api).await?.map(Resource::UsagePlan),
        (Id::Alarms, _) => cloudwatch::read_alarms(aws, names).await?.map(Resource::Alarms),
        (Id::Dashboard, _) => cloudwatch::read_dashboard(aws, names).await?.map(Resource::Dashboard),
        (Id::Api | Id::Stage, None) => None,
        (Id::Api, Some(api)) => apigateway::read(aws, api).await?.map(Resource::Api),
        (Id::Stage, Some(api)) => apigateway::read_stage(aws, api).await?.map(Resource::Stage),
    })
}
