//! Secure by default: policies that experts find nothing in, roles that do their work and no more, a bucket
//! and an API that refuse, and secrets that stay where they are.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cloud::{self, Emulator, Stack, functions, root, skipped, text};
use crate::input::check;
use crate::pictures::send;

/// The answer of a program in Python beside this file.
pub fn python(emulator: &Emulator, program: &str, arguments: &[&str], input: &str) -> Value {
    let mut command = cloud::python();
    command.arg(root().join("tests/e2e").join(program)).args(arguments).envs(emulator.credentials());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn experts_find_nothing_in_any_policy_of_a_stack() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("judged");
    let outputs = stack.outputs();
    let judge = |arguments: &[&str], input: &str| python(stack.emulator, "policies.py", arguments, input);
    let judged = judge(&["cloudpix-judged", &outputs.bucket], "");
    // Of three functions each: role, trust, repository, alias. And the bucket and the queue.
    assert_eq!(judged["judged"].as_array().unwrap().len(), 14, "{judged:#}");
    assert_eq!(judged["found"], json!({}), "{judged:#}");

    // Both judges do find what is wrong.
    let careless = [
        ("inline", json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" })),
        ("trust", json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*" })),
        (
            "resource",
            json!({ "Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "arn:aws:s3:::b/*", "Principal": "*" }),
        ),
    ];
    for (kind, statement) in careless {
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
        let found = judge(&[kind], &policy.to_string()).to_string();
        assert!(found.contains("cloudsplaining: "), "{kind}: {found}");
        assert!(kind == "trust" || found.contains("parliament: "), "{kind}: {found}");
    }
}

#[test]
fn a_function_may_do_what_it_needs_and_nothing_else() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("rights");
    let outputs = stack.outputs();
    for function in functions() {
        let sibling = functions().into_iter().find(|other| *other != function).unwrap();
        try_rights(stack.emulator, &["cloudpix-rights", &outputs.bucket, function, sibling]);
    }
}

/// Stack, bucket, function, and another function.
pub fn try_rights(emulator: &Emulator, arguments: &[&str; 4]) {
    let function = arguments[2];
    let answers = python(emulator, "rights.py", arguments, "");
    assert_eq!(answers["untrusted"], "AccessDenied", "who is not Lambda got the role of {function}");
    for (action, answer) in answers["needed"].as_object().unwrap() {
        assert_eq!(answer, "done", "{function} needs {action}");
    }
    let needless = answers["needless"].as_object().unwrap();
    assert!(needless.len() > 30, "{needless:?}");
    for (action, answer) in needless {
        let answer = answer.as_str().unwrap();
        assert!(["AccessDenied", "AccessDeniedException"].contains(&answer), "{function} {action}: {answer}");
    }
}

#[test]
fn the_bucket_refuses_plain_http_and_to_be_public() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("closed");
    let bucket = stack.outputs().bucket;
    let exposed = stack.emulator.witness(&["expose", &bucket]);
    for (way, answer) in exposed.as_object().unwrap() {
        let refusals = ["AccessDenied", "AccessControlListNotSupported"];
        assert!(answer.as_str().is_some_and(|code| refusals.contains(&code)), "{way}: {answer}");
    }
    // The embedded AWS has no TLS, so its policy lets off what does not leave the machine, and only that.
    let seen = stack.emulator.witness(&["plain_http", &bucket]);
    assert_eq!(seen["here"], json!({ "list": null, "get": "NoSuchKey", "put": null }), "{seen:#}");
    assert_eq!(seen["exempt"], json!({ "aws:SourceIp": ["127.0.0.0/8", "::1/128"] }), "{seen:#}");
    let denied = "AccessDenied";
    assert_eq!(seen["onAws"], json!({ "list": denied, "get": denied, "put": denied }), "{seen:#}");
    let expected = json!([{
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    }]);
    assert_eq!(seen["policy"]["Statement"], expected);
}

#[test]
fn the_api_refuses_who_has_no_key_who_comes_too_often_and_who_used_up_a_quota() {
    if skipped() {
        return;
    }
    let stack = Stack::new("counted");
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("cloudpix.toml");
    std::fs::write(
        &settings,
        "[defaults]\nauth = \"api-key\"\npackage = \"zip\"\nthrottle = { rate = 1.0, burst = 2 }\n",
    )
    .unwrap();
    stack.json(&["apply", "--yes", "--config", settings.to_str().unwrap()]);
    let outputs = stack.outputs();
    for (method, path) in
        [("GET", "/list"), ("POST", "/upload"), ("DELETE", "/images/x"), ("GET", "/images/x")]
    {
        let url = format!("{}{path}", outputs.url);
        check("no key", &send(method, &url, &[], b""), 403, None);
        check("wrong key", &send(method, &url, &[("x-api-key", "no")], b""), 403, None);
    }
    let answers: Vec<_> = (0..6).map(|_| outputs.get("/list")).collect();
    let refused = answers.iter().find(|answer| answer.status != 200).expect("six at once were taken");
    check("too many at once", refused, 429, None);
    assert!(answers.iter().any(|answer| answer.status == 200));

    let stack = Stack::new("quota");
    std::fs::write(
        &settings,
        "[defaults]\nauth = \"api-key\"\npackage = \"zip\"\nquota = { requests = 2, period = \"day\" }\n",
    )
    .unwrap();
    stack.json(&["apply", "--yes", "--config", settings.to_str().unwrap()]);
    let outputs = stack.outputs();
    let statuses: Vec<_> = (0..2).map(|_| outputs.get("/list").status).collect();
    assert_eq!(statuses, [200, 200]);
    let refused = outputs.get("/list");
    check("quota", &refused, 429, None);
    assert!(refused.json()["detail"].as_str().unwrap().contains("quota"));
}

/// The command lines of all processes of this machine, as `ps` shows them to everybody.
fn command_lines() -> String {
    let mut all = String::new();
    for process in std::fs::read_dir("/proc").unwrap() {
        let line = std::fs::read(process.unwrap().path().join("cmdline")).unwrap_or_default();
        all.push_str(&String::from_utf8_lossy(&line).replace('\0', " "));
        all.push('\n');
    }
    all
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn secrets_are_told_to_nobody_who_did_not_ask() {
    if skipped() {
        return;
    }
    let stack = Stack::new("secrets");
    let session = stack.emulator.witness(&["session"]);
    let field = |name: &str| session[name].as_str().unwrap().to_owned();
    let (secret, token) = (field("secret"), field("token"));
    let mut said: Vec<(String, String)> = Vec::new();
    let mut run = |arguments: &[&str]| {
        let mut command = stack.provision(arguments);
        command.envs([("AWS_ACCESS_KEY_ID", field("id")), ("AWS_SECRET_ACCESS_KEY", secret.clone())]);
        command.env("AWS_SESSION_TOKEN", &token).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            said.push((format!("ps during {arguments:?}"), command_lines()));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        // 2: there is something to change.
        assert!(matches!(output.status.code(), Some(0 | 2)), "{arguments:?}: {}", text(&output));
        said.push((format!("{arguments:?}"), text(&output)));
    };
    for arguments in [&["plan"][..], &["plan", "--json"], &["apply", "--yes"], &["apply", "--json"]] {
        run(&[arguments, &["--package", "zip"]].concat());
    }
    let outputs = stack.outputs();
    let picture = std::fs::read(root().join("tests/images/coffee.jpg")).unwrap();
    let inline = outputs.post(&json!({ "fileName": "a.jpg", "data": STANDARD.encode(picture) })).json();
    let announced =
        outputs.post(&json!({ "fileName": "b.jpg", "contentType": "image/jpeg", "size": 9 })).json();
    outputs.get("/list");
    let signature = |url: &Value| {
        let url = url.as_str().unwrap_or_else(|| panic!("no URL: {inline} {announced}"));
        let (_, signature) = url.split_once("X-Amz-Signature=").unwrap();
        signature.split('&').next().unwrap().to_owned()
    };
    let signatures = [signature(&inline["downloadUrl"]), signature(&announced["uploadUrl"])];
    for arguments in [
        &["outputs"][..],
        &["outputs", "--json"],
        &["status"],
        &["status", "--json"],
        &["doctor"],
        &["versions", "--json"],
        &["logs", "upload", "--json"],
        &["logs", "list"],
        &["deploy", "--json", "--package", "zip"],
    ] {
        run(arguments);
    }
    let lines = stack.emulator.witness(&["log_lines", "cloudpix-secrets"]);
    assert!(lines.to_string().contains(inline["imageId"].as_str().unwrap()), "no logs: {lines}");
    said.push(("the functions' logs".to_owned(), lines.to_string()));
    for path in files(stack.state.path()) {
        said.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert!(
            mode == 0o600 || path.extension().is_some_and(|end| end == "lock"),
            "{}: {mode:o}",
            path.display()
        );
    }
    assert!(said.iter().any(|(at, it)| at.starts_with("ps during") && it.contains("provision plan")));
    let secrets = [("the secret key", &secret), ("the session token", &token), ("the API key", &outputs.key)];
    let secrets = secrets.into_iter().chain(signatures.iter().map(|it| ("a signed URL", it)));
    for (what, secret) in secrets {
        assert!(secret.len() >= 20, "{what} is no secret: {secret}");
        for (at, it) in &said {
            assert!(!it.contains(secret.as_str()), "{what} is in {at}");
        }
    }
}
