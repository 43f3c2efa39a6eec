//! Bad input: each gets an error that says what is wrong and what to do, and changes nothing.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::cloud::{Stack, provision, refusal, skipped};
use crate::pictures::{Answer, pictures, send};

#[test]
fn without_credentials_one_clear_error_points_to_make_local() {
    let state = tempfile::tempdir().unwrap();
    for command in ["plan", "apply", "destroy"] {
        let mut command = provision(&[command]);
        command.env("AWS_REGION", "eu-west-1").arg("--state-dir").arg(state.path());
        let said = refusal(command);
        assert!(
            said.starts_with("error: no AWS credentials were found") && said.contains("make local"),
            "{said}"
        );
    }
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn a_region_that_is_none_is_named() {
    let run = |region: &str| {
        let mut command = provision(&["plan"]);
        command.envs([
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", region),
        ]);
        refusal(command)
    };
    let said = run("Frankfurt");
    assert!(
        said.contains("\"Frankfurt\" is not the name of an AWS region") && said.contains("eu-west-1"),
        "{said}"
    );
    let mut command = provision(&["plan"]);
    command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
    assert!(refusal(command).contains("set AWS_REGION"));
}

#[test]
fn an_emulator_that_does_not_run_is_named() {
    let mut command = provision(&["plan"]);
    command.envs([
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ]);
    // Port 9 is "discard", which nobody serves.
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let began = Instant::now();
    let said = refusal(command);
    assert!(said.contains("http://127.0.0.1:9") && said.contains("make local"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(30), "nobody waits that long: {:?}", began.elapsed());
}

#[test]
fn a_protected_environment_is_not_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    std::fs::write(&path, "[env.prod]\nprotected = true\n").unwrap();
    let mut command = provision(&["destroy", "--yes", "--delete-images", "--env", "prod", "--config"]);
    command.arg(&path);
    let said = refusal(command);
    assert!(said.contains("the environment prod is protected"), "{said}");
}

#[test]
fn a_broken_settings_file_is_refused_by_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    let cases = [
        ("[defaults]\npackge = \"zip\"\n", "packge"),
        ("[defaults]\nthrottle.rate = \"fast\"\n", "fast"),
        ("[defaults]\nmax-pixels = [\n", "line 2"),
        ("[defaults.upload]\nmemory = 1\n", "upload.memory = 1"),
    ];
    for (text, part) in cases {
        std::fs::write(&path, text).unwrap();
        let mut command = provision(&["plan", "--config"]);
        command.arg(&path);
        let said = refusal(command);
        assert!(said.contains("my.toml") && said.contains(part), "{text}: {said}");
    }
    let said = refusal(provision(&["plan", "--config", "no-such.toml"]));
    assert!(said.contains("no-such.toml"), "{said}");
}

#[test]
fn a_broken_state_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("default.json");
    std::fs::write(&path, "{\"version\": 1,").unwrap();
    for command in ["plan", "apply", "destroy", "outputs", "status"] {
        let mut command = provision(&[command, "--state-dir"]);
        command.arg(folder.path()).env("AWS_REGION", "eu-west-1");
        let said = refusal(command);
        assert!(said.contains("default.json") && said.contains("put back a good copy"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"version\": 1,");
}

#[test]
fn a_folder_without_functions_says_how_to_build_them() {
    if skipped() {
        return;
    }
    let stack = Stack::new("unbuilt");
    let said = stack.refused(&["apply", "--yes", "--package", "zip", "--functions", "/nowhere"]);
    assert!(said.contains("/nowhere/upload") && said.contains("make build"), "{said}");
    assert!(!stack.state_file().exists());
}

#[test]
fn outputs_of_no_stack_say_so() {
    let state = tempfile::tempdir().unwrap();
    let mut command = provision(&["outputs", "--state-dir"]);
    command.arg(state.path());
    assert!(refusal(command).contains("provision apply"));
}

/// A refusal of the API: its status, RFC 9457's form, the field at fault, CORS for the browser.
#[track_caller]
pub fn check(what: &str, answer: &Answer, status: u16, field: Option<&str>) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{what}: {body}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
    assert_eq!(answer.header("access-control-allow-origin"), "*", "{what}");
    // Whoever answers: a function, or API Gateway by itself.
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    let problem = answer.json();
    assert_eq!(problem["status"], json!(status), "{what}: {body}");
    assert_eq!(problem["field"].as_str(), field, "{what}: {body}");
    assert!(
        problem["type"].is_string() && problem["title"].is_string() && problem["detail"].is_string(),
        "{what}: {body}"
    );
}

