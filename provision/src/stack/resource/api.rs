//! The REST API, its stage, its key and the plan of its usage.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Tags;
use crate::settings::Quota;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Api {
    pub tags: Tags,
    pub description: String,
    /// `REGIONAL`.
    pub endpoint: String,
    pub binary_media_types: BTreeSet<String>,
    /// From how many bytes on a response is compressed for whoever accepts that; `None` is never.
    pub minimum_compression: Option<i32>,
    /// By `METHOD /path`.
    pub methods: BTreeMap<String, Method>,
    /// Whom API Gateway asks whose a request is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer: Option<Authorizer>,
    /// By gateway response type, such as `DEFAULT_4XX`.
    pub responses: BTreeMap<String, GatewayResponse>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Method {
    pub api_key_required: bool,
    /// Who says whether a request may come here: the name of the authorizer, or what else there is on AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer: Option<String>,
    pub integration: Integration,
}

/// A function that is shown the whole request (`REQUEST`), and says whose it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Authorizer {
    /// The function's ARN.
    pub function: String,
    /// What it goes by. Without it a request is refused, and nobody is asked.
    pub identity_source: String,
    /// Seconds that what it said is kept.
    pub kept_for: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integration {
    /// The whole request goes to a function, and what it returns is the response. Holds the function's ARN.
    Lambda(String),
    /// A CORS preflight that API Gateway responds to itself: 204 with these headers.
    Preflight(BTreeMap<String, String>),
    /// Anything else, found on AWS.
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GatewayResponse {
    /// `None` keeps the status that API Gateway chose.
    pub status: Option<String>,
    pub headers: BTreeMap<String, String>,
    /// The mapping template for `application/json`.
    pub template: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApiKey {
    pub tags: Tags,
    pub enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stage {
    pub tags: Tags,
    /// Fingerprint of the [`Api`] that the stage serves.
    pub serves: String,
    /// Deployments of ours that no stage serves, such as a run that was cut short leaves behind.
    pub stale_deployments: usize,
    /// Requests a second, over all callers.
    pub throttle_rate: f64,
    pub throttle_burst: i32,
    /// Whether requests are traced by X-Ray.
    pub tracing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
}

/// Where and how API Gateway logs each request, those included that no function sees.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessLog {
    /// ARN of the log group.
    pub group: String,
    /// One line, with context variables.
    pub format: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UsagePlan {
    pub tags: Tags,
    /// `{api id}:{stage}`.
    pub stages: BTreeSet<String>,
    /// Names of API keys.
    pub keys: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
}
