//! Reads what a client asks of `POST /upload`, once, with every check that needs neither the image's
//! header nor AWS. Raw bytes are read here and JSON in `json`.

use std::borrow::Cow;

use bytes::Bytes;
use contract::BINARY_MEDIA_TYPES;
use image::file_name::{self, FileName};

use super::wanted::{ANY_BYTES, Inline, Wanted, known_format};
use super::{base64, json};
use crate::reject::{Problem, Reject};
use crate::request::{Body, Request, RequestExt};

const JSON_TYPE: &str = "application/json";

pub fn parse(request: Request, max_upload_bytes: u64) -> Result<Wanted, Reject> {
    let media_type = request.header("content-type").unwrap_or(JSON_TYPE);
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        JSON_TYPE => match request.into_body() {
            Body::Text(text) => json::parse(text, max_upload_bytes),
            body @ Body::Base64(_) => json::parse(bytes(body)?, max_upload_bytes),
        },
        ANY_BYTES => from_bytes(request, None, max_upload_bytes),
        image if image.starts_with("image/") => from_bytes(request, Some(image), max_upload_bytes),
        other => Err(Reject::refused(
            Problem::UnsupportedMediaType,
            format!("send {JSON_TYPE}, an image or {ANY_BYTES}, not {other:?}"),
        )),
    }
}

fn from_bytes(request: Request, declared: Option<&str>, max: u64) -> Result<Wanted, Reject> {
    let declared = declared.map(known_format).transpose()?;
    if matches!(request.body(), Body::Text(text) if !text.is_empty()) {
        // It has been read as UTF-8 on its way, and what is none has been replaced.
        let detail = format!(
            "the body came as text, which no image survives. Send it as one of these types: {}",
            BINARY_MEDIA_TYPES.join(", ")
        );
        return Err(Reject::refused(Problem::UnsupportedMediaType, detail).because_of("contentType"));
    }
    let named = request.query("fileName").map(Cow::Borrowed).or_else(|| {
        let header = request.header("content-disposition")?;
        file_name::from_content_disposition(header).map(Cow::Owned)
    });
    let file_name = FileName::parse(&named.ok_or_else(|| {
        Reject::invalid("fileName", "name the file with ?fileName= or a Content-Disposition header")
    })?)?;
    Ok(Wanted::Inline(Inline::new(file_name, declared, Bytes::from(bytes(request.into_body())?), max)?))
}

