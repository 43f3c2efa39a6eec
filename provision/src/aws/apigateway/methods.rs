//! The methods of the REST API, each with its integration.

use std::collections::BTreeMap;

use anyhow::Context;
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::types::{IntegrationType, Method as AwsMethod, Resource};

use futures_util::{TryStreamExt, stream};

use super::{ABREAST, GONE, NOT_YET, made};
use crate::aws::failure::{failed, optional};
use crate::aws::wait::retry;
use crate::stack::place::Place;
use crate::stack::resource::api::{Api, Integration, Method};

/// The status that the mock integration gives a preflight.
const NO_CONTENT: &str = "204";
const HEADER: &str = "method.response.header.";

pub(super) async fn read(client: &Client, id: &str) -> anyhow::Result<BTreeMap<String, Method>> {
    let mut methods = BTreeMap::new();
    for resource in resources(client, id).await? {
        let path = resource.path.unwrap_or_default();
        for (verb, method) in resource.resource_methods.unwrap_or_default() {
            methods.insert(format!("{verb} {path}"), to_method(&method));
        }
    }
    Ok(methods)
}

async fn resources(client: &Client, id: &str) -> anyhow::Result<Vec<Resource>> {
    let pages = client.get_resources().rest_api_id(id).embed("methods").limit(500).into_paginator().items();
    let resources = pages.send().collect::<Result<Vec<_>, _>>().await;
    resources.map_err(failed("apigateway:GET /restapis/resources"))
}

fn to_method(method: &AwsMethod) -> Method {
    let integration = method.method_integration();
    let kind = integration.and_then(|integration| integration.r#type());
    let uri = integration.and_then(|integration| integration.uri()).unwrap_or_default();
    let integration = match (kind, function_of(uri)) {
        (Some(IntegrationType::AwsProxy), Some(function)) => Integration::Lambda(function.to_owned()),
        (Some(IntegrationType::Mock), _) => Integration::Preflight(headers(method)),
        (kind, _) => Integration::Other(format!("{} {uri}", kind.map_or("none", IntegrationType::as_str))),
    };
    // Whose it is, by its id; the caller knows the name of ours.
    let authorizer = match (method.authorization_type().unwrap_or("NONE"), method.authorizer_id()) {
        ("NONE", _) => None,
        ("CUSTOM", Some(id)) => Some(id.to_owned()),
        (kind, id) => Some([kind, id.unwrap_or_default()].join(" ").trim_end().to_owned()),
    };
    Method { api_key_required: method.api_key_required() == Some(true), authorizer, integration }
}

fn headers(method: &AwsMethod) -> BTreeMap<String, String> {
    let responses = method.method_integration().and_then(|integration| integration.integration_responses());
    let parameters = responses.and_then(|responses| responses.get(NO_CONTENT)?.response_parameters());
    let header = |(name, value): (&String, &String)| {
        Some((name.strip_prefix(HEADER)?.to_owned(), value.trim_matches('\'').to_owned()))
    };
    parameters.into_iter().flatten().filter_map(header).collect()
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html>, `uri`.
pub(super) fn uri_of(place: &Place, function: &str) -> String {
    let Place { partition, region, .. } = place;
    format!("arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations")
}

pub(super) fn function_of(uri: &str) -> Option<&str> {
    uri.split_once(":lambda:path/2015-03-31/functions/")?.1.strip_suffix("/invocations")
}

/// What methods name that is not in them.
pub(super) struct Goal<'a> {
    pub place: &'a Place,
    /// The id of the authorizer.
    pub authorizer: Option<&'a str>,
}

pub(super) async fn update(
    client: &Client,
    goal: &Goal<'_>,
    id: &str,
    live: &Api,
    desired: &Api,
) -> anyhow::Result<()> {
    let stale = |(key, method): &(&String, &Method)| desired.methods.get(*key) != Some(*method);
    let missing = |(key, method): &(&String, &Method)| live.methods.get(*key) != Some(*method);
    let stale: Vec<&String> = live.methods.iter().filter(stale).map(|(key, _)| key).collect();
    let missing: Vec<(&String, &Method)> = desired.methods.iter().filter(missing).collect();
    if stale.is_empty() && missing.is_empty() {
        return Ok(());
    }
    let mut ids: BTreeMap<String, String> = resources(client, id)
        .await?
        .into_iter()
        .filter_map(|resource| resource.path.zip(resource.id))
        .collect();
    for key in stale {
        let Some((verb, resource)) =
            key.split_once(' ').and_then(|(verb, path)| Some((verb, ids.get(path)?)))
        else {
            continue;
        };
        let delete = client.delete_method().rest_api_id(id).resource_id(resource).http_method(verb);
        let answer = retry(NOT_YET, async || delete.clone().send().await).await;
        optional(answer, "apigateway:DELETE /restapis/resources/methods", GONE)?;
    }
    let mut puts = Vec::new();
    for (key, method) in missing {
        let (verb, path) = key.split_once(' ').with_context(|| format!("{key:?} is no method and path"))?;
        puts.push((ensure_path(client, id, path, &mut ids).await?, verb, method));
    }
    stream::iter(puts.into_iter().map(Ok))
        .try_for_each_concurrent(ABREAST, async |(resource, verb, method)| {
            At { client, api: id, resource: &resource, verb }.put(goal, method).await
        })
        .await?;
    remove_empty_paths(client, id, desired, &ids).await
}

/// The id of the resource at `path`, made with its parents where it is missing.
async fn ensure_path(
    client: &Client,
    id: &str,
    path: &str,
    ids: &mut BTreeMap<String, String>,
) -> anyhow::Result<String> {
    let mut parent = ids.get("/").context("the REST API has no root resource")?.clone();
    let mut at = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        at = format!("{at}/{part}");
        if let Some(known) = ids.get(&at) {
            parent = known.clone();
            continue;
        }
        let create = client.create_resource().rest_api_id(id).parent_id(&parent).path_part(part);
        let answer = retry(NOT_YET, async || create.clone().send().await).await;
        let created = made(answer, "apigateway:POST /restapis/resources")?;
        parent = match created.and_then(|created| created.id) {
            Some(created) => created,
            None => {
                let made =
                    resources(client, id).await?.into_iter().find(|one| one.path.as_ref() == Some(&at));
                made.and_then(|made| made.id).with_context(|| format!("the path {at} cannot be made"))?
            }
        };
        ids.insert(at.clone(), parent.clone());
    }
    Ok(parent)
}

