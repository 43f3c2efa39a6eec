//! The way to AWS: clients, the caller's identity, retries, and errors that say what to do next.
//!
//! Below, one file per service, each with the same verbs: `read` answers what exists as the same type
//! that `stack` builds, `create`, `update` and `delete` act. They print nothing and plan nothing.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sts::config::ProvideCredentials;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use rand::RngExt;

use crate::stack::place::Place;
use crate::stack::resource::Tags;

pub mod apigateway;
pub mod cloudwatch;
pub mod dynamodb;
pub mod ecr;
pub mod http;
pub mod iam;
pub mod lambda;
mod limit;
pub mod logs;
mod profile;
mod proxy;
pub mod s3;
pub mod sqs;
pub mod sts;

/// One client per service, all on one connection pool.
pub struct Aws {
    pub place: Place,
    /// ARN of the user, or of the role's session, whose credentials these are.
    pub caller: String,
    /// The endpoint that replaces AWS's own, from `AWS_ENDPOINT_URL` or the profile: an emulator.
    pub endpoint: Option<String>,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    ecr: aws_sdk_ecr::Client,
    iam: aws_sdk_iam::Client,
    lambda: aws_sdk_lambda::Client,
    apigateway: aws_sdk_apigateway::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    sqs: aws_sdk_sqs::Client,
}

/// What the SDK found of region, credentials and endpoint, before anything is asked of AWS.
pub struct Connector {
    config: SdkConfig,
    region: String,
}

impl Connector {
    /// Finds region and credentials by the SDK's usual chain.
    pub async fn find() -> anyhow::Result<Connector> {
        let config = configuration().await?;
        let Some(region) = config.region().map(|region| region.as_ref().to_owned()) else {
            bail!(
                "no AWS region is set; set AWS_REGION, such as AWS_REGION=eu-west-1, or a region in ~/.aws/config"
            );
        };
        check_region(&region)?;
        let provider = config.credentials_provider().context(NO_CREDENTIALS)?;
        if let Err(error) = provider.provide_credentials().await {
            let why = profile::advice().unwrap_or_else(|| NO_CREDENTIALS.to_owned());
            return Err(anyhow::Error::new(error).context(why));
        }
        Ok(Connector { config, region })
    }

    pub fn endpoint(&self) -> Option<String> {
        self.config.endpoint_url().map(|url| url.trim_end_matches('/').to_owned())
    }

    /// Asks AWS who we are, and returns a client for each service.
    pub async fn connect(&self) -> anyhow::Result<Aws> {
        let (config, endpoint) = (&self.config, self.endpoint());
        let plain_http = endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
        // It is the first call: who cannot reach AWS at all should hear of it soon.
        let few =
            RetryConfig::standard().with_max_attempts(7).with_initial_backoff(Duration::from_millis(100));
        let sts = aws_sdk_sts::config::Builder::from(config).retry_config(few).build();
        let sts = aws_sdk_sts::Client::from_conf(sts);
        let (place, caller) = sts::identity(&sts, &self.region, plain_http).await?;
        let s3 = aws_sdk_s3::config::Builder::from(config)
            // An emulator has one host name, under which a bucket's own name is not to be found.
            .force_path_style(endpoint.is_some())
            .interceptor(s3::owner::ExpectedOwner(place.account.clone()))
            .build();
        Ok(Aws {
            place,
            caller,
            endpoint,
            s3: aws_sdk_s3::Client::from_conf(s3),
            dynamodb: dynamodb::client(config),
            ecr: aws_sdk_ecr::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            apigateway: aws_sdk_apigateway::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
        })
    }
}

impl Aws {
    pub async fn connect() -> anyhow::Result<Aws> {
        Connector::find().await?.connect().await
    }

    /// Where STS answers, even to those whom it does not know.
    pub fn sts_url(&self) -> String {
        let Place { region, .. } = &self.place;
        let url = || format!("https://sts.{region}.{}/", contract::domain(region));
        self.endpoint.clone().unwrap_or_else(url)
    }
}

const NO_CREDENTIALS: &str = "no AWS credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
                              AWS_SECRET_ACCESS_KEY, or run `aws login` or `aws sso login`. To try CloudPix without an AWS account: \
                              make local";

/// Whether calls wait for AWS's quotas. An emulator has none, so there they do when told to.
const RATE_LIMITS: &str = "CLOUDPIX_RATE_LIMITS";

