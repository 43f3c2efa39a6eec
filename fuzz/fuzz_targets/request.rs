//! An event of API Gateway, whatever it holds, becomes a request; and a request is read as an upload
//! or refused. What is taken keeps to the limits.

#![no_main]

use api::gateway::event;
use api::request::{Body, RequestExt};
use api::route;
use api::routes::upload::parse::parse;
use api::routes::upload::wanted::Wanted;
use contract::INLINE_LIMIT;
use image::file_name::FileName;
use image::format::Format;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const MAX: u64 = 10_000_000;
const CONTENT_TYPES: [&str; 4] = ["application/json", "image/png", "application/octet-stream", "text/html"];

fuzz_target!(|bytes: &[u8]| {
    // The whole event is a stranger's.
    read(bytes.to_vec());
    // The event is API Gateway's, and the body a stranger's.
    let Some((choice, body)) = bytes.split_first() else { return };
    let content_type = CONTENT_TYPES[usize::from(choice % 4)];
    let told = |body: &str, is_base64: bool| {
        json!({
            "httpMethod": "POST",
            "resource": "/upload",
            "headers": { "Content-Type": content_type, "Content-Disposition": body },
            "body": body,
            "isBase64Encoded": is_base64,
        })
    };
    let text = String::from_utf8_lossy(body);
    let request = event::read(told(&text, false).to_string().into_bytes());
    assert_eq!(*request.body(), Body::Text(text.as_bytes().to_vec()), "unescaped, a body is what it was");
    assert_eq!(route::name(&request).as_deref(), Some("POST /upload"));
    read(told(&text, false).to_string().into_bytes());
    read(told(&text, true).to_string().into_bytes());
});

fn read(bytes: Vec<u8>) {
    let request = event::read(bytes);
    let _ = request.queries().count();
    let Ok(wanted) = parse(request, MAX) else { return };
    let _ = wanted.fingerprint();
    let file_name = match wanted {
        Wanted::Inline(inline) => {
            assert!((1..=INLINE_LIMIT).contains(&inline.bytes.len()));
            inline.file_name
        }
        Wanted::Announced(announced) => {
            assert!((1..=MAX).contains(&announced.size));
            announced.file_name
        }
    };
    check_name(&file_name);
}

/// A name that was taken is taken again as it is, and fits where it goes.
fn check_name(file_name: &FileName) {
    let name = file_name.as_str();
    assert!((1..=255).contains(&name.len()) && !name.contains(['/', '\\']));
    assert_eq!(FileName::parse(name).unwrap().as_str(), name);
    assert!(file_name.percent_encoded().is_ascii());
    for format in Format::ALL {
        let header = file_name.content_disposition(format);
        assert!(header.is_ascii() && !header.contains(|c: char| c.is_control()));
    }
}
