//! Each kind of resource, with the fields that the stack manages and no others.
//!
//! A field that is not here is not compared and not touched. Serialised, a resource is what a plan
//! compares and shows, so field names are what users read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::settings::{Package, Quota};

pub type Tags = BTreeMap<String, String>;

/// Of a resource's tags, those that the stack manages. Everybody else's are left alone.
pub fn managed_tags(tags: impl IntoIterator<Item = (String, String)>) -> Tags {
    tags.into_iter().filter(|(key, _)| key.starts_with("cloudpix:")).collect()
}

/// What a function's code is: enough to say whether AWS runs the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Code {
    pub package: Package,
    /// Of an image the digest of its manifest (`sha256:…`), of a zip file its SHA-256 in base64.
    pub digest: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Resource {
    Bucket(Bucket),
    Table(Table),
    Queue(Queue),
    LogGroup(LogGroup),
    Role(Role),
    Repository(Repository),
    Image(ContainerImage),
    Function(Lambda),
    Alias(Alias),
    Api(Api),
    ApiKey(ApiKey),
    Permission(Permission),
    Notification(Notification),
    Stage(Stage),
    UsagePlan(UsagePlan),
    Alarms(Alarms),
    Dashboard(Dashboard),
}

impl Resource {
    /// The managed tags, of a resource that AWS can tag.
    pub fn tags(&self) -> Option<&Tags> {
        match self {
            Resource::Bucket(r) => Some(&r.tags),
            Resource::Table(r) => Some(&r.tags),
            Resource::Queue(r) => Some(&r.tags),
            Resource::LogGroup(r) => Some(&r.tags),
            Resource::Role(r) => Some(&r.tags),
            Resource::Repository(r) => Some(&r.tags),
            Resource::Function(r) => Some(&r.tags),
            Resource::Api(r) => Some(&r.tags),
            Resource::ApiKey(r) => Some(&r.tags),
            Resource::UsagePlan(r) => Some(&r.tags),
            Resource::Stage(r) => Some(&r.tags),
            Resource::Alarms(r) => Some(&r.tags),
            Resource::Dashboard(r) => Some(&r.tags),
            Resource::Image(_) | Resource::Alias(_) | Resource::Permission(_) | Resource::Notification(_) => {
                None
            }
        }
    }

