//! API Gateway: the REST API. Its methods are in `methods`, what surrounds it in `access`.
//!
//! Writes to different parts of one API go side by side, [`ABREAST`] at most. API Gateway takes them, and
//! those that it does not (`ConflictException`) are tried again; one after another they would take as
//! long as all the rest of the stack.

use anyhow::bail;
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::config::retry::RetryConfig;
use aws_sdk_apigateway::config::{Builder, http::HttpResponse};
use aws_sdk_apigateway::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_apigateway::types::{
    EndpointConfiguration, EndpointType, GatewayResponseType, Op, PatchOperation, RestApi,
};

use futures_util::{TryStreamExt, stream};

use super::Aws;
use super::failure::{failed, optional};
use super::wait::{self, NotYet, retry, says};
use crate::stack::place::{AUTHORIZER, Names, STACK_TAG};
use crate::stack::resource::api::{Api, GatewayResponse};
use crate::stack::resource::{Tags, managed_tags};

mod authorizers;
mod keys;
mod methods;
mod stage;

pub use keys::{
    create_key, create_plan, delete_key, delete_plan, key_value, read_key, read_plan, update_key, update_plan,
};
pub use stage::{create_stage, delete_stage, read_stage, update_stage};

/// Writes to one API at once.
const ABREAST: usize = 8;
const GONE: &[&str] = &["NotFoundException"];
const NOT_YET: &[NotYet] = &[
    ("ConflictException", "concurrent modification"),
    ("BadRequestException", "apiStatus is UPDATING"),
    ("BadRequestException", "already an update in progress"),
];

/// Creates what API Gateway would create twice, since it takes no token that says "the same again".
async fn create_once<E>(
    call: &'static str,
    create: impl AsyncFn(Builder) -> Result<Option<String>, SdkError<E, HttpResponse>>,
    find: impl AsyncFn() -> anyhow::Result<Option<String>>,
) -> anyhow::Result<String>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let create = async || create(Builder::new().retry_config(RetryConfig::disabled())).await;
    wait::create_once(call, NOT_YET, create, find).await
}

fn patch(op: Op, path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder().op(op).path(path).value(value).build()
}

/// Returns `None` where there is one already: the response to an earlier try of the same call got lost.
fn made<T, E>(answer: Result<T, SdkError<E, HttpResponse>>, call: &'static str) -> anyhow::Result<Option<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Err(error) if says(&error, NOT_YET[0]) => Err(failed(call)(error)),
        answer => optional(answer, call, &["ConflictException"]),
    }
}

