//! `cloudpix.toml` and flags, parsed once into checked [`Settings`].
//!
//! The file has `[defaults]` for every environment and `[env.NAME]` for what differs in one. A key
//! that is in neither has the default written here. Nobody validates a setting again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use contract::Function;
use serde::{Deserialize, Serialize};

use crate::stack::function::{Profile, profile};

mod thumbnails;

pub use thumbnails::Thumbnails;

/// How a function's code reaches Lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Package {
    /// A container image, packed here and pushed to ECR, deployed by digest.
    Image,
    /// A zip file, uploaded with the function.
    Zip,
}

/// What a caller of the API must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The `x-api-key` header, with the key of the stack's usage plan.
    ApiKey,
    /// Nothing: anyone may upload and list.
    None,
}

/// The instruction set of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// What the binary is built for.
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "x86_64")]
    X86,
    #[serde(rename = "arm64")]
    Arm64,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Architecture::Auto => "auto",
            Architecture::X86 => "x86_64",
            Architecture::Arm64 => "arm64",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizing {
    /// MiB; CPU comes with it, 1,769 MiB being one core.
    pub memory: i32,
    /// Seconds.
    pub timeout: i32,
    pub architecture: Architecture,
    /// How many may run at once, and are kept free for it; `None` shares what the account has.
    pub concurrency: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Requests a second.
    pub rate: f64,
    /// Requests at once.
    pub burst: i32,
}

/// What a quota is counted over, from its first moment in UTC on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    Day,
    Week,
    Month,
}

/// Requests that one API key may make in a period; more get 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    pub requests: i32,
    pub period: Period,
}

/// When CloudWatch calls for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarms {
    /// ARN of the SNS topic that is told; `None` tells nobody.
    pub topic: Option<String>,
    /// The 99th percentile of a function's duration that is too long, in milliseconds.
    pub latency_ms: u32,
    /// What a function may take in within an hour, in gigabytes; `None` is no alarm.
    pub uploaded_gb: Option<u32>,
}

/// What watches over the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Whether API Gateway and Lambda send traces to X-Ray.
    pub tracing: bool,
    /// Whether API Gateway logs each request, where the account lets it.
    pub access_logs: bool,
    pub alarms: Option<Alarms>,
    pub dashboard: bool,
}

