//! The stage, which puts the API before its callers, and the deployments that it serves.

use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::types::{Deployment, Op, PatchOperation};

use super::{GONE, NOT_YET, create_once, patch, set_tags};
use crate::aws::Aws;
use crate::aws::failure::{failed, optional};
use crate::aws::wait::retry;
use crate::stack::place::STAGE;
use crate::stack::resource::api::{AccessLog, Stage};
use crate::stack::resource::managed_tags;

const RATE: &str = "/*/*/throttling/rateLimit";
const BURST: &str = "/*/*/throttling/burstLimit";

/// What a deployment of ours is described with; the fingerprint of the API follows.
const SERVES: &str = "cloudpix ";

pub async fn read_stage(aws: &Aws, api: &str) -> anyhow::Result<Option<Stage>> {
    let client = &aws.apigateway;
    let stages = async {
        let answer = client.get_stages().rest_api_id(api).send().await;
        let answer = optional(answer, "apigateway:GET /restapis/stages", GONE)?;
        anyhow::Ok(answer.and_then(|answer| answer.item).unwrap_or_default())
    };
    let (stages, deployments) = tokio::try_join!(stages, deployments(client, api))?;
    let Some(stage) = stages.iter().find(|stage| stage.stage_name() == Some(STAGE)) else { return Ok(None) };
    let served: Vec<Option<&str>> = stages.iter().map(|stage| stage.deployment_id()).collect();
    let of_stage = deployments.iter().find(|deployment| deployment.id() == stage.deployment_id());
    let stale = deployments.iter().filter(|one| ours(one).is_some() && !served.contains(&one.id()));
    let all = stage.method_settings().and_then(|settings| settings.get("*/*"));
    Ok(Some(Stage {
        tags: managed_tags(stage.tags.clone().unwrap_or_default()),
        serves: of_stage.and_then(ours).unwrap_or("another deployment").to_owned(),
        stale_deployments: stale.count(),
        throttle_rate: all.map_or(0.0, |all| all.throttling_rate_limit),
        throttle_burst: all.map_or(0, |all| all.throttling_burst_limit),
        tracing: stage.tracing_enabled,
        access_log: stage.access_log_settings().and_then(|log| {
            // Some responses have the group's ARN with the `:*` of its streams.
            let group = log.destination_arn()?.trim_end_matches(":*").to_owned();
            Some(AccessLog { group, format: log.format().unwrap_or_default().to_owned() })
        }),
    }))
}

async fn deployments(client: &Client, api: &str) -> anyhow::Result<Vec<Deployment>> {
    let pages = client.get_deployments().rest_api_id(api).limit(500).into_paginator().items();
    let all = pages.send().collect::<Result<Vec<_>, _>>().await;
    Ok(optional(all, "apigateway:GET /restapis/deployments", GONE)?.unwrap_or_default())
}

/// The fingerprint of what a deployment of ours holds.
fn ours(deployment: &Deployment) -> Option<&str> {
    deployment.description()?.strip_prefix(SERVES)
}

/// A snapshot of the API as it is now, described by the fingerprint of what it should be. A run that
/// was cut short may have made it already.
async fn deploy(client: &Client, api: &str, desired: &Stage) -> anyhow::Result<String> {
    let find = async || {
        let all = deployments(client, api).await?;
        let same = all.into_iter().find(|deployment| ours(deployment) == Some(&desired.serves));
        anyhow::Ok(same.and_then(|deployment| deployment.id))
    };
    if let Some(made) = find().await? {
        return Ok(made);
    }
    let create =
        client.create_deployment().rest_api_id(api).description(format!("{SERVES}{}", desired.serves));
    create_once(
        "apigateway:POST /restapis/deployments",
        async |once| create.clone().customize().config_override(once).send().await.map(|answer| answer.id),
        find,
    )
    .await
}

