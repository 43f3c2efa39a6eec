//! What exists on AWS, read all at once, in the terms of `stack`.

use std::collections::BTreeMap;

use anyhow::Context;
use contract::Function;
use futures_util::future::try_join_all;

use crate::aws::failure::denied;
use crate::aws::{Aws, apigateway, cloudwatch, cognito, dynamodb, ecr, iam, lambda, logs, s3, sqs};
use crate::stack::Stack;
use crate::stack::id::{Id, Purpose};
use crate::stack::place::Names;
use crate::stack::resource::Resource;
use crate::stack::resource::lambda::Code;

/// Where the suffix of the bucket's name is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suffix {
    /// The state file, or a bucket that was found by its tag.
    Known,
    /// It was drawn a moment ago, so that no bucket can bear it.
    Drawn,
}

/// What is read with, besides the names.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The REST API's id, where it exists.
    pub api: Option<&'a str>,
    pub suffix: Suffix,
    /// The code that should be, which says what images to look for.
    pub code: &'a BTreeMap<Function, Code>,
    /// Whether users should be able to sign in. Where not, whoever may not look for what that needs has a policy of
    /// before it was possible, and none of it.
    pub users: bool,
}

impl Known<'_> {
    fn or_before_users<T>(&self, found: anyhow::Result<Option<T>>) -> anyhow::Result<Option<T>> {
        match found {
            Err(error) if !self.users && denied(&error) => Ok(None),
            found => found,
        }
    }
}

/// The REST API's id and all there is, read side by side.
///
/// The id that `found` has is the recorded one. It is taken to be right, and is where there is an API of that id; else ours is looked for.
pub async fn look(aws: &Aws, names: &Names, found: Known<'_>) -> anyhow::Result<(Option<String>, Stack)> {
    let (recorded, without, known) = (found.api, Known { api: None, ..found }, found);
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
    let live = read(aws, names, &Known { api: api.as_deref(), ..found }).await?;
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
    Ok(match id {
        Id::Bucket | Id::Notification if known.suffix == Suffix::Drawn => None,
        Id::Bucket => s3::read(aws, &names.bucket).await?.map(Resource::Bucket),
        Id::Table(Purpose::Access) => {
            let found = dynamodb::read(aws, &names.table(Purpose::Access)).await;
            known.or_before_users(found)?.map(|table| Resource::Table(Purpose::Access, table))
        }
        Id::Table(purpose) => {
            dynamodb::read(aws, &names.table(purpose)).await?.map(|table| Resource::Table(purpose, table))
        }
        Id::UserPool => known.or_before_users(cognito::read(aws, names).await)?.map(Resource::UserPool),
        Id::AppClient => {
            let found = cognito::read_client(aws, names, known.api).await;
            known.or_before_users(found)?.map(Resource::AppClient)
        }
        Id::Queue => sqs::read(aws, &names.queue()).await?.map(Resource::Queue),
        Id::Notification => s3::notification::read(aws, &names.bucket).await?.map(Resource::Notification),
        Id::LogGroup(f) => {
            logs::read(aws, &names.log_group(f)).await?.map(|group| Resource::LogGroup(f, group))
        }
        Id::AccessLog => logs::read(aws, &names.access_log()).await?.map(Resource::AccessLog),
        Id::Role(f) => iam::read(aws, names, f).await?.map(|role| Resource::Role(f, role)),
        Id::Repository(f) => ecr::read(aws, names, f).await?.map(|found| Resource::Repository(f, found)),
        Id::Image(f) => match known.code.get(&f).filter(|code| code.digest.starts_with("sha256:")) {
            Some(code) => {
                ecr::read_image(aws, names, f, &code.digest).await?.map(|image| Resource::Image(f, image))
            }
            None => None,
        },
        Id::Function(f) => lambda::read(aws, names, f).await?.map(|lambda| Resource::Function(f, lambda)),
        Id::Alias(f) => lambda::read_alias(aws, names, f).await?.map(|alias| Resource::Alias(f, alias)),
        Id::Permission(f) => {
            let permission = lambda::read_permission(aws, names, f, known.api).await?;
            permission.map(|permission| Resource::Permission(f, permission))
        }
        Id::ApiKey => apigateway::read_key(aws, names).await?.map(Resource::ApiKey),
        Id::UsagePlan => apigateway::read_plan(aws, names, known.api).await?.map(Resource::UsagePlan),
        Id::Alarms => cloudwatch::read_alarms(aws, names).await?.map(Resource::Alarms),
        Id::Dashboard => cloudwatch::read_dashboard(aws, names).await?.map(Resource::Dashboard),
        Id::Api | Id::Stage => match known.api {
            None => None,
            Some(api) if id == Id::Api => apigateway::read(aws, api).await?.map(Resource::Api),
            Some(api) => apigateway::read_stage(aws, api).await?.map(Resource::Stage),
        },
    })
}