/// A path that no method of ours is on or under, longest first.
async fn remove_empty_paths(
    client: &Client,
    id: &str,
    desired: &Api,
    ids: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let used = |path: &str| {
        desired.methods.keys().filter_map(|key| key.split_once(' ')).any(|(_, wanted)| {
            wanted == path
                || wanted.strip_prefix(path).is_some_and(|rest| path == "/" || rest.starts_with('/'))
        })
    };
    for (path, resource) in ids.iter().rev().filter(|(path, _)| *path != "/" && !used(path)) {
        let delete = client.delete_resource().rest_api_id(id).resource_id(resource);
        let answer = retry(NOT_YET, async || delete.clone().send().await).await;
        optional(answer, "apigateway:DELETE /restapis/resources", GONE)
            .with_context(|| format!("remove the path {path}"))?;
    }
    Ok(())
}

/// Where a method is put.
struct At<'a> {
    client: &'a Client,
    api: &'a str,
    resource: &'a str,
    verb: &'a str,
}

impl At<'_> {
    async fn put(&self, goal: &Goal<'_>, method: &Method) -> anyhow::Result<()> {
        let authorizer = method.authorizer.as_ref().and(goal.authorizer);
        let put = self
            .client
            .put_method()
            .rest_api_id(self.api)
            .resource_id(self.resource)
            .http_method(self.verb)
            .authorization_type(if authorizer.is_some() { "CUSTOM" } else { "NONE" })
            .set_authorizer_id(authorizer.map(str::to_owned))
            .api_key_required(method.api_key_required);
        let answer = retry(NOT_YET, async || put.clone().send().await).await;
        made(answer, "apigateway:PUT /restapis/resources/methods")?;
        match &method.integration {
            Integration::Lambda(function) => self.put_lambda(&uri_of(goal.place, function)).await,
            Integration::Preflight(headers) => self.put_preflight(headers).await,
            Integration::Other(other) => anyhow::bail!("no method of CloudPix has the integration {other:?}"),
        }
    }

    async fn put_lambda(&self, uri: &str) -> anyhow::Result<()> {
        let put = self
            .client
            .put_integration()
            .rest_api_id(self.api)
            .resource_id(self.resource)
            .http_method(self.verb)
            .r#type(IntegrationType::AwsProxy)
            .integration_http_method("POST")
            .uri(uri);
        let answer = retry(NOT_YET, async || put.clone().send().await).await;
        answer.map(|_| ()).map_err(failed("apigateway:PUT /restapis/resources/methods/integration"))
    }

    /// API Gateway passes on only the headers that the method's own response declares.
    async fn put_preflight(&self, headers: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let Self { client, api, resource, verb } = *self;
        let declared = headers.keys().map(|name| (format!("{HEADER}{name}"), true)).collect();
        let put = client.put_method_response().rest_api_id(api).resource_id(resource).http_method(verb);
        let put = put.status_code(NO_CONTENT).set_response_parameters(Some(declared));
        let answer = retry(NOT_YET, async || put.clone().send().await).await;
        made(answer, "apigateway:PUT /restapis/resources/methods/responses")?;

        let put = client.put_integration().rest_api_id(api).resource_id(resource).http_method(verb);
        let put = put
            .r#type(IntegrationType::Mock)
            .request_templates("application/json", format!("{{\"statusCode\":{NO_CONTENT}}}"));
        let answer = retry(NOT_YET, async || put.clone().send().await).await;
        answer.map_err(failed("apigateway:PUT /restapis/resources/methods/integration"))?;

        let values =
            headers.iter().map(|(name, value)| (format!("{HEADER}{name}"), format!("'{value}'"))).collect();
        let put = client.put_integration_response().rest_api_id(api).resource_id(resource).http_method(verb);
        let put = put.status_code(NO_CONTENT).set_response_parameters(Some(values));
        let answer = retry(NOT_YET, async || put.clone().send().await).await;
        answer.map(|_| ()).map_err(failed("apigateway:PUT /restapis/resources/methods/integration/responses"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_is_read_back_from_its_uri() {
        let place = Place {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            endpoint: None,
        };
        let function = place.arn("lambda", "function:cloudpix-list");
        assert_eq!(function_of(&uri_of(&place, &function)), Some(function.as_str()));
        assert_eq!(function_of("https://example.com"), None);
    }
}
