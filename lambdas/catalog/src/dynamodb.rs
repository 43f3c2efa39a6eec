//! What the tables' clients have in common: times, retries, and items as plain attributes.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use image::item::Value;
use jiff::Timestamp;

use crate::aws::Aws;

/// Limits of one try of a call and of all of them, where a client waits.
pub(crate) const ATTEMPT: Duration = Duration::from_millis(1200);
pub(crate) const OPERATION: Duration = Duration::from_secs(2);

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn client(aws: &Aws, attempt: Duration, operation: Duration) -> Client {
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(aws.region.clone()))
        .credentials_provider(aws.credentials.clone())
        .http_client(aws.http.clone())
        .retry_config(Aws::retries())
        .timeout_config(Aws::timeouts(attempt, operation));
    if let Some(endpoint) = &aws.endpoint {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

pub(crate) fn item(attributes: Vec<(&'static str, Value)>) -> Item {
    attributes.into_iter().map(|(name, content)| (name.to_owned(), value(content))).collect()
}

pub(crate) fn value(value: Value) -> AttributeValue {
    match value {
        Value::Text(text) => AttributeValue::S(text),
        Value::Number(number) => AttributeValue::N(number.to_string()),
    }
}

/// An attribute's text or number, as text.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name)? {
        AttributeValue::S(text) | AttributeValue::N(text) => Some(text),
        _ => None,
    }
}

pub(crate) fn seconds(moment: Timestamp) -> AttributeValue {
    AttributeValue::N(moment.as_second().to_string())
}
