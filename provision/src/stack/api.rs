//! The REST API: its methods, its own error responses, and who may call the functions.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Function, Route};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::place::{API_ID, AUTHORIZER, LIVE, Names, Place, STAGE};
use super::resource::api::{AccessLog, Api, Authorizer, GatewayResponse, Integration, Method};
use crate::settings::{Auth, Settings};

pub(super) fn api(settings: &Settings, place: &Place, names: &Names) -> Api {
    let mut methods = BTreeMap::new();
    for route in routes(settings) {
        let function = place.arn("lambda", &format!("function:{}:{LIVE}", names.function(route.function)));
        let method = Method {
            api_key_required: settings.auth == Auth::ApiKey,
            authorizer: settings.has_users().then(|| AUTHORIZER.to_owned()),
            integration: Integration::Lambda(function),
        };
        methods.insert(format!("{} {}", route.method, route.path), method);
        methods.insert(format!("OPTIONS {}", route.path), preflight(settings, route.path));
    }
    Api {
        tags: names.tags(),
        description: "CloudPix: upload and list images".to_owned(),
        endpoint: "REGIONAL".to_owned(),
        minimum_compression: Some(COMPRESSED_FROM),
        binary_media_types: contract::BINARY_MEDIA_TYPES.map(str::to_owned).into(),
        methods,
        authorizer: settings.has_users().then(|| authorizer(place, names)),
        responses: responses(settings),
    }
}

/// The routes that a stack by these settings has.
fn routes(settings: &Settings) -> impl Iterator<Item = &'static Route> {
    contract::routes(match settings.auth {
        Auth::Users => contract::Auth::Users,
        Auth::ApiKey => contract::Auth::ApiKey,
        Auth::None => contract::Auth::None,
    })
}

/// A key that was revoked is good for as long as what the authorizer said of it is kept.
const KEPT_FOR: i32 = 60;

fn authorizer(place: &Place, names: &Names) -> Authorizer {
    let function = names.function(Function::Authorize);
    Authorizer {
        function: place.arn("lambda", &format!("function:{function}:{LIVE}")),
        identity_source: "method.request.header.Authorization".to_owned(),
        kept_for: KEPT_FOR,
    }
}

/// Bytes. On AWS a signed link is 1.5 KB with its session token, so a page of 50 images with thumbnails is
/// 300 KB of links that differ in little. What is smaller than this fits three packets, and is not worth
/// the time that packing takes.
const COMPRESSED_FROM: i32 = 4096;