/// Retries are for what the limiter cannot know: what other processes use of the account's quotas, of
/// which the slowest (`DeleteRestApi`, once in 30 seconds) needs more than the SDK's three tries.
async fn configuration() -> anyhow::Result<SdkConfig> {
    let retries =
        RetryConfig::standard().with_max_attempts(12).with_initial_backoff(Duration::from_millis(250));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_mins(1))
        .build();
    let client = proxy::client();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(client.clone())
        .retry_config(retries)
        .timeout_config(timeouts)
        .load()
        .await;
    proxy::check(config.endpoint_url())?;
    let limited = match std::env::var(RATE_LIMITS).as_deref() {
        Ok("on") => true,
        Ok("off") => false,
        _ => config.endpoint_url().is_none(),
    };
    Ok(if limited { config.into_builder().http_client(limit::Limited::new(client)).build() } else { config })
}

/// How long an attempt that sends so many bytes may take: a minute, and what they take on a line of
/// 128 kbit/s. A line that stands still is the SDK's own to notice, long before.
/// <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/timeouts.html>
fn sending(bytes: usize) -> TimeoutConfig {
    // A protocol that is JSON has them as base64.
    let seconds = u64::try_from(bytes).unwrap_or(u64::MAX / 4) / 3 * 4 / (128_000 / 8);
    TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(60 + seconds)).build()
}

/// A region's name is part of a host name; a wrong one shows only as a host that is not found.
fn check_region(region: &str) -> anyhow::Result<()> {
    ensure!(
        is_region(region),
        "{region:?} is not the name of an AWS region; set AWS_REGION to one such as eu-west-1 or ap-northeast-1"
    );
    Ok(())
}

pub fn is_region(region: &str) -> bool {
    let mut parts = region.split('-').rev();
    let number = parts.next().is_some_and(|part| part.parse::<u8>().is_ok());
    let words: Vec<&str> = parts.collect();
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    number && words.len() >= 2 && words.iter().all(word)
}

/// An AWS call that did not succeed, in the words a person needs.
#[derive(Debug, thiserror::Error)]
pub struct Failure {
    /// As in an IAM policy: `s3:CreateBucket`.
    call: &'static str,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.call)?;
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Failure {
    fn hint(&self) -> Option<String> {
        let call = self.call;
        if self.message.contains("UnreservedConcurrentExecution") {
            return Some(
                "Lambda keeps so many for functions without a share of their own; `provision doctor` tells the \
                 account's limit: lower `concurrency` in cloudpix.toml, or ask for more in Service Quotas"
                    .to_owned(),
            );
        }
        let hint = match self.code.as_deref()? {
            "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "UnauthorizedException" => {
                format!(
                    "these credentials may not call {call}; ask whoever grants them to allow it, then run again"
                )
            }
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
                "the credentials have expired; renew them, such as by `aws sso login`, and run again"
                    .to_owned()
            }
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidAccessKeyId" => {
                "AWS does not know these credentials; check AWS_PROFILE, or the key and its secret".to_owned()
            }
            "AuthFailure" | "OptInRequired" => "is this region enabled for the account?".to_owned(),
            "LimitExceededException"
            | "LimitExceeded"
            | "ServiceQuotaExceededException"
            | "TooManyBuckets" => {
                "a quota of the account is reached; raise it in Service Quotas or remove what is not needed"
                    .to_owned()
            }
            "ThrottlingException" | "TooManyRequestsException" | "Throttling" | "RequestLimitExceeded" => {
                "AWS throttles this account just now; run again in a minute, and it goes on from here"
                    .to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

/// Makes an error of a call that failed. `call` is its name as in an IAM policy.
fn failed<E>(call: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| {
        let request_id = error.request_id().map(str::to_owned);
        let (code, message) = match &error {
            SdkError::ServiceError(_) => {
                (error.code().map(str::to_owned), error.message().map(str::to_owned))
            }
            _ => (None, None),
        };
        let message = message.unwrap_or_else(|| chain(&error));
        anyhow::Error::new(Failure { call, code, message, request_id })
    }
}

/// An error and its sources, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        source = cause.source();
    }
    parts.join(": ")
}

fn is<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, codes: &[&str]) -> bool {
    error.code().is_some_and(|code| codes.contains(&code))
}

/// `None` where AWS answers one of `codes`, each meaning "there is none".
fn optional<T, E>(
    answer: Result<T, SdkError<E, HttpResponse>>,
    call: &'static str,
    codes: &[&str],
) -> anyhow::Result<Option<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is(&error, codes) => Ok(None),
        Err(error) => Err(failed(call)(error)),
    }
}

/// Whether a create was refused because there is one already, such as where the answer to an earlier try got lost.
pub fn exists_already(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| match failure.code.as_deref() {
        Some(
            "EntityAlreadyExists"
            | "ResourceAlreadyExistsException"
            | "RepositoryAlreadyExistsException"
            | "ResourceInUseException"
            | "QueueNameExists"
            | "QueueAlreadyExists",
        ) => true,
        Some("ResourceConflictException" | "ConflictException") => failure.message.contains("already exist"),
        _ => false,
    })
}