/// A folder in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateBucket {
    pub bucket: String,
    /// Without a slash at either end; may be empty.
    pub prefix: String,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub env: String,
    pub package: Package,
    pub auth: Auth,
    pub allow_origin: String,
    pub log_retention_days: i32,
    pub keep_deleted_days: i32,
    /// Of each function, how many of its newest versions stay.
    pub keep_versions: usize,
    /// Pixels.
    pub max_pixels: u64,
    /// Bytes.
    pub max_upload_bytes: u64,
    pub throttle: Throttle,
    /// Of each API key; `None` where there is no limit.
    pub quota: Option<Quota>,
    pub watch: Watch,
    /// Whether `destroy` refuses this environment.
    pub protected: bool,
    /// Where the stack's record lies, if not on this machine.
    pub state_bucket: Option<StateBucket>,
    pub functions: BTreeMap<Function, Sizing>,
    pub thumbnails: Thumbnails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Layer,
    #[serde(default)]
    env: BTreeMap<String, Layer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Layer {
    package: Option<Package>,
    auth: Option<Auth>,
    allow_origin: Option<String>,
    log_retention_days: Option<i32>,
    keep_deleted_days: Option<i32>,
    keep_versions: Option<usize>,
    max_pixels: Option<u64>,
    max_upload_bytes: Option<u64>,
    #[serde(default)]
    throttle: ThrottleLayer,
    #[serde(default)]
    quota: QuotaLayer,
    tracing: Option<bool>,
    access_logs: Option<bool>,
    #[serde(default)]
    alarms: AlarmsLayer,
    dashboard: Option<bool>,
    protected: Option<bool>,
    #[serde(default)]
    state: StateLayer,
    #[serde(default)]
    upload: SizingLayer,
    #[serde(default)]
    list: SizingLayer,
    #[serde(default)]
    process: SizingLayer,
    #[serde(default)]
    thumbnails: thumbnails::Layer,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ThrottleLayer {
    rate: Option<f64>,
    burst: Option<i32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct QuotaLayer {
    requests: Option<i32>,
    period: Option<Period>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AlarmsLayer {
    enabled: Option<bool>,
    topic: Option<String>,
    latency_ms: Option<u32>,
    uploaded_gb: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StateLayer {
    backend: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SizingLayer {
    memory: Option<i32>,
    timeout: Option<i32>,
    architecture: Option<Architecture>,
    concurrency: Option<i32>,
}

impl Settings {
    /// How many functions that run at once are kept free for those of this stack.
    pub fn reserved(&self) -> i32 {
        self.functions.values().filter_map(|sizing| sizing.concurrency).sum()
    }
}

impl Layer {
    fn sizing(&self, function: Function) -> SizingLayer {
        match function {
            Function::Upload => self.upload,
            Function::List => self.list,
            Function::Process => self.process,
        }
    }
}

/// Reads `path` for the environment `env`. A missing file at the default place means the defaults.
pub fn load(path: Option<&Path>, env: &str, package: Option<Package>) -> anyhow::Result<Settings> {
    check_environment_name(env)?;
    let file = match path {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("read {}", path.display()))
            .map(|text| (path, text))?,
        None => {
            let path = Path::new("cloudpix.toml");
            match std::fs::read_to_string(path) {
                Ok(text) => (path, text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => (path, String::new()),
                Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
            }
        }
    };
    let (path, text) = file;
    let mut settings = parse(&text, env).with_context(|| format!("settings in {}", path.display()))?;
    settings.package = package.unwrap_or(settings.package);
    Ok(settings)
}

/// An environment's name is part of bucket and role names, which are the strictest.
fn check_environment_name(env: &str) -> anyhow::Result<()> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (1..=16).contains(&env.len())
        && env.chars().all(legal)
        && env.starts_with(|c: char| c.is_ascii_lowercase())
        && !env.ends_with('-');
    ensure!(
        fits,
        "environment {env:?} is no name: use 1 to 16 lower-case letters, digits and hyphens, starting with a letter"
    );
    Ok(())
}

pub fn parse(text: &str, env: &str) -> anyhow::Result<Settings> {
    let file: File = toml::from_str(text)?;
    for name in file.env.keys() {
        check_environment_name(name)?;
    }
    let over = file.env.get(env).cloned().unwrap_or_default();
    let base = file.defaults;
    let settings = Settings {
        env: env.to_owned(),
        package: over.package.or(base.package).unwrap_or(Package::Image),
        auth: over.auth.or(base.auth).unwrap_or(Auth::ApiKey),
        functions: Function::ALL.map(|function| (function, sizing(&over, &base, function))).into(),
        throttle: Throttle {
            rate: over.throttle.rate.or(base.throttle.rate).unwrap_or(50.0),
            burst: over.throttle.burst.or(base.throttle.burst).unwrap_or(100),
        },
        thumbnails: over.thumbnails.or(base.thumbnails),
        quota: quota(over.quota, base.quota),
        watch: Watch {
            tracing: over.tracing.or(base.tracing).unwrap_or(false),
            access_logs: over.access_logs.or(base.access_logs).unwrap_or(true),
            alarms: alarms(over.alarms, base.alarms)?,
            dashboard: over.dashboard.or(base.dashboard).unwrap_or(false),
        },
        protected: over.protected.or(base.protected).unwrap_or(false),
        state_bucket: state_bucket(over.state.backend.or(base.state.backend).as_deref())?,
        allow_origin: over.allow_origin.or(base.allow_origin).unwrap_or_else(|| "*".to_owned()),
        log_retention_days: over.log_retention_days.or(base.log_retention_days).unwrap_or(30),
        keep_deleted_days: over.keep_deleted_days.or(base.keep_deleted_days).unwrap_or(30),
        keep_versions: over.keep_versions.or(base.keep_versions).unwrap_or(10),
        max_pixels: over.max_pixels.or(base.max_pixels).unwrap_or(100_000_000),
        max_upload_bytes: over.max_upload_bytes.or(base.max_upload_bytes).unwrap_or(100 << 20),
    };
    check(&settings)?;
    Ok(settings)
}

fn quota(over: QuotaLayer, base: QuotaLayer) -> Option<Quota> {
    let requests = over.requests.or(base.requests).unwrap_or(1_000_000);
    let period = over.period.or(base.period).unwrap_or(Period::Month);
    (requests != 0).then_some(Quota { requests, period })
}

fn alarms(over: AlarmsLayer, base: AlarmsLayer) -> anyhow::Result<Option<Alarms>> {
    let topic = over.topic.or(base.topic).filter(|topic| !topic.is_empty());
    if let Some(topic) = &topic {
        let parts: Vec<&str> = topic.split(':').collect();
        let legal = matches!(parts[..], ["arn", _, "sns", region, account, name]
            if !region.is_empty() && account.len() == 12 && !name.is_empty());
        ensure!(
            legal,
            "alarms.topic = {topic:?}: must be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:ops"
        );
    }
    let latency_ms = over.latency_ms.or(base.latency_ms).unwrap_or(3000);
    range("alarms.latency-ms", latency_ms, 1, 29_000)?;
    let uploaded_gb = over.uploaded_gb.or(base.uploaded_gb).filter(|gb| *gb > 0);
    range("alarms.uploaded-gb", uploaded_gb.unwrap_or_default(), 0, 1_000_000)?;
    let enabled = over.enabled.or(base.enabled).unwrap_or(false);
    Ok(enabled.then_some(Alarms { topic, latency_ms, uploaded_gb }))
}

fn state_bucket(backend: Option<&str>) -> anyhow::Result<Option<StateBucket>> {
    let Some(backend) = backend.filter(|backend| *backend != "folder") else { return Ok(None) };
    let (bucket, prefix) = backend
        .strip_prefix("s3://")
        .map(|place| place.split_once('/').unwrap_or((place, "")))
        .unwrap_or_default();
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    ensure!(
        (3..=63).contains(&bucket.len()) && bucket.chars().all(legal),
        "state.backend = {backend:?}: must be \"folder\" or \"s3://BUCKET/PREFIX\""
    );
    let (bucket, prefix) = (bucket.to_owned(), prefix.trim_matches('/').to_owned());
    Ok(Some(StateBucket { bucket, prefix }))
}

fn sizing(over: &Layer, base: &Layer, function: Function) -> Sizing {
    let (over, base) = (over.sizing(function), base.sizing(function));
    let Profile { memory, timeout, .. } = profile(function);
    Sizing {
        memory: over.memory.or(base.memory).unwrap_or(*memory),
        timeout: over.timeout.or(base.timeout).unwrap_or(*timeout),
        architecture: over.architecture.or(base.architecture).unwrap_or(Architecture::Auto),
        concurrency: over.concurrency.or(base.concurrency).filter(|&concurrency| concurrency != 0),
    }
}

/// The limits are AWS's own; finding them here names the key, finding them there names a call.
fn check(settings: &Settings) -> anyhow::Result<()> {
    // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    const RETENTION: [i32; 22] = [
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
        3653,
    ];
    for (function, sizing) in &settings.functions {
        let name = function.name();
        range(&format!("{name}.memory"), sizing.memory, 128, 10_240)?;
        range(&format!("{name}.timeout"), sizing.timeout, 1, profile(*function).trigger.longest())?;
        range(&format!("{name}.concurrency"), sizing.concurrency.unwrap_or_default(), 0, 100_000)?;
    }
    settings.thumbnails.check()?;
    let days = settings.log_retention_days;
    ensure!(
        RETENTION.contains(&days),
        "log-retention-days = {days}: CloudWatch Logs takes one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, \
         400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653"
    );
    range("keep-deleted-days", settings.keep_deleted_days, 1, 36_500)?;
    // One to run and one to go back to, at the least; all are looked at, one by one, when a new one comes.
    range("keep-versions", settings.keep_versions, 2, 50)?;
    range("max-pixels", settings.max_pixels, 1, 10_000_000_000)?;
    // S3 takes 5 GiB in one PUT.
    range("max-upload-bytes", settings.max_upload_bytes, 1, 5 << 30)?;
    range("throttle.rate", settings.throttle.rate, 0.1, 10_000.0)?;
    range("throttle.burst", settings.throttle.burst, 1, 5_000)?;
    range("quota.requests", settings.quota.map_or(0, |quota| quota.requests), 0, i32::MAX)?;
    check_origin(&settings.allow_origin)
}

fn range<T: PartialOrd + fmt::Display + Copy>(key: &str, value: T, low: T, high: T) -> anyhow::Result<()> {
    if !(low..=high).contains(&value) {
        bail!("{key} = {value}: must be from {low} to {high}");
    }
    Ok(())
}

/// The value goes into response headers, where API Gateway quotes it with `'`.
fn check_origin(origin: &str) -> anyhow::Result<()> {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    ensure!(
        origin == "*" || host.is_some_and(|host| !host.is_empty() && host.chars().all(plain)),
        "allow-origin = {origin:?}: must be \"*\" or one origin such as \"https://example.com\", with no path"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
