//! The JSON ways of `POST /upload`: with `data`, the image itself in base64, or without, an image that
//! is to come.

use std::ops::Range;

use bytes::Bytes;
use image::digest::Sha256;
use image::file_name::FileName;
use image::wire::UploadRequest;
use serde_json::value::RawValue;

use super::base64;
use super::wanted::{ANY_BYTES, Announced, Inline, Wanted, known_format};
use crate::gateway::text::{string_value, unescape, without};
use crate::reject::{Problem, Reject};
use crate::routes::json::{object, text, whole_number};

/// The fields as they came, so that each can be blamed by name.
type Fields<'a> = UploadRequest<&'a RawValue, &'a RawValue>;

pub(super) fn parse(body: Vec<u8>, max_upload_bytes: u64) -> Result<Wanted, Reject> {
    // The image is taken out first: to parse the little that is left takes no time.
    let (rest, image) = match string_value(&body, "data") {
        Some(data) => (without(&body, &data), Some((body, data))),
        None => (body, None),
    };
    let fields: Fields = object(&rest)?;
    let file_name = text("fileName", fields.file_name)?
        .ok_or_else(|| Reject::invalid("fileName", "the file name is missing"))?;
    let file_name = FileName::parse(&file_name)?;
    let content_type = text("contentType", fields.content_type)?;
    let size = size(fields.size)?;
    let sha256 = text("sha256", fields.sha256)?.map(|text| {
        Sha256::parse(&text).ok_or_else(|| {
            Reject::invalid("sha256", "a SHA-256 is 64 hexadecimal digits, or base64 of 32 bytes")
        })
    });
    let sha256 = sha256.transpose()?;
    let image = match image {
        Some((body, data)) if memchr::memchr(b'\\', &body[data.clone()]).is_none() => Some((body, data)),
        Some((mut body, data)) => {
            unescape(&mut body, data);
            Some(whole(body))
        }
        // It may still be there, under a name that is written with escapes.
        None => text("data", fields.data)?.map(|text| whole(text.into_owned().into_bytes())),
    };
    match image {
        Some((buffer, data)) => {
            let inline = inline(file_name, content_type.as_deref(), buffer, data, max_upload_bytes)?;
            hold_promises(&inline, size, sha256)?;
            Ok(Wanted::Inline(inline))
        }
        None => announced(file_name, content_type.as_deref(), size, sha256, max_upload_bytes),
    }
}

fn whole(buffer: Vec<u8>) -> (Vec<u8>, Range<usize>) {
    let whole = 0..buffer.len();
    (buffer, whole)
}

/// Takes the image out of the buffer that it came in.
fn inline(
    file_name: FileName,
    content_type: Option<&str>,
    mut buffer: Vec<u8>,
    data: Range<usize>,
    max_upload_bytes: u64,
) -> Result<Inline, Reject> {
    let (of_url, start) = base64::unwrap(&buffer[data.clone()])?;
    let declared = content_type.or(of_url).filter(|declared| *declared != ANY_BYTES);
    let declared = declared.map(known_format).transpose()?;
    let start = data.start + start;
    let length = base64::decode(&mut buffer[start..data.end])?;
    let bytes = Bytes::from(buffer).slice(start..start + length);
    Inline::new(file_name, declared, bytes, max_upload_bytes)
}

fn announced(
    file_name: FileName,
    content_type: Option<&str>,
    size: Option<u64>,
    sha256: Option<Sha256>,
    max_upload_bytes: u64,
) -> Result<Wanted, Reject> {
    let Some(size) = size else {
        let detail = "send the image as base64 in data, or its size and contentType to get an upload URL";
        return Err(Reject::invalid("data", detail));
    };
    let Some(content_type) = content_type else {
        return Err(Reject::invalid("contentType", "an upload URL is made for one type of image; name it"));
    };
    let format = known_format(content_type)?;
    if size > max_upload_bytes {
        let detail = format!("the image has {size} bytes; at most {max_upload_bytes} are taken");
        return Err(Reject::refused(Problem::PayloadTooLarge, detail).because_of("size"));
    }
    Ok(Wanted::Announced(Announced { file_name, format, size, sha256 }))
}

