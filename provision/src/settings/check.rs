//! Which settings make sense. The limits are mostly AWS's own; finding them here names the key, finding them there
//! names a call.

use std::fmt;
use std::ops::RangeInclusive;

use anyhow::{bail, ensure};
use contract::limits;

use super::{Alarms, Settings};
use crate::stack::function::profile;

pub(super) fn check(settings: &Settings) -> anyhow::Result<()> {
    // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    const RETENTION: [i32; 22] = [
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
        3653,
    ];
    check_alarms(&settings.alarms)?;
    for (function, sizing) in &settings.functions {
        let name = function.name();
        range(&format!("{name}.memory"), sizing.memory, 128..=10_240)?;
        range(&format!("{name}.timeout"), sizing.timeout, 1..=profile(*function).trigger.longest())?;
        range(&format!("{name}.concurrency"), sizing.concurrency.unwrap_or_default(), 0..=100_000)?;
    }
    settings.thumbnails.check()?;
    settings.sign_in.check()?;
    let days = settings.log_retention_days;
    ensure!(
        RETENTION.contains(&days),
        "log-retention-days = {days}: CloudWatch Logs takes one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, \
         400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653"
    );
    range("keep-deleted-days", settings.keep_deleted_days, 1..=36_500)?;
    // One to run and one to go back to, at the least; all are looked at, one by one, when a new one comes.
    range("keep-versions", settings.keep_versions, 2..=50)?;
    range("max-pixels", settings.max_pixels, 1..=10_000_000_000)?;
    range("max-upload-bytes", settings.max_upload_bytes, 1..=limits::LARGEST_PUT)?;
    range("throttle.rate", settings.throttle.rate, 0.1..=10_000.0)?;
    range("throttle.burst", settings.throttle.burst, 1..=5_000)?;
    range("quota.requests", settings.quota.map_or(0, |quota| quota.requests), 0..=i32::MAX)?;
    check_origin(&settings.allow_origin)
}

pub(super) fn range<T: PartialOrd + fmt::Display + Copy>(
    key: &str,
    value: T,
    limits: RangeInclusive<T>,
) -> anyhow::Result<()> {
    if !limits.contains(&value) {
        bail!("{key} = {value}: must be from {} to {}", limits.start(), limits.end());
    }
    Ok(())
}

fn check_alarms(Alarms { topic, latency_ms, uploaded_gb, .. }: &Alarms) -> anyhow::Result<()> {
    if let Some(topic) = topic {
        let parts: Vec<&str> = topic.split(':').collect();
        let legal = matches!(parts[..], ["arn", _, "sns", region, account, name]
            if !region.is_empty() && account.len() == 12 && !name.is_empty());
        ensure!(
            legal,
            "alarms.topic = {topic:?}: must be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:ops"
        );
    }
    range("alarms.latency-ms", *latency_ms, 1..=29_000)?;
    range("alarms.uploaded-gb", uploaded_gb.unwrap_or_default(), 0..=1_000_000)
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
