//! What a new object starts: the queue, the permission and the notification around the function `process`,
//! and what is done about what failed at it or was never begun.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{Stack, binaries, functions, root, skipped, stdout, text};
use crate::pictures::{announced_and_sent, finished};

const FIELDS: &[(&str, &str)] = &[
    ("SQS queue", "tags.cloudpix:env"),
    ("SQS queue", "retention"),
    ("SQS queue", "visibility"),
    ("SQS queue", "encryption"),
    ("SQS queue", "policy"),
    ("S3 notification", "events"),
    ("S3 notification", "filters.prefix"),
    ("Lambda permission", "callers.CloudpixObjects"),
    ("Lambda function", "dead-letters"),
];

#[test]
fn what_an_object_starts_is_mended_and_what_is_others_stays() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("started");
    let bucket = stack.outputs().bucket;
    let see = || stack.emulator.witness(&["notifications", &bucket]);
    let ours = see();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:cloudpix-started-process:live";
    let only = &ours["LambdaFunctionConfigurations"][0];
    assert_eq!((&only["Id"], &only["LambdaFunctionArn"]), (&json!("cloudpix-process"), &json!(function)));
    let theirs = stack.emulator.witness(&["foreign_notifications", &bucket, "started"]);
    assert_eq!(stack.json(&["plan", "--package", "zip"])["changes"], json!([]), "others' are no change");

    let tags = stack.emulator.witness(&["drift_events", "cloudpix-started", &bucket]);
    let output = stack.provision(&["plan", "--package", "zip", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let changes = plan["changes"].as_array().unwrap();
    for (resource, name) in FIELDS {
        let seen = changes.iter().filter(|change| change["resource"] == *resource).any(|change| {
            let mut fields = change["fields"].as_array().unwrap().iter();
            fields.any(|field| field["field"].as_str().unwrap().starts_with(name))
        });
        assert!(seen, "{resource} {name} is not in {plan:#}");
    }
    stack.json(&["apply", "--yes", "--package", "zip"]);
    assert_eq!(stack.json(&["plan", "--package", "zip"])["changes"], json!([]));
    assert_eq!(by_id(&see()), by_id(&theirs), "ours as it was, and others' too");
    let mended = stack.emulator.witness(&["queue_tags", "cloudpix-started"]);
    assert_eq!((&mended["theirs"], &mended["cloudpix:env"]), (&tags["theirs"], &json!("started")));

    let output = stack.provision(&["destroy", "--yes", "--keep-images"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let left = see();
    assert_eq!(left["LambdaFunctionConfigurations"].as_array().map(Vec::len), Some(1), "{left:#}");
    assert_eq!(left["LambdaFunctionConfigurations"][0]["Id"], "theirs");
    assert_eq!(left["QueueConfigurations"], theirs["QueueConfigurations"]);
    assert_eq!(left["EventBridgeConfiguration"], json!({}));
}

/// S3 keeps no order.
fn by_id(notifications: &Value) -> Vec<String> {
    let lists = ["LambdaFunctionConfigurations", "QueueConfigurations"];
    let all = lists.iter().flat_map(|list| notifications[list].as_array().into_iter().flatten());
    let mut all: Vec<String> = all.map(|one| one.to_string().to_lowercase()).collect();
    all.sort();
    all
}

fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    output
}

/// A folder of functions in which `process` answers and does not do its work: it is the list function.
fn functions_that_fail() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in functions() {
        let from = if name == "process" { "list" } else { name };
        std::fs::copy(binaries().join(from), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn what_failed_is_sent_again_once_and_status_counts_it() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("redriven");
    let waiting = || stack.emulator.witness(&["waiting", "cloudpix-redriven"]);
    assert_eq!(stack.json(&["redrive"]), json!({"sent": 0, "refused": 0, "later": 0}));
    // More than SQS gives at once.
    let bodies: Vec<String> = (0..23).map(|n| json!({"Records": [], "number": n}).to_string()).collect();
    let put: Vec<&str> =
        ["dead_letters", "cloudpix-redriven"].into_iter().chain(bodies.iter().map(String::as_str)).collect();
    stack.emulator.witness(&put);
    assert_eq!(waiting(), json!(23));
    let status = stack.provision(&["status"]).output().unwrap();
    assert_eq!(status.status.code(), Some(1), "a queue with something in it is not well");
    assert!(
        stdout(&status).contains("23 events that failed; send them again: provision redrive"),
        "{}",
        text(&status)
    );

    let output = run(stack.provision(&["redrive"]));
    assert!(
        stdout(&output).contains("cloudpix-redriven-process-dead-letters: 23 events sent again\n"),
        "{}",
        text(&output)
    );
    assert_eq!(waiting(), json!(0));
    assert!(stdout(&run(stack.provision(&["status"]))).contains("process-dead-letters  empty"));
}

#[test]
fn what_fails_again_comes_back_and_is_done_once_it_can_be() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("hopeless");
    let folder = tempfile::tempdir().unwrap();
    // It ends without a word, as a function does that cannot start.
    std::fs::copy(binaries().join("provision"), folder.path().join("process")).unwrap();
    let folder = folder.path().to_str().unwrap();
    stack.json(&["deploy", "process", "--package", "zip", "--no-smoke-test", "--functions", folder]);
    let dead = |count: u32| {
        let deadline = Instant::now() + Duration::from_mins(1);
        while stack.emulator.witness(&["waiting", "cloudpix-hopeless"]) != json!(count) {
            assert!(Instant::now() < deadline, "what failed three times is not in the queue");
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    let outputs = stack.outputs();
    let image = std::fs::read(root().join("tests/images/coffee.jpg")).unwrap();
    let id = announced_and_sent(&outputs, "image/jpeg", &image);
    dead(1);
    assert_eq!(outputs.get(&format!("/images/{id}")).json()["status"], "pending");
    assert_eq!(stack.json(&["redrive"]), json!({"sent": 1, "refused": 0, "later": 0}));
    dead(1);

    stack.json(&["deploy", "process", "--package", "zip"]);
    assert_eq!(stack.json(&["redrive"]), json!({"sent": 1, "refused": 0, "later": 0}));
    let done = finished(&outputs, &id);
    assert_eq!((&done["status"], &done["size"]), (&json!("ready"), &json!(image.len())), "{done}");
    dead(0);
}

#[test]
fn every_object_that_is_not_done_is_asked_about() {
    if skipped() {
        return;
    }
    let stack = Stack::new("backfilled");
    let functions = functions_that_fail();
    let folder = functions.path().to_str().unwrap();
    stack.json(&["apply", "--yes", "--package", "zip", "--functions", folder]);
    let outputs = stack.outputs();
    assert_eq!(stack.json(&["backfill"])["objects"], 0);
    let id = |number: u32| format!("01a2069e-dd76-72f0-8fe1-{number:012}");
    let record = |number: u32, more: &[&str]| {
        let id = id(number);
        let about = [&["put_record", outputs.table.as_str(), id.as_str()], more].concat();
        stack.emulator.witness(&about);
    };
    for number in 0..5 {
        let key = format!("uploads/{}.jpg", id(number));
        stack.emulator.witness(&["write", &outputs.bucket, &key, "no image"]);
    }
    // 0 has no record, 1 was announced, 2 is ready and bare, 4 should not be there: they are asked about.
    record(1, &["pending"]);
    record(2, &["ready"]);
    record(3, &["ready", "Thumbnails"]);
    record(4, &["rejected"]);
    let output = stack.provision(&["backfill", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&outcome["objects"], &outcome["skipped"]), (&json!(5), &json!(1)), "{outcome:#}");
    let failed: Vec<&String> = outcome["failed"].as_object().unwrap().keys().collect();
    assert_eq!(
        failed,
        [0, 1, 2, 4].map(|number| format!("uploads/{}.jpg", id(number))).iter().collect::<Vec<_>>()
    );
    assert_eq!(outcome["processed"], json!({}));

    // The one that is built does its work; what it says of an object that is no image is its own business.
    stack.json(&["deploy", "process", "--package", "zip"]);
    let output = stack.provision(&["backfill"]).output().unwrap();
    assert!(stdout(&output).starts_with("5 objects, "), "{}", text(&output));
}