/// The bytes of a body, decoded where they lie.
fn bytes(body: Body) -> Result<Vec<u8>, Reject> {
    let bytes = match body {
        Body::Text(text) => text,
        Body::Base64(mut bytes) => {
            let length = base64::decode_once(&mut bytes);
            bytes.truncate(length.map_err(|_| Reject::invalid("body", "the body came as broken base64"))?);
            bytes
        }
    };
    if bytes.is_empty() { Err(Reject::invalid("body", "the body is empty")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use ::base64::Engine;
    use ::base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
    use contract::INLINE_LIMIT;
    use image::format::Format;
    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::event;
    use crate::routes::upload::wanted::testing::{check, check_refused, inline};

    const MAX: u64 = 100;

    fn request(event: &Value) -> Request {
        event::read(event.to_string().into_bytes())
    }

    fn with_json(body: &str) -> Result<Wanted, Reject> {
        parse(request(&json!({ "headers": { "Content-Type": "application/json" }, "body": body })), MAX)
    }

    #[test]
    fn one_byte_more_than_the_limit_is_too_much() {
        let encoded = |bytes: usize| {
            let data = STANDARD_PAD_INDIFFERENT.encode(vec![0; bytes]);
            with_json(&format!(r#"{{"fileName":"a","data":"{data}"}}"#))
        };
        check(encoded(INLINE_LIMIT), &inline("a", None, &vec![0; INLINE_LIMIT]));
        let detail =
            "the image has 4194305 bytes; at most 4194304 are taken inside a request. For up to 100,";
        check_refused(encoded(INLINE_LIMIT + 1), Problem::PayloadTooLarge, "", detail);
        check_refused(raw(&vec![0; INLINE_LIMIT + 1], &json!({})), Problem::PayloadTooLarge, "", detail);
        let announced = with_json(r#"{"fileName":"a","contentType":"image/png","size":101}"#);
        let detail = "the image has 101 bytes; at most 100 are taken";
        check_refused(announced, Problem::PayloadTooLarge, "size", detail);
    }

    fn raw(bytes: &[u8], more: &Value) -> Result<Wanted, Reject> {
        let mut whole = json!({
            "headers": { "content-type": "image/png" },
            "multiValueQueryStringParameters": { "fileName": ["猫 1.png"] },
            "body": STANDARD_PAD_INDIFFERENT.encode(bytes),
            "isBase64Encoded": true,
        });
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(request(&whole), MAX)
    }

    #[test]
    fn raw_bytes_are_named_by_the_query_or_by_content_disposition() {
        check(raw(b"abc", &json!({})), &inline("猫 1.png", Some(Format::Png), b"abc"));
        let single = json!({
            "multiValueQueryStringParameters": null,
            "queryStringParameters": { "fileName": "b.png" },
        });
        check(raw(b"abc", &single), &inline("b.png", Some(Format::Png), b"abc"));
        let header = json!({
            "headers": {
                "CONTENT-TYPE": "Application/Octet-Stream",
                "Content-Disposition": "attachment; filename=x.png; filename*=UTF-8''%E7%8C%AB.png",
            },
            "multiValueQueryStringParameters": null,
        });
        check(raw(b"abc", &header), &inline("猫.png", None, b"abc"));
        let unnamed = json!({ "multiValueQueryStringParameters": null });
        let detail = "name the file with ?fileName= or a Content-Disposition header";
        check_refused(raw(b"abc", &unnamed), Problem::BadRequest, "fileName", detail);
    }

    #[test]
    fn raw_bytes_of_nothing_or_of_another_kind_are_refused() {
        check_refused(raw(b"", &json!({})), Problem::BadRequest, "body", "the body is empty");
        let none = json!({ "body": null });
        check_refused(raw(b"", &none), Problem::BadRequest, "body", "the body is empty");
        let broken = json!({ "body": "?" });
        check_refused(raw(b"", &broken), Problem::BadRequest, "body", "the body came as broken base64");
        for (media_type, field, detail) in [
            ("image/svg+xml", "contentType", "\"image/svg+xml\" is not taken"),
            (
                "text/html",
                "",
                "send application/json, an image or application/octet-stream, not \"text/html\"",
            ),
            ("application/x-www-form-urlencoded", "", "send application/json"),
            ("multipart/form-data; boundary=x", "", "send application/json"),
        ] {
            let wanted = raw(b"abc", &json!({ "headers": { "Content-Type": media_type } }));
            check_refused(wanted, Problem::UnsupportedMediaType, field, detail);
        }
    }

    #[test]
    fn an_image_that_came_as_text_is_refused_whatever_it_is_called() {
        for media_type in ["image/png", "image/x-ms-bmp", "IMAGE/PNG; q=1", "application/octet-stream"] {
            let text = json!({
                "headers": { "Content-Type": media_type },
                "body": "\u{FFFD}PNG\r\n",
                "isBase64Encoded": false,
            });
            let detail = "the body came as text, which no image survives. Send it as one of these types: ";
            let wanted = raw(b"", &text);
            check_refused(wanted, Problem::UnsupportedMediaType, "contentType", detail);
        }
    }

    #[test]
    fn json_may_come_as_bytes_and_begin_with_a_byte_order_mark() {
        let body = "\u{FEFF}{\"fileName\":\"a\",\"data\":\"YWJj\"}";
        check(with_json(body), &inline("a", None, b"abc"));
        let encoded = json!({
            "headers": { "Content-Type": "application/json" },
            "body": STANDARD_PAD_INDIFFERENT.encode(body),
            "isBase64Encoded": true,
        });
        check(parse(request(&encoded), MAX), &inline("a", None, b"abc"));
    }

    #[test]
    fn a_body_without_a_type_is_taken_for_json() {
        let wanted = parse(request(&json!({ "body": r#"{"fileName":"a","data":"YWJj"}"# })), MAX);
        check(wanted, &inline("a", None, b"abc"));
    }
}
