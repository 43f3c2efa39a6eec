//! Logs, alarms and the dashboard.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Tags;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogGroup {
    pub tags: Tags,
    /// Days; `None` keeps logs for ever.
    pub retention: Option<i32>,
}

/// All alarms of the stack, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alarms {
    pub tags: Tags,
    #[serde(flatten)]
    pub alarms: BTreeMap<String, Alarm>,
}

/// Raised where `statistic` is `at_least` that in each of so many periods.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alarm {
    pub namespace: String,
    pub metric: String,
    pub dimensions: BTreeMap<String, String>,
    /// `Sum`, or a percentile such as `p99`.
    pub statistic: String,
    pub at_least: f64,
    /// Seconds.
    pub period: i32,
    pub periods: i32,
    /// `notBreaching`: no requests, no alarm.
    pub missing_data: String,
    /// ARNs of SNS topics.
    pub tells: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dashboard {
    pub tags: Tags,
    pub body: Value,
}
