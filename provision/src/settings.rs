//! `cloudpix.toml` and flags, parsed once into checked [`Settings`].
//!
//! The file has `[defaults]` for every environment and `[env.NAME]` for what differs in one. A key
//! that is in neither has the default written here, or in `contract::limits` where the functions need it too.
//! Nobody validates a setting again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, ensure};
use contract::{Function, limits};
use serde::{Deserialize, Deserializer, Serialize};

use self::check::check;
use self::sign_in::SignIn;
use self::thumbnails::Thumbnails;
use crate::stack::function::profile;

mod check;
mod read;
pub mod sign_in;
pub mod thumbnails;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The token of a user who signed in, or a key that one made: everybody has images of their own.
    Users,
    /// The `x-api-key` header, with the key of the stack's usage plan.
    ApiKey,
    /// Nothing: anyone may upload and list.
    None,
}

/// The instruction set of the functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// What the binary is built for.
    #[default]
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

/// What a function is given.
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

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Throttle {
    /// Requests a second.
    pub rate: f64,
    /// Requests at once.
    pub burst: i32,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle { rate: 50.0, burst: 100 }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Quota {
    pub requests: i32,
    pub period: Period,
}

impl Default for Quota {
    fn default() -> Quota {
        Quota { requests: 1_000_000, period: Period::Month }
    }
}

/// When CloudWatch calls for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Alarms {
    pub enabled: bool,
    /// ARN of the SNS topic that is told; `None` tells nobody.
    #[serde(deserialize_with = "none_where_empty")]
    pub topic: Option<String>,
    /// The 99th percentile of a function's duration that is too long, in milliseconds.
    pub latency_ms: u32,
    /// What a function may take in within an hour, in gigabytes; `None` is no alarm.
    #[serde(deserialize_with = "none_where_empty")]
    pub uploaded_gb: Option<u32>,
}

impl Default for Alarms {
    fn default() -> Alarms {
        Alarms { enabled: false, topic: None, latency_ms: 3000, uploaded_gb: None }
    }
}

/// A folder in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateBucket {
    pub bucket: String,
    /// Without a slash at either end; may be empty.
    pub prefix: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of cloudpix.toml")]
pub struct Settings {
    #[serde(skip)]
    pub env: String,
    pub package: Package,
    pub auth: Auth,
    /// Whether the file says so, or it is the default.
    #[serde(skip)]
    pub auth_is_written: bool,
    pub sign_in: SignIn,
    pub allow_origin: String,
    pub log_retention_days: i32,
    pub keep_deleted_days: i32,
    /// How many of the newest versions of each function stay.
    pub keep_versions: usize,
    /// Pixels.
    pub max_pixels: u64,
    /// Bytes.
    pub max_upload_bytes: u64,
    pub throttle: Throttle,
    /// What each API key may use; `None` where there is no limit.
    #[serde(deserialize_with = "quota")]
    pub quota: Option<Quota>,
    /// Whether API Gateway and Lambda send traces to X-Ray.
    pub tracing: bool,
    /// Whether API Gateway logs each request, where the account lets it.
    pub access_logs: bool,
    pub alarms: Alarms,
    pub dashboard: bool,
    /// Whether `destroy` refuses this environment.
    pub protected: bool,
    /// Where the stack's record lies, if not on this machine.
    #[serde(rename = "state", deserialize_with = "state_bucket")]
    pub state_bucket: Option<StateBucket>,
    /// Those of the stack. Each function has a table of its name, which `read` takes.
    #[serde(skip)]
    pub functions: BTreeMap<Function, Sizing>,
    pub thumbnails: Thumbnails,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            env: String::new(),
            package: Package::Image,
            auth: Auth::Users,
            auth_is_written: false,
            sign_in: SignIn::default(),
            allow_origin: "*".to_owned(),
            log_retention_days: 30,
            keep_deleted_days: 30,
            keep_versions: 10,
            max_pixels: limits::DEFAULT_MAX_PIXELS,
            max_upload_bytes: limits::DEFAULT_MAX_UPLOAD_BYTES,
            throttle: Throttle::default(),
            quota: Some(Quota::default()),
            tracing: false,
            access_logs: true,
            alarms: Alarms::default(),
            dashboard: false,
            protected: false,
            state_bucket: None,
            functions: BTreeMap::new(),
            thumbnails: Thumbnails::default(),
        }
    }
}

/// Zero, or text that is empty, stands for none: so an environment can take back what holds for all.
fn none_where_empty<'de, T, D>(value: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de> + Default + PartialEq,
    D: Deserializer<'de>,
{
    let value = T::deserialize(value)?;
    Ok((value != T::default()).then_some(value))
}

fn quota<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Quota>, D::Error> {
    let quota = Quota::deserialize(value)?;
    Ok((quota.requests != 0).then_some(quota))
}

fn state_bucket<'de, D: Deserializer<'de>>(value: D) -> Result<Option<StateBucket>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct State {
        #[serde(default)]
        backend: Option<String>,
    }
    let Some(backend) = State::deserialize(value)?.backend.filter(|backend| backend != "folder") else {
        return Ok(None);
    };
    let (bucket, prefix) = backend
        .strip_prefix("s3://")
        .map(|place| place.split_once('/').unwrap_or((place, "")))
        .unwrap_or_default();
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(legal) {
        return Err(serde::de::Error::custom(format!(
            "state.backend = {backend:?}: must be \"folder\" or \"s3://BUCKET/PREFIX\""
        )));
    }
    let (bucket, prefix) = (bucket.to_owned(), prefix.trim_matches('/').to_owned());
    Ok(Some(StateBucket { bucket, prefix }))
}

impl Settings {
    /// Whether everybody has images of their own.
    pub fn has_users(&self) -> bool {
        self.auth == Auth::Users
    }

    /// Takes a stack that is there for what it is, where the file does not say what it should be.
    pub fn take_for(&mut self, auth: Auth) {
        self.auth = auth;
        let users = self.has_users();
        self.functions.retain(|function, _| users || !profile(*function).only_with_users);
    }

    /// Whether the users are in a pool of the stack's own.
    pub fn has_pool(&self) -> bool {
        self.has_users() && self.sign_in.provider().is_none()
    }

    /// How many functions that run at once are kept free for those of this stack.
    pub fn reserved(&self) -> i32 {
        self.functions.values().filter_map(|sizing| sizing.concurrency).sum()
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
    let settings = read::read(text, env)?;
    check(&settings)?;
    Ok(settings)
}

#[cfg(test)]
mod tests;