/// How AWS says "not yet": an error code, and a part of its message (empty: any).
type NotYet = (&'static str, &'static str);

/// Pauses of a retry or a wait: from a tenth of a second up to two, about two minutes in all.
fn pauses() -> impl Iterator<Item = Duration> {
    [100, 150, 250, 250, 500, 500, 1000, 1000]
        .into_iter()
        .chain(std::iter::repeat_n(2000, 58))
        .map(Duration::from_millis)
}

/// Runs `action` until it succeeds, fails for good, or the pauses are used up; the last error is the answer.
///
/// Throttling and lost connections are the SDK's own business. This is for what it does not know:
/// a role that cannot be assumed yet, a function that is still being updated.
async fn retry<T, E: ProvideErrorMetadata>(
    not_yet: &[NotYet],
    mut action: impl AsyncFnMut() -> Result<T, SdkError<E, HttpResponse>>,
) -> Result<T, SdkError<E, HttpResponse>> {
    let mut pauses = pauses();
    loop {
        match action().await {
            Err(error) if not_yet.iter().any(|pattern| says(&error, *pattern)) => match pauses.next() {
                Some(pause) => tokio::time::sleep(jittered(pause)).await,
                None => return Err(error),
            },
            answer => return answer,
        }
    }
}

/// Between half of it and all: those who wait for the same thing should not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..=1.0))
}

fn says<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, (code, text): NotYet) -> bool {
    error.code() == Some(code) && error.message().unwrap_or_default().contains(text)
}

/// Asks until the answer is there: `probe` answers `None` for "not yet".
///
/// To ask costs next to nothing and most of what is waited for takes less than a second, so the first
/// questions are close together.
async fn wait<T>(what: &str, probe: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    wait_longer(what, 2, probe).await
}

/// The same for what takes longer than two minutes: so many of them at most.
async fn wait_longer<T>(
    what: &str,
    minutes: u16,
    mut probe: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    // Every two seconds after the first two minutes.
    let longer = usize::from(minutes.saturating_sub(2)) * 30;
    let longer = std::iter::repeat_n(Duration::from_secs(2), longer);
    let mut pauses = std::iter::repeat_n(Duration::from_millis(50), 16).chain(pauses()).chain(longer);
    loop {
        if let Some(answer) = probe().await? {
            return Ok(answer);
        }
        match pauses.next() {
            Some(pause) => tokio::time::sleep(jittered(pause)).await,
            None => {
                bail!(
                    "{what} is still not ready after {minutes} minutes; run again, and it goes on from here"
                )
            }
        }
    }
}

/// The keys that we set and AWS lacks or has otherwise, and those of ours that should not be there.
fn tag_changes(live: &Tags, desired: &Tags) -> (Vec<(String, String)>, Vec<String>) {
    let set = desired.iter().filter(|(key, value)| live.get(*key) != Some(value));
    let unset = live.keys().filter(|key| !desired.contains_key(*key));
    (set.map(|(key, value)| (key.clone(), value.clone())).collect(), unset.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_words_and_a_number() {
        for good in ["us-east-1", "ap-northeast-3", "us-gov-west-1", "cn-north-1"] {
            check_region(good).unwrap();
        }
        for bad in ["", "Frankfurt", "eu_west_1", "eu-west", "eu-west-1a", "EU-WEST-1", "http://x", "-1"] {
            let error = check_region(bad).unwrap_err().to_string();
            assert!(error.contains("AWS_REGION"), "{error}");
        }
    }

    #[test]
    fn a_failure_names_call_code_request_and_what_to_do() {
        let failure = Failure {
            call: "s3:CreateBucket",
            code: Some("AccessDenied".to_owned()),
            message: "Access Denied".to_owned(),
            request_id: Some("ABC".to_owned()),
        };
        let text = failure.to_string();
        assert!(
            text.starts_with("s3:CreateBucket: AccessDenied: Access Denied (request id ABC)\nhint: "),
            "{text}"
        );
        assert!(text.contains("may not call s3:CreateBucket"), "{text}");
    }

    #[test]
    fn waiting_ends_after_two_minutes() {
        let total: Duration = pauses().sum();
        assert!((Duration::from_secs(110)..Duration::from_secs(130)).contains(&total), "{total:?}");
    }

    #[test]
    fn a_slow_line_has_the_time_that_it_needs() {
        let patience = |bytes| sending(bytes).operation_attempt_timeout().unwrap().as_secs();
        assert_eq!(patience(0), 60);
        // 20 MiB, ECR's part, as base64, at 16,000 bytes a second.
        assert_eq!(patience(20 << 20), 60 + 1747);
    }
}