#[test]
fn every_bad_request_gets_a_clear_problem_and_stores_nothing() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("problems");
    let outputs = stack.outputs();
    let jpeg = STANDARD.encode(std::fs::read(&pictures()[0]).unwrap());
    let svg = STANDARD.encode("<svg xmlns='http://www.w3.org/2000/svg'/>");
    let large = STANDARD.encode(vec![0; contract::INLINE_LIMIT + 1]);
    let uploads = [
        ("invalid base64", json!({"fileName": "a.jpg", "data": "%%%"}), 400, Some("data")),
        ("no image", json!({"fileName": "a.jpg", "data": STANDARD.encode("hello, world")}), 415, None),
        (
            "SVG",
            json!({"fileName": "a.svg", "contentType": "image/svg+xml", "data": svg}),
            415,
            Some("contentType"),
        ),
        ("another type", json!({"fileName": "a.png", "contentType": "image/png", "data": jpeg}), 415, None),
        ("no file name", json!({"data": jpeg}), 400, Some("fileName")),
        ("empty file name", json!({"fileName": "", "data": jpeg}), 400, Some("fileName")),
        ("no JSON object", json!([1]), 400, Some("body")),
        (
            "neither data nor size",
            json!({"fileName": "a.jpg", "contentType": "image/jpeg"}),
            400,
            Some("data"),
        ),
        ("too large", json!({"fileName": "a.jpg", "data": large}), 413, None),
    ];
    for (what, body, status, field) in uploads {
        check(what, &outputs.post(&body), status, field);
    }
    // API Gateway hands over as text what it does not list as binary.
    let bytes = std::fs::read(&pictures()[0]).unwrap();
    for media_type in ["image/x-unknown", "text/plain"] {
        let headers = [("x-api-key", outputs.key.as_str()), ("content-type", media_type)];
        let answer = send("POST", &format!("{}/upload?fileName=a.jpg", outputs.url), &headers, &bytes);
        check(media_type, &answer, 415, (media_type != "text/plain").then_some("contentType"));
    }
    let headers = [("x-api-key", outputs.key.as_str()), ("content-type", "application/json")];
    for (what, body) in [("empty body", &b""[..]), ("broken JSON", b"{\"data\":")] {
        check(what, &send("POST", &format!("{}/upload", outputs.url), &headers, body), 400, Some("body"));
    }
    for (query, field) in [
        ("date=2026-02-30", "date"),
        ("date=yesterday", "date"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("cursor=bm9uZSBvZiBvdXJz", "cursor"),
        ("order=random", "order"),
    ] {
        check(query, &outputs.get(&format!("/list?{query}")), 400, Some(field));
    }
    check("no key", &send("GET", &format!("{}/list", outputs.url), &[], b""), 403, None);
    check(
        "wrong key",
        &send("GET", &format!("{}/list", outputs.url), &[("x-api-key", "no")], b""),
        403,
        None,
    );
    check("no such route", &outputs.get("/nothing"), 404, None);
    assert_eq!(outputs.get("/list").json()["count"], 0);
    assert_eq!(stack.emulator.witness(&["objects", &outputs.bucket]), json!([]));
}

#[test]
fn a_browser_of_any_origin_may_ask_first() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("preflight");
    let outputs = stack.outputs();
    let headers = [("origin", "https://example.com"), ("access-control-request-method", "POST")];
    let answer = send("OPTIONS", &format!("{}/upload", outputs.url), &headers, b"");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-allow-methods").contains("POST"), "{:?}", answer.headers);
    assert!(answer.header("access-control-allow-headers").contains("x-api-key"), "{:?}", answer.headers);
}
