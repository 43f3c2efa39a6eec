//! CloudWatch: alarms, the dashboard, and what the metrics say of the last hour.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Dimension, Metric, MetricAlarm, MetricDataQuery, MetricStat, StateValue, Statistic,
    Tag,
};
use contract::Function;
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::{failed, optional};
use super::{Aws, tag_changes};
use crate::stack::place::Names;
use crate::stack::resource::watch::{Alarm, Alarms, Dashboard};
use crate::stack::resource::{Tags, managed_tags};

/// What an alarm is that goes between two calls, by the models of the calls and by what they say.
const GONE: &[&str] = &["ResourceNotFound", "ResourceNotFoundException"];

fn arn(aws: &Aws, alarm: &str) -> String {
    aws.place.arn("cloudwatch", &format!("alarm:{alarm}"))
}

async fn described(aws: &Aws, names: &Names) -> anyhow::Result<Vec<MetricAlarm>> {
    let answer = aws.cloudwatch.describe_alarms().set_alarm_names(Some(names.alarms())).send().await;
    Ok(answer.map_err(failed("cloudwatch:DescribeAlarms"))?.metric_alarms.unwrap_or_default())
}

/// Those of our alarms that there are, with the tags that all of them have.
pub async fn read_alarms(aws: &Aws, names: &Names) -> anyhow::Result<Option<Alarms>> {
    let (mut alarms, mut tags) = (BTreeMap::new(), None);
    for found in described(aws, names).await? {
        let name = found.alarm_name.clone().context("cloudwatch:DescribeAlarms answered no name")?;
        let answer = aws.cloudwatch.list_tags_for_resource().resource_arn(arn(aws, &name)).send().await;
        let Some(answer) = optional(answer, "cloudwatch:ListTagsForResource", GONE)? else {
            continue;
        };
        let pair = |tag: Tag| Some((tag.key?, tag.value?));
        let its = managed_tags(answer.tags.unwrap_or_default().into_iter().filter_map(pair));
        tags = Some(match tags {
            None => its,
            Some(all) => Tags::into_iter(all).filter(|(key, value)| its.get(key) == Some(value)).collect(),
        });
        alarms.insert(name, alarm(found));
    }
    Ok(tags.map(|tags| Alarms { tags, alarms }))
}

fn alarm(found: MetricAlarm) -> Alarm {
    let dimension = |one: Dimension| Some((one.name?, one.value?));
    let statistic = found.statistic.map(|statistic| statistic.as_str().to_owned());
    Alarm {
        namespace: found.namespace.unwrap_or_default(),
        metric: found.metric_name.unwrap_or_default(),
        dimensions: found.dimensions.unwrap_or_default().into_iter().filter_map(dimension).collect(),
        statistic: found.extended_statistic.or(statistic).unwrap_or_default(),
        at_least: found.threshold.unwrap_or_default(),
        period: found.period.unwrap_or_default(),
        periods: found.evaluation_periods.unwrap_or_default(),
        missing_data: found.treat_missing_data.unwrap_or_default(),
        tells: found.alarm_actions.unwrap_or_default().into_iter().collect(),
    }
}

/// Makes the alarms what they should be. Putting one again changes nothing, so nothing is lost when the
/// response gets lost. CloudWatch takes three a second.
pub async fn set_alarms(aws: &Aws, live: &Alarms, desired: &Alarms) -> anyhow::Result<()> {
    let gone: Vec<String> =
        live.alarms.keys().filter(|name| !desired.alarms.contains_key(*name)).cloned().collect();
    if !gone.is_empty() {
        delete(aws, gone).await?;
    }
    let tags: Vec<Tag> =
        desired.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    for (name, wanted) in
        desired.alarms.iter().filter(|(name, wanted)| live.alarms.get(*name) != Some(wanted))
    {
        let Alarm { namespace, metric, statistic, at_least, period, periods, missing_data, .. } = wanted;
        let dimension = |(name, value)| Dimension::builder().name(name).value(value).build();
        let put = aws
            .cloudwatch
            .put_metric_alarm()
            .alarm_name(name)
            .namespace(namespace)
            .metric_name(metric)
            .set_dimensions(Some(wanted.dimensions.iter().map(dimension).collect()))
            .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
            .threshold(*at_least)
            .period(*period)
            .evaluation_periods(*periods)
            .treat_missing_data(missing_data)
            .set_alarm_actions(Some(wanted.tells.iter().cloned().collect()))
            .set_tags(Some(tags.clone()));
        let put = if statistic.starts_with('p') {
            put.extended_statistic(statistic)
        } else {
            put.statistic(Statistic::from(statistic.as_str()))
        };
        put.send().await.map_err(failed("cloudwatch:PutMetricAlarm"))?;
    }
    // Tags of a put count only where the alarm is new.
    let (set, unset) = tag_changes(&live.tags, &desired.tags);
    for name in live.alarms.keys().filter(|name| desired.alarms.contains_key(*name)) {
        if !set.is_empty() {
            let tags = set.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
            let call = aws.cloudwatch.tag_resource().resource_arn(arn(aws, name));
            let call = call.set_tags(Some(tags.collect()));
            call.send().await.map_err(failed("cloudwatch:TagResource"))?;
        }
        if !unset.is_empty() {
            let call = aws.cloudwatch.untag_resource().resource_arn(arn(aws, name));
            let call = call.set_tag_keys(Some(unset.clone()));
            call.send().await.map_err(failed("cloudwatch:UntagResource"))?;
        }
    }
    Ok(())
}

