//! ECR: repositories. What is in them is in `images`.

use anyhow::Context;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability, Tag};
use contract::Function;
use serde_json::{Value, json};

use super::failure::{failed, optional};
use super::wait::{NotYet, retry};
use super::{Aws, tag_changes};
use crate::stack::place::{Names, PULL_STATEMENT};
use crate::stack::resource::lambda::Repository;
use crate::stack::resource::managed_tags;

mod images;

pub use images::{prune_images, push_image, read_image};

const GONE: &[&str] = &["RepositoryNotFoundException"];
/// A repository that was made a moment ago is not seen everywhere yet.
const NOT_VISIBLE: &[NotYet] = &[("RepositoryNotFoundException", "")];

fn arn(aws: &Aws, name: &str) -> String {
    aws.place.arn("ecr", &format!("repository/{name}"))
}

pub async fn read(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<Option<Repository>> {
    let (client, name) = (&aws.ecr, names.function(function));
    let answer = client.describe_repositories().repository_names(&name).send().await;
    let answer = optional(answer, "ecr:DescribeRepositories", GONE)?;
    let Some(repository) = answer.and_then(|answer| answer.repositories?.into_iter().next()) else {
        return Ok(None);
    };
    let tags = client.list_tags_for_resource().resource_arn(arn(aws, &name)).send().await;
    let tags = tags.map_err(failed("ecr:ListTagsForResource"))?.tags.unwrap_or_default();
    let lifecycle = client.get_lifecycle_policy().repository_name(&name).send().await;
    let lifecycle = optional(lifecycle, "ecr:GetLifecyclePolicy", &["LifecyclePolicyNotFoundException"])?;
    let lifecycle = match lifecycle.and_then(|answer| answer.lifecycle_policy_text) {
        Some(text) => {
            serde_json::from_str(&text).with_context(|| format!("read the lifecycle policy of {name}"))?
        }
        None => Value::Null,
    };
    let policy = read_policy(client, &name).await?;
    Ok(Some(Repository {
        tags: managed_tags(tags.into_iter().map(|tag| (tag.key, tag.value))),
        pull_policy: statements(&policy).find(|it| is_ours(it)).cloned().unwrap_or_default(),
        immutable_tags: repository.image_tag_mutability == Some(ImageTagMutability::Immutable),
        scan_on_push: repository.image_scanning_configuration.is_some_and(|scanning| scanning.scan_on_push),
        lifecycle,
    }))
}

fn tags(tags: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().context("build a tag");
    tags.into_iter().map(tag).collect()
}

fn mutability(immutable: bool) -> ImageTagMutability {
    if immutable { ImageTagMutability::Immutable } else { ImageTagMutability::Mutable }
}

fn scanning(on_push: bool) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder().scan_on_push(on_push).build()
}

pub async fn create(
    aws: &Aws,
    names: &Names,
    function: Function,
    desired: &Repository,
) -> anyhow::Result<()> {
    let (client, name) = (&aws.ecr, names.function(function));
    let create = client
        .create_repository()
        .repository_name(&name)
        .image_tag_mutability(mutability(desired.immutable_tags))
        .image_scanning_configuration(scanning(desired.scan_on_push))
        .set_tags(Some(tags(desired.tags.clone())?));
    create.send().await.map_err(failed("ecr:CreateRepository"))?;
    put_policy(client, &name, &desired.pull_policy).await?;
    put_lifecycle(client, &name, &desired.lifecycle).await
}

/// The repository's policy, `null` where it has none.
async fn read_policy(client: &Client, name: &str) -> anyhow::Result<Value> {
    let get = client.get_repository_policy().repository_name(name);
    let answer = retry(NOT_VISIBLE, async || get.clone().send().await).await;
    let answer = optional(answer, "ecr:GetRepositoryPolicy", &["RepositoryPolicyNotFoundException"])?;
    match answer.and_then(|answer| answer.policy_text) {
        Some(text) => serde_json::from_str(&text).with_context(|| format!("read the policy of {name}")),
        None => Ok(Value::Null),
    }
}

fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    policy["Statement"].as_array().into_iter().flatten()
}

fn is_ours(statement: &Value) -> bool {
    statement["Sid"] == PULL_STATEMENT
}

/// Sets our statement and leaves everybody else's, such as those that Lambda writes for itself.
async fn put_policy(client: &Client, name: &str, statement: &Value) -> anyhow::Result<()> {
    let policy = read_policy(client, name).await?;
    let mut all: Vec<&Value> = statements(&policy).filter(|it| !is_ours(it)).collect();
    all.push(statement);
    let policy = json!({"Version": "2012-10-17", "Statement": all}).to_string();
    let put = client.set_repository_policy().repository_name(name).policy_text(policy);
    let answer = retry(NOT_VISIBLE, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("ecr:SetRepositoryPolicy"))
}

async fn put_lifecycle(client: &Client, name: &str, policy: &Value) -> anyhow::Result<()> {
    let put = client.put_lifecycle_policy().repository_name(name).lifecycle_policy_text(policy.to_string());
    let answer = retry(NOT_VISIBLE, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("ecr:PutLifecyclePolicy"))
}

pub async fn update(
    aws: &Aws,
    names: &Names,
    function: Function,
    live: &Repository,
    desired: &Repository,
) -> anyhow::Result<()> {
    let (client, name) = (&aws.ecr, names.function(function));
    let (set, unset) = tag_changes(&live.tags, &desired.tags);
    if !set.is_empty() {
        let call = client.tag_resource().resource_arn(arn(aws, &name)).set_tags(Some(tags(set)?));
        call.send().await.map_err(failed("ecr:TagResource"))?;
    }
    if !unset.is_empty() {
        let call = client.untag_resource().resource_arn(arn(aws, &name)).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("ecr:UntagResource"))?;
    }
    if live.immutable_tags != desired.immutable_tags {
        let mutability = mutability(desired.immutable_tags);
        let call = client.put_image_tag_mutability().repository_name(&name).image_tag_mutability(mutability);
        call.send().await.map_err(failed("ecr:PutImageTagMutability"))?;
    }
    if live.scan_on_push != desired.scan_on_push {
        let scanning = scanning(desired.scan_on_push);
        let call = client
            .put_image_scanning_configuration()
            .repository_name(&name)
            .image_scanning_configuration(scanning);
        call.send().await.map_err(failed("ecr:PutImageScanningConfiguration"))?;
    }
    if live.pull_policy != desired.pull_policy {
        put_policy(client, &name, &desired.pull_policy).await?;
    }
    if live.lifecycle != desired.lifecycle {
        put_lifecycle(client, &name, &desired.lifecycle).await?;
    }
    Ok(())
}

/// Deletes the repository with its images, which are copies of what is built here.
pub async fn delete(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<()> {
    let answer =
        aws.ecr.delete_repository().repository_name(names.function(function)).force(true).send().await;
    optional(answer, "ecr:DeleteRepository", GONE).map(|_| ())
}