/// A JSON Pointer (RFC 6901) escapes `/` and `~` in a part of a path.
fn pointer(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// Whether the account lets API Gateway write logs: a setting of the account's, for all its APIs, and so
/// not this stack's to make.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html#set-up-access-logging-permissions>
pub async fn may_log(aws: &Aws) -> anyhow::Result<bool> {
    let account = aws.apigateway.get_account().send().await.map_err(failed("apigateway:GET /account"))?;
    Ok(account.cloudwatch_role_arn.is_some_and(|role| !role.is_empty()))
}

/// The id of our API: of the one that carries our tag.
///
/// Names of REST APIs are not unique and creating one knows no token, so without the tag a run that
/// is killed between the call and its record would leave an API for ever.
pub async fn find(aws: &Aws, names: &Names) -> anyhow::Result<Option<String>> {
    let client = &aws.apigateway;
    let all = client
        .get_rest_apis()
        .limit(500)
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<RestApi>, _>>();
    let ours = |api: &RestApi| api.tags().and_then(|tags| tags.get(STACK_TAG)) == Some(&names.stack);
    let all = all.await.map_err(failed("apigateway:GET"))?;
    let mut ids: Vec<String> = all.iter().filter(|api| ours(api)).filter_map(|api| api.id.clone()).collect();
    if ids.len() > 1 {
        bail!(
            "{} REST APIs carry the tag {STACK_TAG}={}: {}; delete the ones that are not in use, then run again",
            ids.len(),
            names.stack,
            ids.join(", ")
        );
    }
    Ok(ids.pop())
}

pub async fn read(aws: &Aws, id: &str) -> anyhow::Result<Option<Api>> {
    let client = &aws.apigateway;
    let api = optional(client.get_rest_api().rest_api_id(id).send().await, "apigateway:GET", GONE)?;
    let Some(api) = api else { return Ok(None) };
    let (authorizer, mut methods, responses) = tokio::try_join!(
        authorizers::read(client, id),
        methods::read(client, id),
        read_responses(client, id)
    )?;
    // By the name of ours, since the id is drawn by API Gateway.
    for asked in methods.values_mut().filter_map(|method| method.authorizer.as_mut()) {
        if authorizer.as_ref().is_some_and(|(id, _)| asked == id) {
            AUTHORIZER.clone_into(asked);
        }
    }
    let endpoint = api.endpoint_configuration.and_then(|endpoint| endpoint.types?.into_iter().next());
    Ok(Some(Api {
        tags: managed_tags(api.tags.unwrap_or_default()),
        description: api.description.unwrap_or_default(),
        endpoint: endpoint.map_or_else(String::new, |endpoint| endpoint.as_str().to_owned()),
        minimum_compression: api.minimum_compression_size,
        binary_media_types: api.binary_media_types.unwrap_or_default().into_iter().collect(),
        methods,
        authorizer: authorizer.map(|(_, authorizer)| authorizer),
        responses,
    }))
}

async fn read_responses(
    client: &Client,
    id: &str,
) -> anyhow::Result<std::collections::BTreeMap<String, GatewayResponse>> {
    let answer = client.get_gateway_responses().rest_api_id(id).limit(500).send().await;
    let responses = answer.map_err(failed("apigateway:GET"))?.items.unwrap_or_default();
    let header = |(name, value): (String, String)| {
        let name = name.strip_prefix("gatewayresponse.header.").unwrap_or(&name).to_owned();
        (name, value.trim_matches('\'').to_owned())
    };
    let customised = responses.into_iter().filter(|response| !response.default_response);
    let response = |response: aws_sdk_apigateway::types::GatewayResponse| {
        let kind = response.response_type?.as_str().to_owned();
        // For a type that has a status of its own, AWS shows that one where none was set.
        let status = response.status_code.filter(|_| !kind.starts_with("DEFAULT_"));
        let headers = response.response_parameters.unwrap_or_default().into_iter().map(header).collect();
        let template =
            response.response_templates.and_then(|mut templates| templates.remove("application/json"));
        Some((kind, GatewayResponse { status, headers, template: template.unwrap_or_default() }))
    };
    Ok(customised.filter_map(response).collect())
}

/// Creates the bare API and returns its id, which must be recorded before anything else happens.
pub async fn create(aws: &Aws, names: &Names, desired: &Api) -> anyhow::Result<String> {
    let endpoint =
        EndpointConfiguration::builder().types(EndpointType::from(desired.endpoint.as_str())).build();
    let create = aws
        .apigateway
        .create_rest_api()
        .name(&names.stack)
        .description(&desired.description)
        .endpoint_configuration(endpoint)
        .set_minimum_compression_size(desired.minimum_compression)
        .set_binary_media_types(Some(desired.binary_media_types.iter().cloned().collect()))
        .set_tags(Some(desired.tags.clone().into_iter().collect()));
    create_once(
        "apigateway:POST /restapis",
        async |once| create.clone().customize().config_override(once).send().await.map(|answer| answer.id),
        async || find(aws, names).await,
    )
    .await
}

/// What a new API is before it has any method.
pub fn bare(desired: &Api) -> Api {
    Api { methods: [].into(), authorizer: None, responses: [].into(), ..desired.clone() }
}

pub async fn update(aws: &Aws, id: &str, live: &Api, desired: &Api) -> anyhow::Result<()> {
    let client = &aws.apigateway;
    set_tags(aws, &format!("/restapis/{id}"), &live.tags, &desired.tags).await?;
    let mut patches = Vec::new();
    if live.description != desired.description {
        patches.push(patch(Op::Replace, "/description", &desired.description));
    }
    if live.endpoint != desired.endpoint {
        patches.push(patch(
            Op::Replace,
            &format!("/endpointConfiguration/types/{}", live.endpoint),
            &desired.endpoint,
        ));
    }
    if live.minimum_compression != desired.minimum_compression {
        // Without a value nothing is compressed.
        let bytes = desired.minimum_compression.map(|bytes| bytes.to_string());
        let patch = PatchOperation::builder().op(Op::Replace).path("/minimumCompressionSize");
        patches.push(patch.set_value(bytes).build());
    }
    for (op, types) in [
        (Op::Remove, live.binary_media_types.difference(&desired.binary_media_types)),
        (Op::Add, desired.binary_media_types.difference(&live.binary_media_types)),
    ] {
        patches.extend(types.map(|media| {
            PatchOperation::builder()
                .op(op.clone())
                .path(format!("/binaryMediaTypes/{}", pointer(media)))
                .build()
        }));
    }
    if !patches.is_empty() {
        let update = client.update_rest_api().rest_api_id(id).set_patch_operations(Some(patches));
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        answer.map_err(failed("apigateway:PATCH /restapis"))?;
    }
    // An authorizer is there before a method asks it, and goes after the last one that does.
    let methods = async {
        let authorizer = authorizers::ensure(client, &aws.place, id, live, desired).await?;
        let goal = methods::Goal { place: &aws.place, authorizer: authorizer.as_deref() };
        methods::update(client, &goal, id, live, desired).await?;
        authorizers::remove(client, id, live, desired).await
    };
    tokio::try_join!(methods, update_responses(client, id, live, desired))?;
    Ok(())
}

async fn update_responses(client: &Client, id: &str, live: &Api, desired: &Api) -> anyhow::Result<()> {
    for kind in live.responses.keys().filter(|kind| !desired.responses.contains_key(*kind)) {
        let kind = GatewayResponseType::from(kind.as_str());
        let delete = client.delete_gateway_response().rest_api_id(id).response_type(kind);
        let answer = retry(NOT_YET, async || delete.clone().send().await).await;
        optional(answer, "apigateway:DELETE /restapis/gatewayresponses", GONE)?;
    }
    let missing = desired.responses.iter().filter(|(kind, wanted)| live.responses.get(*kind) != Some(wanted));
    stream::iter(missing.map(Ok))
        .try_for_each_concurrent(ABREAST, |(kind, response)| put_response(client, id, kind, response))
        .await
}

async fn put_response(
    client: &Client,
    id: &str,
    kind: &str,
    response: &GatewayResponse,
) -> anyhow::Result<()> {
    let header =
        |(name, value): (&String, &String)| (format!("gatewayresponse.header.{name}"), format!("'{value}'"));
    let put = client
        .put_gateway_response()
        .rest_api_id(id)
        .response_type(GatewayResponseType::from(kind))
        .set_status_code(response.status.clone())
        .set_response_parameters(Some(response.headers.iter().map(header).collect()))
        .response_templates("application/json", &response.template);
    let answer = retry(NOT_YET, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("apigateway:PUT /restapis/gatewayresponses"))
}

pub async fn delete(aws: &Aws, id: &str) -> anyhow::Result<()> {
    let delete = aws.apigateway.delete_rest_api().rest_api_id(id);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "apigateway:DELETE /restapis", GONE).map(|_| ())
}

/// `path` is the resource's path in the API of API Gateway itself, such as `/restapis/{id}`.
async fn set_tags(aws: &Aws, path: &str, live: &Tags, desired: &Tags) -> anyhow::Result<()> {
    let arn = format!("arn:{}:apigateway:{}::{path}", aws.place.partition, aws.place.region);
    let (set, unset) = super::tag_changes(live, desired);
    if !set.is_empty() {
        let call = aws.apigateway.tag_resource().resource_arn(&arn).set_tags(Some(set.into_iter().collect()));
        call.send().await.map_err(failed("apigateway:PUT /tags"))?;
    }
    if !unset.is_empty() {
        let call = aws.apigateway.untag_resource().resource_arn(&arn).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("apigateway:DELETE /tags"))?;
    }
    Ok(())
}
