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
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Requests a second.
    pub rate: f64,
    /// Requests at once.
    pub burst: i32,
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
    /// Whether `destroy` refuses this environment.
    pub protected: bool,
    /// Where the stack's record lies, if not on this machine.
    pub state_bucket: Option<StateBucket>,
    pub functions: BTreeMap<Function, Sizing>,
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
    protected: Option<bool>,
    #[serde(default)]
    state: StateLayer,
    #[serde(default)]
    upload: SizingLayer,
    #[serde(default)]
    list: SizingLayer,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ThrottleLayer {
    rate: Option<f64>,
    burst: Option<i32>,
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
}

impl Layer {
    fn sizing(&self, function: Function) -> SizingLayer {
        match function {
            Function::Upload => self.upload,
            Function::List => self.list,
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
    let memory = match function {
        Function::Upload => 512,
        Function::List => 256,
    };
    Sizing {
        memory: over.memory.or(base.memory).unwrap_or(memory),
        timeout: over.timeout.or(base.timeout).unwrap_or(20),
        architecture: over.architecture.or(base.architecture).unwrap_or(Architecture::Auto),
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
        // API Gateway waits 29 seconds for an answer.
        range(&format!("{name}.timeout"), sizing.timeout, 1, 29)?;
    }
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
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(text: &str, expected: &[&str]) {
        let error = format!("{:#}", parse(text, "default").unwrap_err());
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in:\n{error}");
        }
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let settings = parse("", "default").unwrap();
        assert_eq!(settings.package, Package::Image);
        assert_eq!(settings.auth, Auth::ApiKey);
        assert_eq!(settings.functions[&Function::Upload].memory, 512);
    }

    #[test]
    fn the_file_in_the_repository_holds_the_defaults() {
        let text = include_str!("../../cloudpix.toml");
        let (file, built_in) = (parse(text, "default").unwrap(), parse("", "default").unwrap());
        assert_eq!(format!("{file:?}"), format!("{built_in:?}"));
    }

    #[test]
    fn an_environment_overrides_key_by_key() {
        let text = "[defaults.upload]\nmemory = 1024\ntimeout = 9\n[env.staging.upload]\nmemory = 256\n";
        let sizing = parse(text, "staging").unwrap().functions[&Function::Upload];
        assert_eq!((sizing.memory, sizing.timeout), (256, 9));
        assert_eq!(parse(text, "default").unwrap().functions[&Function::Upload].memory, 1024);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_known_ones() {
        check_error("[defaults]\npackge = \"zip\"\n", &["line 2", "packge", "package"]);
        check_error("[env.a.upload]\nmemry = 1\n", &["line 2", "memry", "memory"]);
    }

    #[test]
    fn a_wrong_type_is_refused_with_its_line() {
        check_error("[defaults]\nmax-pixels = \"many\"\n", &["line 2", "max-pixels", "many"]);
        check_error("[defaults]\npackage = \"tar\"\n", &["line 2", "tar", "image"]);
    }

    #[test]
    fn a_value_that_aws_would_refuse_is_refused_here_by_key() {
        check_error("[defaults.list]\nmemory = 64\n", &["list.memory = 64", "128 to 10240"]);
        check_error("[defaults]\nlog-retention-days = 31\n", &["log-retention-days = 31"]);
        check_error("[defaults]\nallow-origin = \"example.com\"\n", &["allow-origin", "https://example.com"]);
        check_error("[defaults]\nallow-origin = \"https://a'b\"\n", &["allow-origin"]);
        check_error("[defaults]\nkeep-versions = 1\n", &["keep-versions = 1", "2 to 50"]);
        check_error("[defaults.throttle]\nrate = nan\n", &["throttle.rate"]);
        for wrong in ["", "s3:/", "s3://", "s3://A_b/c", "file:///tmp"] {
            let text = format!("[defaults.state]\nbackend = {wrong:?}\n");
            check_error(&text, &["state.backend", "s3://BUCKET/PREFIX"]);
        }
    }

    #[test]
    fn a_teams_state_lies_in_a_bucket() {
        let text = "[env.prod.state]\nbackend = \"s3://team-state/cloudpix/\"\n";
        let (bucket, prefix) = ("team-state".to_owned(), "cloudpix".to_owned());
        assert_eq!(parse(text, "prod").unwrap().state_bucket, Some(StateBucket { bucket, prefix }));
        assert_eq!(parse(text, "default").unwrap().state_bucket, None);
    }

    #[test]
    fn an_environment_needs_a_name_that_a_bucket_can_carry() {
        for bad in ["", "Prod", "a_b", "-a", "a-", "1a", "seventeen-letters", "日本"] {
            assert!(check_environment_name(bad).is_err(), "{bad:?}");
        }
        for good in ["default", "a", "pr-12"] {
            check_environment_name(good).unwrap();
        }
    }
}
