//! A request, as the event of API Gateway's proxy integration tells it. Fields that we do not need
//! are not read, and one of another type than it should have counts as absent:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Deserialize;
use serde_json::Value;

use super::text;
use crate::request::{Authorized, Body, Matched, Pairs, Request};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    http_method: Value,
    resource: Value,
    headers: Value,
    multi_value_headers: Value,
    query_string_parameters: Value,
    multi_value_query_string_parameters: Value,
    path_parameters: Value,
    request_context: Value,
    is_base64_encoded: Value,
}

/// Reads an event; what is none becomes a request for nothing. The body stays in the buffer that the event
/// came in.
pub fn read(mut event: Vec<u8>) -> Request {
    let body = text::string_value(&event, "body");
    let parsed = match &body {
        Some(body) => serde_json::from_slice(&text::without(&event, body)),
        None => serde_json::from_slice(&event),
    };
    let is_event = parsed.is_ok();
    let parsed: Event = parsed.unwrap_or_default();
    match body.filter(|_| is_event) {
        Some(body) => text::unescape(&mut event, body),
        None => event.clear(),
    }
    let is_base64 = parsed.is_base64_encoded == Value::Bool(true);
    let mut request = Request::new(if is_base64 { Body::Base64(event) } else { Body::Text(event) });
    *request.method_mut() = method(&parsed.http_method);
    *request.uri_mut() = uri(&parsed.request_context["path"]);
    *request.headers_mut() = headers(first(&parsed.headers, &parsed.multi_value_headers));
    request.extensions_mut().insert(Authorized(pairs(&parsed.request_context["authorizer"])));
    request.extensions_mut().insert(Matched {
        resource: parsed.resource.as_str().unwrap_or_default().to_owned(),
        path: pairs(&parsed.path_parameters),
        query: first(&parsed.multi_value_query_string_parameters, &parsed.query_string_parameters),
    });
    request
}

/// A method that no route has, where none is told.
fn method(told: &Value) -> Method {
    let told = told.as_str().and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    told.unwrap_or_else(|| Method::from_bytes(b"UNKNOWN").expect("letters are a method"))
}

/// The path as the client sent it, or the root where that is none.
fn uri(path: &Value) -> Uri {
    path.as_str().and_then(|path| path.parse().ok()).unwrap_or_default()
}

/// What no header can hold has not been one, and of very many some are enough.
fn headers(pairs: Pairs) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.try_append(name, value).ok();
        }
    }
    headers
}

fn first(preferred: &Value, other: &Value) -> Pairs {
    let pairs = pairs(preferred);
    if pairs.is_empty() { self::pairs(other) } else { pairs }
}

/// The texts of an object, or of the lists in it.
fn pairs(object: &Value) -> Pairs {
    let mut pairs = Pairs::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        pairs.extend(values.iter().filter_map(Value::as_str).map(|text| (name.clone(), text.to_owned())));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::request::RequestExt;
    use crate::route;

    fn parse(event: &Value) -> Request {
        read(event.to_string().into_bytes())
    }

    #[test]
    fn a_request_is_what_its_event_says() {
        let request = parse(&json!({
            "resource": "/images/{imageId}",
            "path": "/images/7",
            "httpMethod": "DELETE",
            "headers": { "Content-Type": "image/png", "X-Empty": "" },
            "multiValueHeaders": { "Content-Type": ["image/png"] },
            "queryStringParameters": { "fileName": "last" },
            "multiValueQueryStringParameters": { "fileName": ["猫 1.png", "last"] },
            "pathParameters": { "imageId": "7" },
            "requestContext": { "requestId": "x", "path": "/v1/images/7" },
            "body": "{\"a\":\"\\\"\n猫\"}",
            "isBase64Encoded": false,
        }));
        assert_eq!((request.method().as_str(), request.resource()), ("DELETE", "/images/{imageId}"));
        assert_eq!(request.base(), "/v1");
        assert_eq!(request.header("content-type"), Some("image/png"));
        assert_eq!(request.header("x-missing"), None);
        assert_eq!(request.query("fileName"), Some("猫 1.png"));
        assert_eq!(request.queries().collect::<Vec<_>>(), [("fileName", "猫 1.png"), ("fileName", "last")]);
        assert_eq!(request.path_parameter("imageId"), Some("7"));
        assert_eq!(*request.body(), Body::Text("{\"a\":\"\\\"\n猫\"}".into()));
        assert_eq!(route::name(&request).as_deref(), Some("DELETE /images/{imageId}"));
    }

    /// What API Gateway tells of a request to its own domain, and to domains of the account that lead to
    /// a stage with and without a base path, or to the API with the stage in the path.
    #[test]
    fn the_base_is_what_a_client_sends_before_the_route() {
        for (path, base) in [
            ("/v1/upload", "/v1"),
            ("/v1/upload/", "/v1"),
            ("/upload", ""),
            ("/pictures/upload", "/pictures"),
            ("/pictures/v1/upload", "/pictures/v1"),
            ("//other.example/upload", ""),
            ("/v1\u{7}/upload", ""),
            ("upload", ""),
            ("", ""),
        ] {
            let event = json!({ "resource": "/upload", "requestContext": { "path": path } });
            assert_eq!(parse(&event).base(), base, "{path:?}");
        }
        let image = json!({ "resource": "/images/{imageId}", "requestContext": { "path": "/v1/images/7" } });
        assert_eq!(parse(&image).base(), "/v1");
        for context in [json!({}), json!(null), json!({ "path": 7 })] {
            assert_eq!(parse(&json!({ "resource": "/upload", "requestContext": context })).base(), "");
        }
    }

    #[test]
    fn either_spelling_of_headers_and_queries_does() {
        let single = parse(&json!({ "headers": { "a": "1" }, "queryStringParameters": { "b": "2" } }));
        let multiple = parse(&json!({
            "headers": null,
            "multiValueHeaders": { "A": ["1", "3"] },
            "multiValueQueryStringParameters": { "b": ["2"] },
        }));
        for request in [single, multiple] {
            assert_eq!((request.header("A"), request.query("b")), (Some("1"), Some("2")));
        }
    }

    #[test]
    fn what_is_of_another_type_is_absent() {
        for event in [
            "",
            "null",
            "[]",
            "{",
            "\u{0}",
            r#"{"httpMethod":"GET","httpMethod":"GET"}"#,
            r#"{"httpMethod":7,"resource":[],"headers":"a","queryStringParameters":{"b":7},"body":{"a":1},"isBase64Encoded":"true"}"#,
        ] {
            let request = read(event.as_bytes().to_vec());
            let seen = (request.method().as_str(), request.resource(), route::name(&request));
            assert_eq!(seen, ("UNKNOWN", "", None), "{event}");
            assert_eq!((request.header("a"), request.query("b")), (None, None), "{event}");
            assert_eq!(*request.body(), Body::default(), "{event}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_as_it_was_sent(body: String, before: String) {
            let request = parse(&json!({ "a": before, "body": body, "z": before }));
            prop_assert_eq!(request.into_body(), Body::Text(body.into_bytes()));
        }

        #[test]
        fn any_bytes_are_a_request(bytes: Vec<u8>) {
            read(bytes);
        }
    }
}
