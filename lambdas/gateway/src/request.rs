//! A request, as the event of API Gateway's proxy integration tells it. Fields that we do not need
//! are not read, and one of another type than it should have counts as absent:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>.

use catalog::answer::{Problem, Reject};
use contract::{ROUTES, Route, path};
use serde::Deserialize;
use serde_json::Value;

use crate::text;

#[derive(Debug, Default)]
pub struct Request {
    method: String,
    resource: String,
    headers: Pairs,
    queries: Pairs,
    path: Pairs,
    base: String,
    is_base64: bool,
    body: Vec<u8>,
}

type Pairs = Vec<(String, String)>;

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

impl Request {
    /// Reads an event; what is none becomes a request for nothing.
    pub fn parse(mut event: Vec<u8>) -> Request {
        let body = text::string_value(&event, "body");
        let parsed = match &body {
            Some(body) => serde_json::from_slice(&text::without(&event, body)),
            None => serde_json::from_slice(&event),
        };
        let Ok(parsed) = parsed else { return Request::default() };
        let parsed: Event = parsed;
        let first = |single: &Value, multiple: &Value| {
            let pairs = pairs(single);
            if pairs.is_empty() { self::pairs(multiple) } else { pairs }
        };
        match body {
            Some(body) => text::unescape(&mut event, body),
            None => event.clear(),
        }
        let resource = parsed.resource.as_str().unwrap_or_default();
        Request {
            method: parsed.http_method.as_str().unwrap_or_default().to_owned(),
            resource: resource.to_owned(),
            base: base(parsed.request_context["path"].as_str().unwrap_or_default(), resource).to_owned(),
            headers: first(&parsed.headers, &parsed.multi_value_headers),
            queries: first(&parsed.multi_value_query_string_parameters, &parsed.query_string_parameters),
            path: pairs(&parsed.path_parameters),
            is_base64: parsed.is_base64_encoded == Value::Bool(true),
            body: event,
        }
    }

    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path of the route, such as `/images/{imageId}`.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// What stands before the routes in the paths that this client uses: the stage, `/v1`, or what a
    /// domain of its own has in place of it, which may be nothing. It ends in no slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A header; case does not matter in its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, |key| key.eq_ignore_ascii_case(name))
    }

    /// What stands in the path for a parameter of the route.
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        find(&self.path, |key| key == name)
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.queries, |key| key == name)
    }

    /// Every query parameter, each as often as it was given.
    pub fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.queries.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body as it came: text, or base64 if [`Request::is_base64`].
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, without copying it.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Whether API Gateway encoded the body, as it does for binary media types.
    pub fn is_base64(&self) -> bool {
        self.is_base64
    }

    /// `POST /upload`, of routes that exist; whatever else a caller makes up is not for logs.
    pub fn route(&self) -> Option<String> {
        let known = |route: &Route| route.method == self.method && route.path == self.resource;
        ROUTES.iter().any(known).then(|| format!("{} {}", self.method, self.resource))
    }
}

/// Why a function refuses a request that is on none of its routes.
pub fn unrouted(resource: &str) -> Reject {
    let allow = match resource {
        path::UPLOAD => "POST",
        path::LIST | path::THUMBNAIL => "GET",
        path::IMAGE => "GET, DELETE",
        _ => return Reject::refused(Problem::NotFound, "there is nothing here"),
    };
    Reject::refused(Problem::MethodNotAllowed { allow }, format!("use {allow}"))
}

/// The path as the client sent it, without as many parts at its end as the route has. Nothing if that
/// could lead a client to another host.
fn base<'a>(path: &'a str, resource: &str) -> &'a str {
    let parts = resource.matches('/').count();
    let before = |path: &'a str, _| path.rsplit_once('/').map_or("", |(before, _)| before);
    let base = (0..parts).fold(path.trim_end_matches('/'), before);
    let is_safe =
        base.starts_with('/') && !base.starts_with("//") && base.bytes().all(|b| b.is_ascii_graphic());
    if is_safe { base } else { "" }
}

fn find(pairs: &Pairs, is_wanted: impl Fn(&str) -> bool) -> Option<&str> {
    pairs.iter().find(|(key, _)| is_wanted(key)).map(|(_, value)| value.as_str())
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

    fn parse(event: &Value) -> Request {
        Request::parse(event.to_string().into_bytes())
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
        assert_eq!((request.method(), request.resource()), ("DELETE", "/images/{imageId}"));
        assert_eq!(request.base(), "/v1");
        assert_eq!(request.header("content-type"), Some("image/png"));
        assert_eq!(request.header("x-missing"), None);
        assert_eq!(request.query("fileName"), Some("猫 1.png"));
        assert_eq!(request.queries().collect::<Vec<_>>(), [("fileName", "猫 1.png"), ("fileName", "last")]);
        assert_eq!(request.path_parameter("imageId"), Some("7"));
        assert_eq!(std::str::from_utf8(request.body()), Ok("{\"a\":\"\\\"\n猫\"}"));
        assert!(!request.is_base64());
        assert_eq!(request.route().as_deref(), Some("DELETE /images/{imageId}"));
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
            let request = Request::parse(event.as_bytes().to_vec());
            assert_eq!((request.method(), request.resource(), request.route()), ("", "", None), "{event}");
            assert_eq!((request.header("a"), request.query("b")), (None, None), "{event}");
            assert!(request.body().is_empty() && !request.is_base64(), "{event}");
        }
    }

    #[test]
    fn a_refused_method_is_told_of_those_that_there_are() {
        for Route { path, .. } in ROUTES {
            let methods: Vec<_> = ROUTES.iter().filter(|route| route.path == path).collect();
            let methods: Vec<_> = methods.into_iter().map(|route| route.method).collect();
            assert_eq!(unrouted(path).to_string(), format!("use {}", methods.join(", ")));
        }
        assert_eq!(unrouted("/other").to_string(), "there is nothing here");
    }

    proptest! {
        #[test]
        fn any_body_is_read_as_it_was_sent(body: String, before: String) {
            let request = parse(&json!({ "a": before, "body": body, "z": before }));
            prop_assert_eq!(std::str::from_utf8(request.body()), Ok(body.as_str()));
        }

        #[test]
        fn any_bytes_are_a_request(bytes: Vec<u8>) {
            Request::parse(bytes);
        }
    }
}