    /// The same with these tags beside its own.
    #[must_use]
    pub fn tagged(mut self, more: &Tags) -> Resource {
        let tags = match &mut self {
            Resource::Bucket(r) => &mut r.tags,
            Resource::Table(r) => &mut r.tags,
            Resource::Queue(r) => &mut r.tags,
            Resource::LogGroup(r) => &mut r.tags,
            Resource::Role(r) => &mut r.tags,
            Resource::Repository(r) => &mut r.tags,
            Resource::Function(r) => &mut r.tags,
            Resource::Api(r) => &mut r.tags,
            Resource::ApiKey(r) => &mut r.tags,
            Resource::UsagePlan(r) => &mut r.tags,
            Resource::Stage(r) => &mut r.tags,
            Resource::Alarms(r) => &mut r.tags,
            Resource::Dashboard(r) => &mut r.tags,
            Resource::Image(_) | Resource::Alias(_) | Resource::Permission(_) | Resource::Notification(_) => {
                return self;
            }
        };
        tags.extend(more.clone());
        self
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bucket {
    pub tags: Tags,
    /// All four settings of S3 Block Public Access.
    pub block_public_access: bool,
    /// `BucketOwnerEnforced`: ACLs are off.
    pub object_ownership: String,
    /// `AES256` (SSE-S3).
    pub encryption: String,
    pub versioning: bool,
    pub policy: Value,
    pub cors: Vec<CorsRule>,
    pub lifecycle: Vec<LifecycleRule>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CorsRule {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    pub exposed: Vec<String>,
    pub max_age: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LifecycleRule {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_multipart_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noncurrent_days: Option<i32>,
    /// Delete markers that hide nothing any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expired_delete_markers: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Table {
    pub tags: Tags,
    pub partition_key: String,
    /// `PAY_PER_REQUEST`.
    pub billing: String,
    pub indexes: BTreeMap<String, Index>,
    /// The attribute whose time, in seconds since the epoch, ends an item.
    pub ttl: Option<String>,
    pub point_in_time_recovery: bool,
    pub deletion_protection: bool,
}

/// A global secondary index that projects every attribute. All keys are strings.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Index {
    pub partition_key: String,
    pub sort_key: String,
    /// `ALL`.
    pub projection: String,
    /// `ACTIVE`, once it can be asked.
    pub status: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Queue {
    pub tags: Tags,
    /// `SSE-SQS`, where SQS encrypts with a key of its own.
    pub encryption: String,
    /// Seconds that a message is kept.
    pub retention: i32,
    /// Seconds that a message is hidden from others after it was received.
    pub visibility: i32,
    pub policy: Value,
}

/// Of a bucket's notifications the one that is ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notification {
    /// ARN of the alias that is called.
    pub function: String,
    pub events: BTreeSet<String>,
    /// What an object's key must be like: `prefix`, `suffix`.
    pub filters: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogGroup {
    pub tags: Tags,
    /// Days; `None` keeps logs for ever.
    pub retention: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Role {
    /// IAM's own id of the role, `AROA…`, which a role that is made anew under its name does not have.
    #[serde(skip)]
    pub id: Option<String>,
    pub tags: Tags,
    pub trust: Value,
    /// The inline policy named [`super::place::ROLE_POLICY`].
    pub policy: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Repository {
    pub tags: Tags,
    pub immutable_tags: bool,
    pub scan_on_push: bool,
    /// Of the repository's policy, the statement [`super::place::PULL_STATEMENT`].
    pub pull_policy: Value,
    pub lifecycle: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerImage {
    /// Digest of the manifest, `sha256:…`.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lambda {
    pub tags: Tags,
    /// How many may run at once, of all its versions, and are kept free for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i32>,
    #[serde(flatten)]
    pub configuration: Configuration,
}

/// What the alias [`super::place::LIVE`] serves: the configuration of the published version that it names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alias {
    #[serde(flatten)]
    pub configuration: Configuration,
    /// Shares of the calls, 0 to 1, that go to other versions; none by our doing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    #[serde(skip)]
    pub on_trial: OnTrial,
}

/// Whether what an alias serves still has to stand its test. That is known of what is, and no part of what
/// should be, so any two are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnTrial(pub bool);

impl PartialEq for OnTrial {
    fn eq(&self, _: &OnTrial) -> bool {
        true
    }
}

/// What a function runs and how; publishing a version freezes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Configuration {
    #[serde(flatten)]
    pub code: Code,
    /// ARN.
    pub role: String,
    /// [`Role::id`] as it was when the role was set. Lambda's grant is to that id and not to the name.
    pub role_id: String,
    /// MiB.
    pub memory: i32,
    /// Seconds.
    pub timeout: i32,
    /// Whether Lambda sends traces to X-Ray.
    pub tracing: bool,
    /// ARN of the queue that gets what failed when nobody waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<String>,
    pub environment: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Api {
    pub tags: Tags,
    pub description: String,
    /// `REGIONAL`.
    pub endpoint: String,
    pub binary_media_types: BTreeSet<String>,
    /// Bytes of an answer from which on it is compressed for whoever accepts that; `None`: never.
    pub minimum_compression: Option<i32>,
    /// By `METHOD /path`.
    pub methods: BTreeMap<String, Method>,
    /// By gateway response type, such as `DEFAULT_4XX`.
    pub responses: BTreeMap<String, GatewayResponse>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Method {
    pub api_key_required: bool,
    pub integration: Integration,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integration {
    /// The whole request goes to a function, whose answer is the response. Holds the function's ARN.
    Lambda(String),
    /// A CORS preflight that API Gateway answers itself: 204 with these headers.
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

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Permission {
    /// Who may call the function's alias, by statement id: the ARN of one method of our API, or of our bucket.
    pub callers: BTreeMap<String, String>,
    /// Who may call the function past its alias, which nothing of ours does: nobody.
    pub unqualified: BTreeMap<String, String>,
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