/// What turns the settings of a stage into those that it should have.
/// <https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch>
fn settings(live: &Stage, desired: &Stage) -> Vec<PatchOperation> {
    let mut patches = Vec::new();
    if (live.throttle_rate, live.throttle_burst) != (desired.throttle_rate, desired.throttle_burst) {
        patches.push(patch(Op::Replace, RATE, &desired.throttle_rate.to_string()));
        patches.push(patch(Op::Replace, BURST, &desired.throttle_burst.to_string()));
    }
    if live.tracing != desired.tracing {
        patches.push(patch(Op::Replace, "/tracingEnabled", &desired.tracing.to_string()));
    }
    match &desired.access_log {
        Some(log) if live.access_log.as_ref() != Some(log) => {
            patches.push(patch(Op::Replace, "/accessLogSettings/destinationArn", &log.group));
            patches.push(patch(Op::Replace, "/accessLogSettings/format", &log.format));
        }
        None if live.access_log.is_some() => {
            patches.push(PatchOperation::builder().op(Op::Remove).path("/accessLogSettings").build());
        }
        _ => (),
    }
    patches
}

pub async fn create_stage(aws: &Aws, api: &str, desired: &Stage) -> anyhow::Result<()> {
    let client = &aws.apigateway;
    let deployment = deploy(client, api, desired).await?;
    let create = client
        .create_stage()
        .rest_api_id(api)
        .stage_name(STAGE)
        .deployment_id(deployment)
        .set_tags(Some(desired.tags.clone().into_iter().collect()));
    let answer = retry(NOT_YET, async || create.clone().send().await).await;
    answer.map_err(failed("apigateway:POST /restapis/stages"))?;
    let bare =
        Stage { throttle_rate: 0.0, throttle_burst: 0, tracing: false, access_log: None, ..desired.clone() };
    patch_stage(client, api, settings(&bare, desired)).await
}

async fn patch_stage(client: &Client, api: &str, patches: Vec<PatchOperation>) -> anyhow::Result<()> {
    let update = client.update_stage().rest_api_id(api).stage_name(STAGE).set_patch_operations(Some(patches));
    let answer = retry(NOT_YET, async || update.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("apigateway:PATCH /restapis/stages"))
}

pub async fn update_stage(aws: &Aws, api: &str, live: &Stage, desired: &Stage) -> anyhow::Result<()> {
    let client = &aws.apigateway;
    set_tags(aws, &format!("/restapis/{api}/stages/{STAGE}"), &live.tags, &desired.tags).await?;
    let patches = settings(live, desired);
    if !patches.is_empty() {
        patch_stage(client, api, patches).await?;
    }
    if live.serves != desired.serves {
        let deployment = deploy(client, api, desired).await?;
        patch_stage(client, api, vec![patch(Op::Replace, "/deploymentId", &deployment)]).await?;
    }
    if live.serves != desired.serves || live.stale_deployments > 0 {
        prune_deployments(client, api, &desired.serves).await?;
    }
    Ok(())
}

/// Deletes every deployment of ours but the one that is served. A stage that others made keeps its
/// own: API Gateway refuses to delete it, which is no failure of ours.
async fn prune_deployments(client: &Client, api: &str, served: &str) -> anyhow::Result<()> {
    let all = deployments(client, api).await?;
    let stale = all.iter().filter(|deployment| ours(deployment).is_some_and(|serves| serves != served));
    for id in stale.filter_map(|deployment| deployment.id.clone()) {
        let delete = client.delete_deployment().rest_api_id(api).deployment_id(id);
        let answer = retry(NOT_YET, async || delete.clone().send().await).await;
        optional(
            answer,
            "apigateway:DELETE /restapis/deployments",
            &["NotFoundException", "BadRequestException"],
        )?;
    }
    Ok(())
}

pub async fn delete_stage(aws: &Aws, api: &str) -> anyhow::Result<()> {
    let delete = aws.apigateway.delete_stage().rest_api_id(api).stage_name(STAGE);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "apigateway:DELETE /restapis/stages", GONE).map(|_| ())
}
