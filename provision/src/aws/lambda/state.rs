//! How far Lambda is with a function, or with a version of it.

use anyhow::bail;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, State};
use contract::Function;

use super::{configuration, get};
use crate::aws::Aws;
use crate::aws::wait::wait;
use crate::stack::place::Names;

/// The function's state, the outcome of its last update and its code, and whether all is well.
pub async fn health(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<Option<(String, bool)>> {
    let Some(answer) = get(&aws.lambda, &names.function(function), None).await? else { return Ok(None) };
    let Some(found) = answer.configuration.clone() else { return Ok(None) };
    let state = found.state().map_or("unknown", State::as_str);
    let update = found.last_update_status().map_or("unknown", LastUpdateStatus::as_str);
    let well = matches!(found.state(), Some(State::Active | State::Inactive))
        && found.last_update_status() == Some(&LastUpdateStatus::Successful);
    let digest = configuration(answer)?.code.digest;
    let digest: String = digest.trim_start_matches("sha256:").chars().take(8).collect();
    let update = if update == "Successful" { String::new() } else { format!("last update {update}, ") };
    Ok(Some((format!("{state}, {update}code {digest}"), well)))
}

/// Waits until the function, or a version of it, is active and its last update successful; a failure
/// ends the wait at once.
pub(super) async fn ready(client: &Client, name: &str, version: Option<&str>) -> anyhow::Result<()> {
    wait(&format!("the function {name}"), async || {
        let configuration = get(client, name, version).await?.and_then(|answer| answer.configuration);
        configuration.map_or(Ok(None), |configuration| settled(name, &configuration))
    })
    .await
}

pub(super) fn settled(name: &str, configuration: &FunctionConfiguration) -> anyhow::Result<Option<()>> {
    if configuration.state() == Some(&State::Failed) {
        let code = configuration.state_reason_code().map_or("no code", |code| code.as_str());
        bail!("the function {name} failed: {} ({code})", configuration.state_reason().unwrap_or("no reason"));
    }
    if configuration.last_update_status() == Some(&LastUpdateStatus::Failed) {
        let code = configuration.last_update_status_reason_code().map_or("no code", |code| code.as_str());
        let reason = configuration.last_update_status_reason().unwrap_or("no reason");
        bail!("the update of the function {name} failed: {reason} ({code})");
    }
    let active = matches!(configuration.state(), Some(State::Active | State::Inactive));
    let updated = configuration.last_update_status() == Some(&LastUpdateStatus::Successful);
    Ok((active && updated).then_some(()))
}