pub async fn delete_alarms(aws: &Aws, live: &Alarms) -> anyhow::Result<()> {
    delete(aws, live.alarms.keys().cloned().collect()).await
}

async fn delete(aws: &Aws, names: Vec<String>) -> anyhow::Result<()> {
    let answer = aws.cloudwatch.delete_alarms().set_alarm_names(Some(names)).send().await;
    optional(answer, "cloudwatch:DeleteAlarms", GONE).map(|_| ())
}

/// Names of the alarms that are raised, and out of how many; `None` where there are none at all.
pub async fn raised(aws: &Aws, names: &Names) -> anyhow::Result<Option<(Vec<String>, usize)>> {
    let alarms = described(aws, names).await?;
    let of = alarms.len();
    let raised = alarms.into_iter().filter(|alarm| alarm.state_value == Some(StateValue::Alarm));
    let raised = raised.filter_map(|alarm| alarm.alarm_name).collect();
    Ok((of > 0).then_some((raised, of)))
}

/// How CloudWatch says that there is no such dashboard.
const NO_DASHBOARD: &[&str] = &["ResourceNotFound", "DashboardNotFoundError"];

/// CloudWatch tags no dashboards, so the tags of ours are the text of its last widget.
pub async fn read_dashboard(aws: &Aws, names: &Names) -> anyhow::Result<Option<Dashboard>> {
    let answer = aws.cloudwatch.get_dashboard().dashboard_name(&names.stack).send().await;
    let Some(answer) = optional(answer, "cloudwatch:GetDashboard", NO_DASHBOARD)? else { return Ok(None) };
    // What is no JSON is no dashboard of ours.
    let mut body: Value =
        serde_json::from_str(answer.dashboard_body().unwrap_or_default()).unwrap_or(Value::Null);
    let mut tags = Tags::new();
    if let Some(widgets) = body["widgets"].as_array_mut() {
        let text =
            widgets.last().and_then(|last| last["properties"]["markdown"].as_str()).unwrap_or_default();
        let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
        tags = managed_tags(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        if !tags.is_empty() {
            widgets.pop();
        }
    }
    Ok(Some(Dashboard { tags, body }))
}

pub async fn put_dashboard(aws: &Aws, names: &Names, desired: &Dashboard) -> anyhow::Result<()> {
    let mut body = desired.body.clone();
    let tags: Vec<String> = desired.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let text = json!({
        "type": "text", "width": 24, "height": 1,
        "properties": { "markdown": tags.join(" "), "background": "transparent" },
    });
    if let Some(widgets) = body["widgets"].as_array_mut() {
        widgets.push(text);
    }
    let put = aws.cloudwatch.put_dashboard().dashboard_name(&names.stack).dashboard_body(body.to_string());
    put.send().await.map(|_| ()).map_err(failed("cloudwatch:PutDashboard"))
}

pub async fn delete_dashboard(aws: &Aws, names: &Names) -> anyhow::Result<()> {
    let answer = aws.cloudwatch.delete_dashboards().dashboard_names(&names.stack).send().await;
    optional(answer, "cloudwatch:DeleteDashboards", NO_DASHBOARD).map(|_| ())
}

/// What a function did in the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hour {
    pub requests: f64,
    pub errors: f64,
    pub throttles: f64,
    /// Milliseconds, the 99th percentile of the worst five minutes; `None` where nothing ran.
    pub p99: Option<f64>,
}

/// Functions that ran in the last hour, and what they did.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>
pub async fn last_hour(
    aws: &Aws,
    names: &Names,
    functions: &[Function],
) -> anyhow::Result<BTreeMap<Function, Hour>> {
    const METRICS: [(&str, &str); 4] =
        [("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum"), ("Duration", "p99")];
    let mut queries = Vec::new();
    for &function in functions {
        let whose = Dimension::builder().name("FunctionName").value(names.function(function)).build();
        for (name, statistic) in METRICS {
            let metric =
                Metric::builder().namespace("AWS/Lambda").metric_name(name).dimensions(whose.clone());
            let stat = MetricStat::builder().metric(metric.build()).period(300).stat(statistic).build();
            let id = format!("{}_{}", function.name(), name.to_lowercase());
            queries.push(MetricDataQuery::builder().id(id).metric_stat(stat).build());
        }
    }
    let now = SystemTime::now();
    let pages = aws
        .cloudwatch
        .get_metric_data()
        .start_time(DateTime::from(now - Duration::from_hours(1)))
        .end_time(DateTime::from(now))
        .set_metric_data_queries(Some(queries))
        .into_paginator()
        .send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("cloudwatch:GetMetricData"))?;
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for result in pages.into_iter().flat_map(|page| page.metric_data_results.unwrap_or_default()) {
        values.entry(result.id.unwrap_or_default()).or_default().extend(result.values.unwrap_or_default());
    }
    let of = |function: Function, metric: &str| {
        values.get(&format!("{}_{metric}", function.name())).map_or(&[][..], Vec::as_slice)
    };
    let sum = |function, metric| of(function, metric).iter().sum();
    let hours = functions.iter().map(|&function| {
        let p99 = of(function, "duration").iter().copied().reduce(f64::max);
        let requests = sum(function, "invocations");
        let (errors, throttles) = (sum(function, "errors"), sum(function, "throttles"));
        (function, Hour { requests, errors, throttles, p99 })
    });
    Ok(hours.filter(|(_, hour)| *hour != Hour::default()).collect())
}
