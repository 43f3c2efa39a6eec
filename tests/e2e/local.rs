//! The embedded AWS itself: what `make local` stands on.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cloud::{Emulator, Stack, emulator, root, skipped, stdout, text};
use crate::pictures::{pictures, send};

#[test]
fn killed_and_started_again_it_has_its_images() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let emulator: &'static Emulator = Box::leak(Box::new(Emulator::start(folder.path(), 0)));
    let mut stack = Stack { emulator, env: "killed", state: tempfile::tempdir().unwrap() };
    stack.json(&["apply", "--yes", "--package", "zip"]);
    let bytes = std::fs::read(&pictures()[0]).unwrap();
    let image = stack.outputs().post(&json!({"fileName": "a.jpg", "data": STANDARD.encode(&bytes)})).json();
    assert_eq!(image["status"], "ready", "{image}");
    // What is pushed lies in files of its own.
    let mut pushed = Stack { emulator, env: "layered", state: tempfile::tempdir().unwrap() };
    pushed.json(&["apply", "--yes", "--package", "image"]);
    let layers = |of: &Stack| of.emulator.witness(&["layers", "cloudpix-layered-list"]);
    let before = layers(&pushed);
    let sizes = before.as_object().unwrap().values();
    assert!(sizes.clone().count() == 2 && sizes.clone().all(|size| size.as_u64() > Some(100)), "{before}");
    let on_disk = || std::fs::read_dir(folder.path().join("state/layers")).unwrap().count();
    assert_eq!(on_disk(), 6, "a layer and a configuration for each function");

    let server: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("server.json")).unwrap()).unwrap();
    let killed = Command::new("kill").args(["-9", &server["pid"].to_string()]).status().unwrap();
    assert!(killed.success());
    let port = u16::try_from(server["port"].as_u64().unwrap()).unwrap();
    stack.emulator = Box::leak(Box::new(Emulator::start(folder.path(), port)));
    pushed.emulator = stack.emulator;
    assert_eq!(layers(&pushed), before);
    pushed.json(&["destroy", "--yes"]);
    // What the state before the last one named stays until the next change.
    assert!(on_disk() <= 2, "layers that no repository has are left");

    assert_eq!(
        stack.json(&["apply", "--yes", "--package", "zip"])["applied"],
        json!([]),
        "the stack changed"
    );
    let listed = stack.outputs().get("/list").json();
    assert_eq!(listed["images"][0]["imageId"], image["imageId"], "{listed}");
    let download = send("GET", listed["images"][0]["downloadUrl"].as_str().unwrap(), &[], b"");
    assert_eq!(download.body, bytes);
    stack.emulator.stop();
}