/// Sixteen hexadecimal digits that change when anything under the stage does.
pub(super) fn fingerprint(api: &Api) -> String {
    let mut text = json!({"binary": api.binary_media_types, "compression": api.minimum_compression, "methods": api.methods, "responses": api.responses});
    // Where there is none, it is as it was before there could be one.
    if let Some(authorizer) = &api.authorizer {
        text["authorizer"] = json!(authorizer);
    }
    let digest = Sha256::digest(text.to_string());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is logged of each request, those included that no function sees: without a key, over a quota.
///
/// Numbers that may be `-` stand in quotes. Nothing in it is as long as a caller likes, who would fill the
/// log: the path is the route's own, and what a caller may set of the request's id is a UUID. The id of a
/// trace may be a caller's too, so it is there with tracing alone. The variables are at
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html>.
pub(super) fn access_log(settings: &Settings, place: &Place, names: &Names) -> AccessLog {
    let mut fields = vec![
        ("time", "requestTimeEpoch"),
        ("requestId", "requestId"),
        ("extendedRequestId", "extendedRequestId"),
        ("ip", "identity.sourceIp"),
        ("apiKeyId", "identity.apiKeyId"),
        ("method", "httpMethod"),
        ("path", "resourcePath"),
        ("status", "status"),
        ("bytes", "responseLength"),
        ("ms", "responseLatency"),
        ("functionMs", "integrationLatency"),
        ("error", "error.responseType"),
    ];
    if settings.has_users() {
        fields.extend([("owner", "authorizer.owner"), ("by", "authorizer.by")]);
    }
    if settings.tracing {
        fields.push(("trace", "xrayTraceId"));
    }
    let field = |(name, variable)| format!("\"{name}\":\"$context.{variable}\"");
    let fields: Vec<String> = fields.into_iter().map(field).collect();
    let group = place.arn("logs", &format!("log-group:{}", names.access_log()));
    AccessLog { group, format: format!("{{{}}}", fields.join(",")) }
}

/// Exactly our routes may call the function's alias, on our API and our stage.
pub(super) fn callers(settings: &Settings, place: &Place, function: Function) -> BTreeMap<String, String> {
    let callers = routes(settings).filter(|route| route.function == function).map(|route| {
        let Route { method, path, .. } = route;
        let id = format!("Cloudpix{method}{}", path.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
        (id, place.arn("execute-api", &format!("{API_ID}/{STAGE}/{method}{}", any_parameter(path))))
    });
    callers.collect()
}

/// The API asks the function who makes a request, by an authorizer whose id API Gateway draws.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization-with-console.html>
pub(super) fn asker(place: &Place) -> BTreeMap<String, String> {
    let any = place.arn("execute-api", &format!("{API_ID}/authorizers/*"));
    BTreeMap::from([("CloudpixAuthorizer".to_owned(), any)])
}

/// In the ARN of a method, `*` stands for whatever a path parameter holds: `/images/*`.
fn any_parameter(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "*".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn preflight(settings: &Settings, path: &str) -> Method {
    let methods: BTreeSet<&str> =
        routes(settings).filter(|route| route.path == path).map(|route| route.method).collect();
    let methods: Vec<&str> = methods.into_iter().chain(["OPTIONS"]).collect();
    let mut headers = cors(settings);
    headers.insert("Access-Control-Allow-Methods".to_owned(), methods.join(","));
    headers.insert("Access-Control-Allow-Headers".to_owned(), allowed_headers(settings).join(","));
    headers.insert("Access-Control-Max-Age".to_owned(), "3600".to_owned());
    Method { api_key_required: false, authorizer: None, integration: Integration::Preflight(headers) }
}

/// What a browser may send, of which one header says who asks.
fn allowed_headers(settings: &Settings) -> Vec<&'static str> {
    let headers = contract::API_HEADERS.into_iter();
    if settings.has_users() {
        return headers.filter(|name| *name != "x-api-key").chain(["authorization"]).collect();
    }
    headers.collect()
}

fn cors(settings: &Settings) -> BTreeMap<String, String> {
    BTreeMap::from([("Access-Control-Allow-Origin".to_owned(), settings.allow_origin.clone())])
}

/// API Gateway's own errors, in the form of ours (RFC 9457).
///
/// The context variables are at
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html>.
fn responses(settings: &Settings) -> BTreeMap<String, GatewayResponse> {
    let known: [(&str, u16, &str, &str, &str); 11] = [
        ("BAD_REQUEST_BODY", 400, "bad-request", "Bad Request", "the request body is not valid"),
        ("BAD_REQUEST_PARAMETERS", 400, "bad-request", "Bad Request", "a request parameter is not valid"),
        (
            "INVALID_API_KEY",
            403,
            "forbidden",
            "Forbidden",
            "the x-api-key header is missing or holds no valid key",
        ),
        ("ACCESS_DENIED", 403, "forbidden", "Forbidden", "this request is not allowed"),
        ("MISSING_AUTHENTICATION_TOKEN", 404, "not-found", "Not Found", "there is no such route"),
        ("RESOURCE_NOT_FOUND", 404, "not-found", "Not Found", "there is no such route"),
        ("REQUEST_TOO_LARGE", 413, "payload-too-large", "Content Too Large", TOO_LARGE),
        (
            "THROTTLED",
            429,
            "too-many-requests",
            "Too Many Requests",
            "too many requests at once; try again in a second",
        ),
        (
            "QUOTA_EXCEEDED",
            429,
            "too-many-requests",
            "Too Many Requests",
            "the quota of this API key is used up",
        ),
        (
            "INTEGRATION_FAILURE",
            503,
            "unavailable",
            "Service Unavailable",
            "the service is not available just now; try it again",
        ),
        (
            "INTEGRATION_TIMEOUT",
            504,
            "timeout",
            "Gateway Timeout",
            "the service took too long to answer; try it again",
        ),
    ];
    let mut responses: BTreeMap<String, GatewayResponse> = known
        .into_iter()
        .map(|(kind, status, problem, title, detail)| {
            (kind.to_owned(), response(settings, Some(status), own(problem, title, status, detail)))
        })
        .collect();
    if settings.has_users() {
        responses.extend(responses_to_users(settings));
    }
    // Whatever has no entry above keeps the status that API Gateway gave it, which a template cannot know.
    for kind in ["DEFAULT_4XX", "DEFAULT_5XX"] {
        let template = r#"{"type":"about:blank","title":$context.error.messageString}"#;
        responses.insert(kind.to_owned(), response(settings, None, template.to_owned()));
    }
    responses
}

/// What API Gateway says for the authorizer: who shows nothing, or nothing good, and where it cannot tell.
///
/// Whoever is refused gets a policy that denies, since an error would not be kept for the next time, and so comes here
/// by way of `ACCESS_DENIED`.
fn responses_to_users(settings: &Settings) -> [(String, GatewayResponse); 4] {
    const UNKNOWN: &str = "sign in, or send a key that is valid: `Authorization: Bearer TOKEN`";
    const LATER: &str = "who sent this request cannot be found out just now; try it again";
    let unknown = ("unauthorized", "Unauthorized", UNKNOWN);
    let later = ("unavailable", "Service Unavailable", LATER);
    [
        ("UNAUTHORIZED", 401, unknown),
        ("ACCESS_DENIED", 401, unknown),
        ("AUTHORIZER_FAILURE", 503, later),
        ("AUTHORIZER_CONFIGURATION_ERROR", 503, later),
    ]
    .map(|(kind, status, (problem, title, detail))| {
        let mut response = response(settings, Some(status), own(problem, title, status, detail));
        if status == 401 {
            // RFC 9110, section 11.6.1: it says how to do better.
            response.headers.insert("WWW-Authenticate".to_owned(), "Bearer".to_owned());
        }
        (kind.to_owned(), response)
    })
}

/// A problem of ours (RFC 9457).
fn own(problem: &str, title: &str, status: u16, detail: &str) -> String {
    json!({
        "type": format!("urn:cloudpix:problem:{problem}"),
        "title": title,
        "status": status,
        "detail": detail,
    })
    .to_string()
}

const TOO_LARGE: &str = "an image sent inline may have 4194304 bytes at most; for a larger one leave out `data`, \
                         send `size` and `contentType`, and PUT the image to the `uploadUrl` of the answer";

fn response(settings: &Settings, status: Option<u16>, template: String) -> GatewayResponse {
    let mut headers = cors(settings);
    for (name, value) in [
        ("Content-Type", "application/problem+json"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        headers.insert(name.to_owned(), value.to_owned());
    }
    GatewayResponse { status: status.map(|status| status.to_string()), headers, template }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_parameter_is_anything_and_the_rest_is_exact() {
        assert_eq!(any_parameter("/upload"), "/upload");
        assert_eq!(any_parameter("/images/{imageId}"), "/images/*");
    }
}