/// What a client says of bytes it sends along must be true of them.
fn hold_promises(inline: &Inline, size: Option<u64>, sha256: Option<Sha256>) -> Result<(), Reject> {
    if size.is_some_and(|size| usize::try_from(size) != Ok(inline.bytes.len())) {
        let detail = format!("data holds {} bytes", inline.bytes.len());
        return Err(Reject::invalid("size", detail));
    }
    if sha256.is_some_and(|sha256| sha256 != inline.sha256) {
        return Err(Reject::invalid("sha256", format!("the SHA-256 of data is {}", inline.sha256)));
    }
    Ok(())
}

fn size(value: Option<&RawValue>) -> Result<Option<u64>, Reject> {
    let invalid = || Reject::invalid("size", "size must be a whole number of bytes above 0");
    let parsed = value.map(|value| whole_number(value.get()).ok_or_else(invalid)).transpose()?;
    if parsed == Some(0) { Err(invalid()) } else { Ok(parsed) }
}

#[cfg(test)]
mod tests {
    use image::format::Format;
    use serde_json::json;

    use super::*;
    use crate::routes::upload::wanted::testing::{check, check_refused, inline};

    const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn with_json(body: &str) -> Result<Wanted, Reject> {
        parse(body.as_bytes().to_vec(), 100)
    }