#[test]
fn a_port_in_use_is_refused_with_the_way_to_another() {
    if skipped() {
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output =
        emulator(["start", "--port", &port, "--dir", folder.path().to_str().unwrap()]).output().unwrap();
    let said = text(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(&format!("port {port}")) && said.contains("PORT="), "{said}");
}

#[test]
fn missing_python_or_rust_is_said_in_one_line() {
    for (target, tool) in [("local", "python3 is missing"), ("build", "Rust (cargo) is missing")] {
        let arguments = ["--silent", target, "PATH=/nonexistent", "PYTHON=python3"];
        let make = Command::new("make").args(arguments).current_dir(root()).output().unwrap();
        let said = text(&make);
        assert!(!make.status.success() && said.contains(tool) && said.contains("install"), "{said}");
    }
}

/// Requests as a web page of somebody else's sends them, and as a program without this machine's key does.
#[test]
fn no_web_page_and_nobody_without_its_key_gets_at_the_embedded_aws() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("guarded");
    let (emulator, outputs) = (stack.emulator, stack.outputs());
    let refused = |what: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let answer = send(method, &format!("{}{path}", emulator.endpoint), headers, body.as_bytes());
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 403, "{what}: {said}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{what}: {:?}", answer.headers);
        said
    };

    // What `fetch` with `no-cors`, or a form, sends without asking first.
    let page = [("origin", "https://evil.example"), ("content-type", "text/plain")];
    let date = Command::new("date").args(["-u", "+%Y%m%d"]).output().unwrap();
    let date = stdout(&date).trim().to_owned();
    let invoke = "/2015-03-31/functions/cloudpix-guarded-list/invocations";
    for key in ["test", "000000000000", "cloudpix-local", ""] {
        let signed = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}%2F{date}%2Fus-east-1%2Flambda%2Faws4_request\
             &X-Amz-Date={date}T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
        );
        refused(key, "POST", &format!("{invoke}?{signed}"), &page, "{}");
        let signed = signed.replace("lambda", "s3");
        for path in ["/", &format!("/{}/uploads/x", outputs.bucket), "/v20180820/accesspoint/x", invoke] {
            refused(key, "POST", &format!("{path}?{signed}"), &page, "x");
        }
    }
    let users = "Action=CreateUser&UserName=evil&Version=2010-05-08";
    for (method, path) in [
        ("POST", "/"),
        ("POST", invoke),
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("GET", "/_ministack/health"),
        ("GET", "/_ministack/lambda-code/cloudpix-guarded-list"),
        ("POST", &format!("/{}", outputs.bucket)),
        ("GET", &format!("/{}/uploads/x", outputs.bucket)),
        ("PUT", "/v2/cloudpix-guarded-list/manifests/x"),
        ("OPTIONS", "/"),
        ("OPTIONS", invoke),
    ] {
        refused(path, method, path, &page, users);
        // Without an origin it is an image or a link of the page, or another user of this machine.
        if path != "/_ministack/health" {
            refused(path, method, path, &[], users);
        }
    }
    // The page's own name, which leads to 127.0.0.1 by now.
    let port = emulator.endpoint.rsplit(':').next().unwrap();
    let rebound = format!("evil.example:{port}");
    for path in ["/_ministack/health", "/", outputs.url.trim_start_matches(&emulator.endpoint)] {
        let said = refused(path, "POST", path, &[("host", &rebound)], users);
        assert!(said.contains("ForeignHost"), "{said}");
    }
    refused("API by its name", "POST", "/_ministack/reset", &[("host", "x.execute-api.localhost")], "");

    // A program signs, with what everybody knows, or with the right name and the wrong secret.
    for (key, secret) in [("test", "test"), ("000000000000", "test"), ("cloudpix-local", "test")] {
        let mut boto3 = emulator.witness_command();
        boto3.envs([("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)]);
        let output = boto3.args(["log_lines", "cloudpix-guarded"]).output().unwrap();
        let said = text(&output);
        let named = ["SignatureDoesNotMatch", "InvalidSignature", "security token", "InvalidClientTokenId"];
        assert!(!output.status.success() && named.iter().any(|code| said.contains(code)), "{key}: {said}");
    }
    assert!(emulator.witness(&["log_lines", "cloudpix-guarded"]).is_array());

    // And its data are nobody else's to read.
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&emulator.folder), 0o700);
    assert_eq!(mode(&emulator.folder.join("credentials")), 0o600);
    assert_eq!(mode(&emulator.folder.join("ministack.log")), 0o600);
}

/// What is for browsers works in them: the API, and sending to the bucket by a URL that was signed.
#[test]
fn a_web_page_may_use_the_api_and_signed_urls() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("page");
    let outputs = stack.outputs();
    let origin = ("origin", "https://gallery.example");
    let list = send("GET", &format!("{}/list", outputs.url), &[origin, ("x-api-key", &outputs.key)], b"");
    assert_eq!((list.status, list.header("access-control-allow-origin")), (200, "*"));
    let asking = [origin, ("access-control-request-method", "PUT")];
    let preflight = send("OPTIONS", &format!("{}/list", outputs.url), &asking, b"");
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"));

    let picture = std::fs::read(&pictures()[0]).unwrap();
    let asked = json!({ "fileName": "a.jpg", "contentType": "image/jpeg", "size": picture.len() });
    let upload = outputs.post(&asked).json();
    let url = upload["uploadUrl"].as_str().unwrap();
    let preflight = send("OPTIONS", url, &asking, b"");
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (200, "*"));
    let headers = upload["headers"].as_object().unwrap().iter();
    let headers = headers.filter(|(name, _)| *name != "content-length");
    let mut headers: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    headers.push(origin);
    let forged = url.replace("X-Amz-Signature=", "X-Amz-Signature=0");
    assert_eq!(send("PUT", &forged, &headers, &picture).status, 403);
    let put = send("PUT", url, &headers, &picture);
    assert_eq!((put.status, put.header("access-control-allow-origin")), (200, "*"));
}
