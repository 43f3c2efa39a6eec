//! The API key, and the usage plan that lets it call the stage.

use anyhow::Context;
use aws_sdk_apigateway::types::{
    ApiKey as AwsKey, ApiStage, Op, PatchOperation, QuotaPeriodType, QuotaSettings, UsagePlan as AwsPlan,
};

use super::{GONE, NOT_YET, create_once, made, patch, set_tags};
use crate::aws::Aws;
use crate::aws::failure::{failed, optional};
use crate::aws::wait::retry;
use crate::settings::{Period, Quota};
use crate::stack::place::{API_ID, Names, STACK_TAG};
use crate::stack::resource::api::{ApiKey, UsagePlan};
use crate::stack::resource::managed_tags;

/// Our key, by name and tag; a key of that name without our tag where there is no better one.
async fn find_key(aws: &Aws, names: &Names) -> anyhow::Result<Option<AwsKey>> {
    let pages = aws.apigateway.get_api_keys().name_query(&names.stack).limit(500).into_paginator().items();
    let keys =
        pages.send().collect::<Result<Vec<_>, _>>().await.map_err(failed("apigateway:GET /apikeys"))?;
    // The query finds longer names too.
    let mut named: Vec<AwsKey> =
        keys.into_iter().filter(|key| key.name.as_ref() == Some(&names.stack)).collect();
    for key in &mut named {
        // A list may leave the tags out, by which we know our key.
        if let (None, Some(id)) = (key.tags().filter(|tags| !tags.is_empty()), &key.id) {
            let answer = aws.apigateway.get_api_key().api_key(id).send().await;
            key.tags = optional(answer, "apigateway:GET /apikeys", GONE)?.and_then(|answer| answer.tags);
        }
    }
    Ok(named.into_iter().max_by_key(|key| owned(key.tags(), names)))
}

async fn find_plan(aws: &Aws, names: &Names) -> anyhow::Result<Option<AwsPlan>> {
    let pages = aws.apigateway.get_usage_plans().limit(500).into_paginator().items();
    let plans =
        pages.send().collect::<Result<Vec<_>, _>>().await.map_err(failed("apigateway:GET /usageplans"))?;
    let named = |plan: &AwsPlan| plan.name.as_ref() == Some(&names.stack);
    Ok(plans.into_iter().filter(named).max_by_key(|plan| owned(plan.tags(), names)))
}

fn owned(tags: Option<&std::collections::HashMap<String, String>>, names: &Names) -> bool {
    tags.and_then(|tags| tags.get(STACK_TAG)) == Some(&names.stack)
}

pub async fn read_key(aws: &Aws, names: &Names) -> anyhow::Result<Option<ApiKey>> {
    let key = find_key(aws, names).await?;
    Ok(key.map(|key| ApiKey { tags: managed_tags(key.tags.unwrap_or_default()), enabled: key.enabled }))
}

/// The secret itself, for those who ask for it.
pub async fn key_value(aws: &Aws, names: &Names) -> anyhow::Result<Option<String>> {
    let Some(id) = find_key(aws, names).await?.and_then(|key| key.id) else { return Ok(None) };
    let answer = aws.apigateway.get_api_key().api_key(id).include_value(true).send().await;
    Ok(answer.map_err(failed("apigateway:GET /apikeys"))?.value)
}

pub async fn create_key(aws: &Aws, names: &Names, desired: &ApiKey) -> anyhow::Result<()> {
    let tags = desired.tags.clone().into_iter().collect();
    let create =
        aws.apigateway.create_api_key().name(&names.stack).enabled(desired.enabled).set_tags(Some(tags));
    let made = create_once(
        "apigateway:POST /apikeys",
        async |once| create.clone().customize().config_override(once).send().await.map(|answer| answer.id),
        async || Ok(find_key(aws, names).await?.and_then(|key| key.id)),
    );
    made.await.map(|_| ())
}

pub async fn update_key(aws: &Aws, names: &Names, live: &ApiKey, desired: &ApiKey) -> anyhow::Result<()> {
    let id = find_key(aws, names).await?.and_then(|key| key.id).context("the API key is gone; run again")?;
    set_tags(aws, &format!("/apikeys/{id}"), &live.tags, &desired.tags).await?;
    if live.enabled != desired.enabled {
        let enabled = patch(Op::Replace, "/enabled", &desired.enabled.to_string());
        let update = aws.apigateway.update_api_key().api_key(id).patch_operations(enabled);
        update.send().await.map_err(failed("apigateway:PATCH /apikeys"))?;
    }
    Ok(())
}

pub async fn delete_key(aws: &Aws, names: &Names) -> anyhow::Result<()> {
    let Some(id) = find_key(aws, names).await?.and_then(|key| key.id) else { return Ok(()) };
    let answer = aws.apigateway.delete_api_key().api_key(id).send().await;
    optional(answer, "apigateway:DELETE /apikeys", GONE).map(|_| ())
}

