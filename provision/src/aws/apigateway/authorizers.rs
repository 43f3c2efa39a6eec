//! The API's authorizer: the function that API Gateway asks whose a request is.

use anyhow::Context;
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::types::{Authorizer as AwsAuthorizer, AuthorizerType, Op};

use super::methods::{function_of, uri_of};
use super::{GONE, NOT_YET, create_once, patch};
use crate::aws::failure::{failed, optional};
use crate::aws::wait::retry;
use crate::stack::place::{AUTHORIZER, Place};
use crate::stack::resource::api::{Api, Authorizer};

/// Ours, with its id. A name is one authorizer's within an API, and an API has ten at most.
async fn find(client: &Client, api: &str) -> anyhow::Result<Option<AwsAuthorizer>> {
    let answer = client.get_authorizers().rest_api_id(api).limit(500).send().await;
    let all = optional(answer, "apigateway:GET /restapis/authorizers", GONE)?.and_then(|answer| answer.items);
    Ok(all.unwrap_or_default().into_iter().find(|one| one.name() == Some(AUTHORIZER)))
}

/// Ours, behind its id.
pub(super) async fn read(client: &Client, api: &str) -> anyhow::Result<Option<(String, Authorizer)>> {
    let Some(found) = find(client, api).await? else { return Ok(None) };
    let uri = found.authorizer_uri().unwrap_or_default();
    // Another kind is not asked the same way, and so is not what it should be whatever it says.
    let function = match found.r#type() {
        Some(AuthorizerType::Request) => function_of(uri).unwrap_or(uri).to_owned(),
        kind => format!("{} {uri}", kind.map_or("none", AuthorizerType::as_str)),
    };
    let authorizer = Authorizer {
        function,
        identity_source: found.identity_source().unwrap_or_default().to_owned(),
        kept_for: found.authorizer_result_ttl_in_seconds().unwrap_or(300),
    };
    Ok(found.id.map(|id| (id, authorizer)))
}

/// Makes the API's authorizer what it should be, before any method asks it. Returns its id.
pub(super) async fn ensure(
    client: &Client,
    place: &Place,
    api: &str,
    live: &Api,
    desired: &Api,
) -> anyhow::Result<Option<String>> {
    let Some(wanted) = &desired.authorizer else { return Ok(None) };
    let found = find(client, api).await?.and_then(|found| found.id);
    let id = match found {
        Some(id) if live.authorizer.as_ref() == Some(wanted) => return Ok(Some(id)),
        Some(id) => id,
        None => return create(client, place, api, wanted).await.map(Some),
    };
    let patches = vec![
        patch(Op::Replace, "/authorizerUri", &uri_of(place, &wanted.function)),
        patch(Op::Replace, "/identitySource", &wanted.identity_source),
        patch(Op::Replace, "/authorizerResultTtlInSeconds", &wanted.kept_for.to_string()),
    ];
    let update =
        client.update_authorizer().rest_api_id(api).authorizer_id(&id).set_patch_operations(Some(patches));
    let answer = retry(NOT_YET, async || update.clone().send().await).await;
    answer.map_err(failed("apigateway:PATCH /restapis/authorizers"))?;
    Ok(Some(id))
}

async fn create(client: &Client, place: &Place, api: &str, wanted: &Authorizer) -> anyhow::Result<String> {
    let create = client
        .create_authorizer()
        .rest_api_id(api)
        .name(AUTHORIZER)
        .r#type(AuthorizerType::Request)
        .authorizer_uri(uri_of(place, &wanted.function))
        .identity_source(&wanted.identity_source)
        .authorizer_result_ttl_in_seconds(wanted.kept_for);
    create_once(
        "apigateway:POST /restapis/authorizers",
        async |once| create.clone().customize().config_override(once).send().await.map(|answer| answer.id),
        async || Ok(find(client, api).await?.and_then(|found| found.id)),
    )
    .await
}

/// Deletes ours, which no method asks any more.
pub(super) async fn remove(client: &Client, api: &str, live: &Api, desired: &Api) -> anyhow::Result<()> {
    if live.authorizer.is_none() || desired.authorizer.is_some() {
        return Ok(());
    }
    let Some(found) = find(client, api).await? else { return Ok(()) };
    let id = found.id.context("apigateway:GET answered an authorizer without an id")?;
    let delete = client.delete_authorizer().rest_api_id(api).authorizer_id(id);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "apigateway:DELETE /restapis/authorizers", GONE).map(|_| ())
}
