//! Waiting for AWS: tries of what is refused for now, and questions until something is ready. Every wait has an end.

use std::time::Duration;

use anyhow::{Context, bail};
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use rand::RngExt;

use super::failure::failed;

/// How AWS says "not yet": an error code, and a part of its message (empty: any).
pub(super) type NotYet = (&'static str, &'static str);

/// Pauses of a retry or a wait: from a tenth of a second up to two, about two minutes in all.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    [100, 150, 250, 250, 500, 500, 1000, 1000]
        .into_iter()
        .chain(std::iter::repeat_n(2000, 58))
        .map(Duration::from_millis)
}

/// Runs `action` until it succeeds, fails for good, or the pauses are used up, and then returns the last error.
///
/// Throttling and lost connections are the SDK's own business. This is for what it does not know:
/// a role that cannot be assumed yet, a function that is still being updated.
pub(super) async fn retry<T, E: ProvideErrorMetadata>(
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

/// Attempts at a create whose responses get lost.
const TRIES: usize = 12;

/// Creates what AWS would create twice, since the call takes no token that says "the same again": `create` must not
/// repeat it, and where its response got lost, `find` looks for what it may have made. Returns the id.
pub(super) async fn create_once<E>(
    call: &'static str,
    not_yet: &[NotYet],
    create: impl AsyncFn() -> Result<Option<String>, SdkError<E, HttpResponse>>,
    find: impl AsyncFn() -> anyhow::Result<Option<String>>,
) -> anyhow::Result<String>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let mut pauses = pauses().take(TRIES);
    loop {
        let error = match create().await {
            Ok(id) => return id.with_context(|| format!("{call} answered no id")),
            Err(error) => error,
        };
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let refused = status.is_some_and(|status| status < 500 && status != 429);
        let later = not_yet.iter().any(|pattern| says(&error, *pattern));
        match pauses.next().filter(|_| later || !refused) {
            Some(pause) => tokio::time::sleep(jittered(pause)).await,
            None => return Err(failed(call)(error)),
        }
        if let Some(id) = find().await? {
            return Ok(id);
        }
    }
}

/// Between half of it and all: those who wait for the same thing should not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..=1.0))
}

pub(super) fn says<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, (code, text): NotYet) -> bool {
    error.code() == Some(code) && error.message().unwrap_or_default().contains(text)
}

/// Asks until there is something to return: `probe` returns `None` for "not yet".
///
/// To ask costs next to nothing and most of what is waited for takes less than a second, so the first
/// questions are close together.
pub(super) async fn wait<T>(
    what: &str,
    probe: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    wait_longer(what, 2, probe).await
}

/// The same for what takes longer than two minutes: so many of them at most.
pub(super) async fn wait_longer<T>(
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

/// How long an attempt that sends so many bytes may take: a minute, and what they take on a line of
/// 128 kbit/s. A line that stands still is the SDK's own to notice, long before.
/// <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/timeouts.html>
pub(super) fn sending(bytes: usize) -> TimeoutConfig {
    // A protocol that is JSON has them as base64.
    let seconds = u64::try_from(bytes).unwrap_or(u64::MAX / 4) / 3 * 4 / (128_000 / 8);
    TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(60 + seconds)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

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
