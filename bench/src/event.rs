//! Events as API Gateway sends them for a REST API with proxy integration, and the images in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A PNG of one pixel, 70 bytes.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

pub(crate) fn upload_of_pixel() -> Vec<u8> {
    upload(&json!({ "fileName": "pixel.png", "data": PIXEL }))
}

pub(crate) fn upload_of_photograph(size: usize) -> Vec<u8> {
    upload(&json!({ "fileName": "夏の旅行.jpg", "data": STANDARD.encode(photograph(size)) }))
}

pub(crate) fn upload_of_bytes(size: usize) -> Vec<u8> {
    let body = STANDARD.encode(photograph(size));
    let queries = json!({ "fileName": "夏の旅行.jpg" });
    event("POST", "/upload", "image/jpeg", &queries, &json!({ "body": body, "isBase64Encoded": true }))
}

pub(crate) fn announcement(size: usize) -> Vec<u8> {
    upload(&json!({ "fileName": "夏の旅行.jpg", "contentType": "image/jpeg", "size": size }))
}

/// `queries` are those of the URL, each once.
pub(crate) fn listing(queries: &Value) -> Vec<u8> {
    event("GET", "/list", "application/json", queries, &json!({ "body": null, "isBase64Encoded": false }))
}

fn upload(body: &Value) -> Vec<u8> {
    let body = json!({ "body": body.to_string(), "isBase64Encoded": false });
    event("POST", "/upload", "application/json", &Value::Null, &body)
}

/// A JPEG that is whole as far as its size in pixels, and noise behind that.
fn photograph(size: usize) -> Vec<u8> {
    let mut bytes = b"\xFF\xD8\
        \xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\
        \xFF\xC0\0\x11\x08\x0B\xD0\x0F\xC0\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\
        \xFF\xDA\0\x0C\x03\x01\0\x02\x11\x03\x11\0\x3F\0"
        .to_vec();
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        // Knuth's generator: the same noise in every run.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    bytes.extend(noise.take(size.saturating_sub(bytes.len())));
    bytes
}

fn event(method: &str, path: &str, media_type: &str, queries: &Value, body: &Value) -> Vec<u8> {
    let headers = json!({
        "accept": "application/json",
        "accept-encoding": "gzip, deflate, br",
        "Content-Type": media_type,
        "Host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0",
        "X-Amzn-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    });
    let lists = |values: &Value| match values.as_object() {
        None => Value::Null,
        Some(values) => values.iter().map(|(name, value)| (name.clone(), json!([value]))).collect(),
    };
    let mut event = json!({
        "resource": path,
        "path": path,
        "httpMethod": method,
        "multiValueHeaders": lists(&headers),
        "headers": headers,
        "queryStringParameters": queries,
        "multiValueQueryStringParameters": lists(queries),
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "a1b2c3d4e5",
            "extendedRequestId": "UqHm3E5uoAMFTZw=",
            "httpMethod": method,
            "identity": { "sourceIp": "198.51.100.7", "userAgent": "Mozilla/5.0" },
            "path": format!("/v1{path}"),
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTime": "23/Nov/2026:04:05:06 +0000",
            "requestTimeEpoch": 1_795_406_706_789_u64,
            "resourceId": "x7y8z9",
            "resourcePath": path,
            "stage": "v1",
        },
    });
    if let (Some(event), Some(body)) = (event.as_object_mut(), body.as_object()) {
        event.extend(body.clone());
    }
    event.to_string().into_bytes()
}
