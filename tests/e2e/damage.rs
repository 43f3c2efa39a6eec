//! What others do to a stack, or chance does, and how `provision` gets over it.

use serde_json::{Value, json};

use crate::cloud::{Stack, skipped, text};

#[test]
fn a_role_that_was_made_anew_under_its_name_is_set_again() {
    if skipped() {
        return;
    }
    let stack = Stack::alone("remade");
    stack.json(&["apply", "--yes", "--package", "zip"]);
    let role = "cloudpix-remade-upload-us-east-1";
    let ids = stack.emulator.witness(&["remake_role", role]);
    assert_ne!(ids["before"], ids["after"]);
    let (before, after) = (ids["before"].as_str().unwrap(), ids["after"].as_str().unwrap());

    let output = stack.provision(&["plan", "--package", "zip"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains(&format!("role-id: {before} → {after}")), "{}", text(&output));
    let mut apply = stack.provision(&["apply", "--yes", "--package", "zip", "--json"]);
    let output = apply.env("AWS_SDK_UA_APP_ID", "heal").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let applied: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kinds: Vec<&str> =
        applied["applied"].as_array().unwrap().iter().map(|it| it["resource"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Lambda function", "Lambda alias"], "{applied}");
    // To another role and back: to set the same again is nothing to Lambda.
    let calls = stack.emulator.witness(&["changes", "heal"]);
    let set =
        calls["mutating"].as_array().unwrap().iter().filter(|call| *call == "UpdateFunctionConfiguration");
    assert_eq!(set.count(), 2, "{calls}");
    let described = stack.emulator.witness(&["descriptions", "cloudpix-remade-upload"]);
    assert_eq!(
        described,
        json!([format!("CloudPix; of the role {after}"), format!("CloudPix; of the role {after}")])
    );
    assert_eq!(stack.json(&["plan", "--package", "zip"])["changes"], json!([]));
}

#[test]
fn of_two_stacks_of_one_name_none_is_guessed() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("two");
    let bucket = stack.outputs().bucket;
    let state = std::fs::read(stack.state_file()).unwrap();
    let twin = stack.emulator.witness(&["twin", &bucket]);
    std::fs::remove_file(stack.state_file()).unwrap();
    for arguments in
        [&["plan", "--package", "zip"][..], &["apply", "--yes", "--package", "zip"], &["destroy", "--yes"]]
    {
        let said = stack.refused(arguments);
        for part in
            [bucket.as_str(), twin.as_str().unwrap(), "several buckets carry the tag", "put the state file"]
        {
            assert!(said.contains(part), "{arguments:?}: {part:?} is not in {said}");
        }
    }
    assert!(!stack.state_file().exists());
    std::fs::write(stack.state_file(), state).unwrap();
    assert_eq!(stack.json(&["apply", "--yes", "--package", "zip"])["applied"], json!([]));
}

#[test]
fn a_bucket_is_emptied_of_versions_markers_and_unfinished_uploads() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("cluttered");
    let outputs = stack.outputs();
    let clutter = stack.emulator.witness(&["clutter", &outputs.bucket]);
    assert_eq!(clutter, json!({"truncated": true, "uploads": 3}));
    let said = stack.refused(&["destroy", "--yes"]);
    assert!(said.contains("--delete-images"), "{said}");
    let output = stack.provision(&["destroy", "--yes", "--delete-images"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("object versions deleted: 1000"), "{}", text(&output));
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-cluttered"]), json!([]));
}