pub async fn read_plan(aws: &Aws, names: &Names, api: Option<&str>) -> anyhow::Result<Option<UsagePlan>> {
    let Some(plan) = find_plan(aws, names).await? else { return Ok(None) };
    let pages = aws
        .apigateway
        .get_usage_plan_keys()
        .usage_plan_id(plan.id.unwrap_or_default())
        .into_paginator()
        .items();
    let keys = pages
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .map_err(failed("apigateway:GET /usageplans/keys"))?;
    // Stages and keys that others added to the plan are theirs.
    let ours = |stage: &ApiStage| stage.api_id.as_deref() == api;
    let stage = |stage: ApiStage| format!("{API_ID}:{}", stage.stage.unwrap_or_default());
    Ok(Some(UsagePlan {
        tags: managed_tags(plan.tags.unwrap_or_default()),
        stages: plan.api_stages.unwrap_or_default().into_iter().filter(ours).map(stage).collect(),
        keys: keys.into_iter().filter_map(|key| key.name).filter(|name| *name == names.stack).collect(),
        quota: plan.quota.and_then(|quota| {
            let period = match quota.period? {
                QuotaPeriodType::Day => Period::Day,
                QuotaPeriodType::Week => Period::Week,
                _ => Period::Month,
            };
            Some(Quota { requests: quota.limit, period })
        }),
    }))
}

pub async fn create_plan(aws: &Aws, names: &Names, api: &str, desired: &UsagePlan) -> anyhow::Result<()> {
    let tags = desired.tags.clone().into_iter().collect();
    let stage = |stage: &String| {
        let (_, stage) = stage.split_once(':').with_context(|| format!("{stage:?} is no API and stage"))?;
        anyhow::Ok(ApiStage::builder().api_id(api).stage(stage).build())
    };
    let stages = desired.stages.iter().map(stage).collect::<anyhow::Result<Vec<_>>>()?;
    let create = aws
        .apigateway
        .create_usage_plan()
        .name(&names.stack)
        .set_api_stages(Some(stages))
        .set_quota(desired.quota.map(quota))
        .set_tags(Some(tags));
    let made = create_once(
        "apigateway:POST /usageplans",
        async |once| create.clone().customize().config_override(once).send().await.map(|answer| answer.id),
        async || Ok(find_plan(aws, names).await?.and_then(|plan| plan.id)),
    );
    let (id, key) = tokio::try_join!(made, find_key(aws, names))?;
    if desired.keys.is_empty() { Ok(()) } else { add_key(aws, &id, key).await }
}

async fn add_key(aws: &Aws, plan: &str, key: Option<AwsKey>) -> anyhow::Result<()> {
    let key = key.and_then(|key| key.id).context("the API key is gone; run again")?;
    let create = aws.apigateway.create_usage_plan_key().usage_plan_id(plan).key_id(key).key_type("API_KEY");
    made(create.send().await, "apigateway:POST /usageplans/keys").map(|_| ())
}

pub async fn update_plan(
    aws: &Aws,
    names: &Names,
    api: &str,
    live: &UsagePlan,
    desired: &UsagePlan,
) -> anyhow::Result<()> {
    let client = &aws.apigateway;
    let id =
        find_plan(aws, names).await?.and_then(|plan| plan.id).context("the usage plan is gone; run again")?;
    set_tags(aws, &format!("/usageplans/{id}"), &live.tags, &desired.tags).await?;
    let stages = [
        (Op::Remove, live.stages.difference(&desired.stages)),
        (Op::Add, desired.stages.difference(&live.stages)),
    ];
    let mut patches: Vec<PatchOperation> = stages
        .into_iter()
        .flat_map(|(op, stages)| {
            stages.map(move |stage| patch(op.clone(), "/apiStages", &stage.replace(API_ID, api)))
        })
        .collect();
    match desired.quota {
        Some(quota) if live.quota != Some(quota) => {
            patches.push(patch(Op::Replace, "/quota/limit", &quota.requests.to_string()));
            patches.push(patch(Op::Replace, "/quota/period", period(quota).as_str()));
        }
        None if live.quota.is_some() => {
            patches.push(PatchOperation::builder().op(Op::Remove).path("/quota").build());
        }
        _ => (),
    }
    if !patches.is_empty() {
        let update = client.update_usage_plan().usage_plan_id(&id).set_patch_operations(Some(patches));
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        answer.map_err(failed("apigateway:PATCH /usageplans"))?;
    }
    if desired.keys.difference(&live.keys).next().is_some() {
        add_key(aws, &id, find_key(aws, names).await?).await?;
    }
    Ok(())
}

fn quota(quota: Quota) -> QuotaSettings {
    QuotaSettings::builder().limit(quota.requests).period(period(quota)).build()
}

fn period(quota: Quota) -> QuotaPeriodType {
    match quota.period {
        Period::Day => QuotaPeriodType::Day,
        Period::Week => QuotaPeriodType::Week,
        Period::Month => QuotaPeriodType::Month,
    }
}

/// A plan goes only when it covers no stage.
pub async fn delete_plan(aws: &Aws, names: &Names) -> anyhow::Result<()> {
    let client = &aws.apigateway;
    let Some(plan) = find_plan(aws, names).await? else { return Ok(()) };
    let id = plan.id.unwrap_or_default();
    for stage in plan.api_stages.unwrap_or_default() {
        let stage = format!("{}:{}", stage.api_id.unwrap_or_default(), stage.stage.unwrap_or_default());
        let update = client.update_usage_plan().usage_plan_id(&id).patch_operations(patch(
            Op::Remove,
            "/apiStages",
            &stage,
        ));
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        optional(answer, "apigateway:PATCH /usageplans", GONE)?;
    }
    let answer = client.delete_usage_plan().usage_plan_id(id).send().await;
    optional(answer, "apigateway:DELETE /usageplans", GONE).map(|_| ())
}
