//! The way to AWS: clients, the caller's identity, retries, and errors that say what to do next.
//!
//! Below, one file per service, each with the same verbs: `read` returns what exists as the same type
//! that `stack` builds, `create`, `update` and `delete` act. They print nothing and plan nothing.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sts::config::ProvideCredentials;

use crate::stack::place::Place;
use crate::stack::resource::Tags;

pub mod apigateway;
pub mod cloudwatch;
pub mod cognito;
pub mod dynamodb;
pub mod ecr;
pub mod failure;
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
mod wait;

/// One client per service, all on one connection pool.
pub struct Aws {
    pub place: Place,
    /// ARN of the user, or of the role's session, whose credentials these are.
    pub caller: String,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    ecr: aws_sdk_ecr::Client,
    iam: aws_sdk_iam::Client,
    lambda: aws_sdk_lambda::Client,
    apigateway: aws_sdk_apigateway::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    cognito: aws_sdk_cognitoidentityprovider::Client,
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
        // It is the first call: who cannot reach AWS at all should hear of it soon.
        let few =
            RetryConfig::standard().with_max_attempts(7).with_initial_backoff(Duration::from_millis(100));
        let sts = aws_sdk_sts::config::Builder::from(config).retry_config(few).build();
        let sts = aws_sdk_sts::Client::from_conf(sts);
        let (place, caller) = sts::identity(&sts, &self.region, endpoint.as_deref()).await?;
        let s3 = aws_sdk_s3::config::Builder::from(config)
            // An emulator has one host name, under which a bucket's own name is not to be found.
            .force_path_style(endpoint.is_some())
            .interceptor(s3::owner::ExpectedOwner(place.account.clone()))
            .build();
        Ok(Aws {
            place,
            caller,
            s3: aws_sdk_s3::Client::from_conf(s3),
            dynamodb: dynamodb::quota::client(config),
            ecr: aws_sdk_ecr::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            apigateway: aws_sdk_apigateway::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            cognito: aws_sdk_cognitoidentityprovider::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
        })
    }
}

impl Aws {
    pub async fn connect() -> anyhow::Result<Aws> {
        Connector::find().await?.connect().await
    }

    /// Where STS responds, even to those whom it does not know.
    pub fn sts_url(&self) -> String {
        let Place { region, endpoint, .. } = &self.place;
        let url = || format!("https://sts.{region}.{}/", contract::domain(region));
        endpoint.clone().unwrap_or_else(url)
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
}
