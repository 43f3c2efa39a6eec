//! STS: who calls, and in which account.

use anyhow::Context;
use aws_sdk_sts::Client;
use aws_sdk_sts::error::SdkError;

use super::failure::failed;
use super::proxy;
use crate::stack::place::Place;

/// The place, and the caller's ARN.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
pub(super) async fn identity(
    client: &Client,
    region: &str,
    endpoint: Option<&str>,
) -> anyhow::Result<(Place, String)> {
    let answer = client.get_caller_identity().send().await;
    let identity = answer.map_err(|error| {
        let unreachable = matches!(error, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_));
        let error = failed("sts:GetCallerIdentity")(error);
        if unreachable { error.context(unreachable_hint(region)) } else { error }
    })?;
    let arn = identity.arn().context("sts:GetCallerIdentity answered no ARN")?;
    let account = identity.account().context("sts:GetCallerIdentity answered no account")?;
    // arn:{partition}:sts::{account}:assumed-role/…
    let partition =
        arn.split(':').nth(1).context("sts:GetCallerIdentity answered an ARN without a partition")?;
    let (partition, account, region) = (partition.to_owned(), account.to_owned(), region.to_owned());
    let endpoint = endpoint.map(str::to_owned);
    Ok((Place { partition, account, region, endpoint }, arn.to_owned()))
}

fn unreachable_hint(region: &str) -> String {
    match std::env::var("AWS_ENDPOINT_URL") {
        Ok(url) => format!(
            "cannot reach {url}, the AWS_ENDPOINT_URL; is the emulator running? `make local` starts it"
        ),
        Err(_) => match proxy::name() {
            Some(name) => format!(
                "cannot reach AWS in the region {region:?} through the proxy that {name} names; is its name \
                 right, does the proxy let this machine through, and is that region's name right?"
            ),
            None => format!(
                "cannot reach AWS in the region {region:?}; is its name right, and is there a network?"
            ),
        },
    }
}