    #[test]
    fn data_makes_it_an_inline_image() {
        check(with_json(r#"{"fileName":"猫.png","data":"YWJj"}"#), &inline("猫.png", None, b"abc"));
        check(
            with_json(r#"{"fileName":"a","contentType":"image/jpg","data":"YWJj"}"#),
            &inline("a", Some(Format::Jpeg), b"abc"),
        );
        check(
            with_json(r#"{"fileName":"a","data":"data:image\/gif;base64,YWJj"}"#),
            &inline("a", Some(Format::Gif), b"abc"),
        );
        check(with_json(r#"{"fileName":"a","d\u0061ta":"YWJj"}"#), &inline("a", None, b"abc"));
        check(
            with_json(r#"{"fileName":"a","contentType":"application/octet-stream","data":"YW\nJj"}"#),
            &inline("a", None, b"abc"),
        );
    }

    #[test]
    fn unknown_fields_are_ignored_and_null_is_absent() {
        check(
            with_json(r#" {"tags":["x"],"fileName":"a","contentType":null,"sha256":null,"data":"YWJj"} "#),
            &inline("a", None, b"abc"),
        );
    }

    #[test]
    fn what_is_said_of_data_must_be_true() {
        let with = |more: &str| with_json(&format!(r#"{{"fileName":"a","data":"YWJj",{more}}}"#));
        check(with(&format!(r#""size":3,"sha256":"{ABC_SHA256}""#)), &inline("a", None, b"abc"));
        check(with(r#""size":3.0"#), &inline("a", None, b"abc"));
        check_refused(with(r#""size":4"#), Problem::BadRequest, "size", "data holds 3 bytes");
        let other = ABC_SHA256.replace('b', "c");
        let other = with(&format!(r#""sha256":"{other}""#));
        check_refused(other, Problem::BadRequest, "sha256", "the SHA-256 of data is ba78");
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for (json, number) in [
            ("100", Some(100)),
            ("5.0", Some(5)),
            ("1e+05", Some(100_000)),
            ("1E5", Some(100_000)),
            ("12.5e1", Some(125)),
            ("12500e-2", Some(125)),
            ("0.00000001e10", Some(100)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("9007199254740993.0e0", Some(9_007_199_254_740_993)),
            ("18446744073709551615", Some(u64::MAX)),
            ("1844674407370955161.5e1", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("2e19", None),
            ("1e20", None),
            ("1e99999999999999999999", None),
            ("1e-9223372036854775808", None),
            ("0e5", Some(0)),
            ("0.000", Some(0)),
            ("1.5", None),
            ("12e-1", None),
            ("-1", None),
            ("-1e2", None),
            ("true", None),
            ("[1]", None),
            ("\"1\"", None),
            ("\"1e5\"", None),
            ("{\"e\":1.0}", None),
        ] {
            assert_eq!(whole_number(json), number, "{json}");
        }
    }

    #[test]
    fn without_data_an_upload_is_announced() {
        let announced = |sha256| {
            let (file_name, format, size) = (FileName::parse("a.png").unwrap(), Format::Png, 100);
            Wanted::Announced(Announced { file_name, format, size, sha256 })
        };
        let start = r#"{"fileName":"a.png","contentType":"image/png","size":100"#;
        check(with_json(&format!("{start}}}")), &announced(None));
        for sha256 in [ABC_SHA256, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="] {
            let wanted = with_json(&format!(r#"{start},"sha256":"{sha256}"}}"#));
            check(wanted, &announced(Some(Sha256::of(b"abc"))));
        }
    }

    #[test]
    fn each_mistake_in_json_is_blamed_on_its_field() {
        let announce = |more: &str| format!(r#"{{"fileName":"a","contentType":"image/png",{more}}}"#);
        for (body, field, detail) in [
            ("", "body", "the body is empty"),
            (" ", "body", "the body is empty"),
            ("[\"a.png\"]", "body", "the body must be a JSON object"),
            ("null", "body", "the body must be a JSON object"),
            ("{", "body", "the body is no valid JSON: EOF"),
            ("{\"fileName\":\"a\",}", "body", "the body is no valid JSON"),
            ("{\"data\":\"\",\"data\":\"\"}", "body", "the body is no valid JSON: duplicate field `data`"),
            ("{\"fileName\":\"a\"}x", "body", "the body is no valid JSON: trailing"),
            ("{}", "fileName", "the file name is missing"),
            (r#"{"data":"YWJj"}"#, "fileName", "the file name is missing"),
            (r#"{"fileName":"","data":"YWJj"}"#, "fileName", "the file name is empty"),
            (r#"{"fileName":"\u0007/","data":"YWJj"}"#, "fileName", "the file name is empty"),
            (r#"{"fileName":7,"data":"YWJj"}"#, "fileName", "fileName must be a string"),
            (r#"{"fileName":"\ud800","data":"YWJj"}"#, "fileName", "fileName must be a string"),
            (r#"{"fileName":"a"}"#, "data", "send the image as base64"),
            (r#"{"fileName":"a","data":null}"#, "data", "send the image as base64"),
            (r#"{"fileName":"a","data":{}}"#, "data", "data must be a string"),
            (r#"{"fileName":"a","data":""}"#, "data", "the image is empty"),
            (r#"{"fileName":"a","data":"?"}"#, "data", "this is no base64"),
            (
                r#"{"fileName":"a","contentType":[],"data":"YWJj"}"#,
                "contentType",
                "contentType must be a string",
            ),
            (r#"{"fileName":"a","size":1}"#, "contentType", "an upload URL is made for one type"),
            (&announce(r#""size":0"#), "size", "size must be a whole number"),
            (&announce(r#""size":-1"#), "size", "size must be a whole number"),
            (&announce(r#""size":1.5"#), "size", "size must be a whole number"),
            (&announce(r#""size":0.0"#), "size", "size must be a whole number"),
            (&announce(r#""size":"1""#), "size", "size must be a whole number"),
            (&announce(r#""size":99999999999999999999"#), "size", "size must be a whole number"),
            (&announce(r#""size":1,"sha256":"abc""#), "sha256", "a SHA-256 is 64 hexadecimal digits"),
            (&announce(r#""size":1,"sha256":1"#), "sha256", "sha256 must be a string"),
        ] {
            check_refused(with_json(body), Problem::BadRequest, field, detail);
        }
    }

    #[test]
    fn types_that_are_no_image_of_ours_are_refused_by_name() {
        for media_type in ["image/svg+xml", "text/html", "image/*", "application/octet-stream", ""] {
            let body = json!({ "fileName": "a", "contentType": media_type, "size": 1 }).to_string();
            let start = format!("{media_type:?} is not taken. Taken are: image/jpeg");
            check_refused(with_json(&body), Problem::UnsupportedMediaType, "contentType", &start);
        }
        let data_url = with_json(r#"{"fileName":"a","data":"data:text/html;base64,YWJj"}"#);
        check_refused(data_url, Problem::UnsupportedMediaType, "contentType", "\"text/html\" is not taken");
    }
}
