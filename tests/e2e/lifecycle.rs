//! A stack from nothing to nothing.

use serde_json::{Value, json};

use crate::cloud::{Stack, functions, resources, skipped, text};

#[test]
fn a_second_apply_makes_no_mutating_call_and_changes_no_byte_of_state() {
    if skipped() {
        return;
    }
    let stack = Stack::alone("twice");
    let apply = |application: &str| {
        let mut command = stack.provision(&["apply", "--yes", "--package", "zip", "--json"]);
        let output = command.env("AWS_SDK_UA_APP_ID", application).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = apply("first");
    assert_eq!(first["applied"].as_array().unwrap().len(), resources(), "{first}");
    assert!(!stack.emulator.witness(&["changes", "first"])["mutating"].as_array().unwrap().is_empty());

    let state = std::fs::read(stack.state_file()).unwrap();
    let second = apply("second");
    assert_eq!((&second["applied"], &second["unchanged"]), (&json!([]), &json!(resources())), "{second}");
    let calls = stack.emulator.witness(&["changes", "second"]);
    assert_eq!(calls["mutating"], json!([]), "{calls}");
    assert!(calls["all"].as_u64().unwrap() > 20, "the witness saw no calls: {calls}");
    assert_eq!(std::fs::read(stack.state_file()).unwrap(), state);
}

/// The state file is as an earlier version wrote it; only what is of this very stack is put in.
#[test]
fn a_stack_that_an_earlier_version_recorded_is_taken_up_with_nothing_to_change() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("recorded");
    let now: Value = serde_json::from_slice(&std::fs::read(stack.state_file()).unwrap()).unwrap();
    let mut recorded = include_str!("../../provision/src/stack/recorded/state.json").to_owned();
    let before: Value = serde_json::from_str(&recorded).unwrap();
    for field in ["stack", "env", "account", "region", "suffix", "apiId"] {
        recorded = recorded.replace(&before[field].to_string(), &now[field].to_string());
    }
    std::fs::write(stack.state_file(), &recorded).unwrap();
    assert_eq!(stack.json(&["plan", "--package", "zip"])["changes"], json!([]));
    assert_eq!(stack.json(&["apply", "--yes", "--package", "zip"])["applied"], json!([]));
    assert_eq!(std::fs::read_to_string(stack.state_file()).unwrap(), recorded);
}

#[test]
fn plan_tells_what_apply_does_and_changes_nothing() {
    if skipped() {
        return;
    }
    let stack = Stack::alone("planned");
    let plan = |expected: i32| {
        let mut command = stack.provision(&["plan", "--package", "zip", "--json"]);
        let output = command.env("AWS_SDK_UA_APP_ID", "planner").output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{}", text(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let planned = plan(2);
    assert_eq!(planned["changes"].as_array().unwrap().len(), resources(), "{planned}");
    assert!(!stack.state_file().exists(), "plan wrote a state file");
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-planned"]), json!([]));
    stack.json(&["apply", "--yes", "--package", "zip"]);
    assert_eq!(plan(0)["changes"], json!([]));
    assert_eq!(stack.emulator.witness(&["changes", "planner"])["mutating"], json!([]));
}

#[test]
fn the_stack_is_secure_by_default() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("secure");
    let outputs = stack.outputs();
    let seen =
        stack.emulator.witness(&["security", &outputs.bucket, &outputs.table, "cloudpix-secure-upload"]);
    let block = seen["publicAccess"].as_object().unwrap();
    assert!(block.len() == 4 && block.values().all(|on| on == true), "{block:?}");
    assert_eq!(seen["encryption"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    assert_eq!(seen["versioning"], "Enabled");
    let statement = &seen["policy"]["Statement"][0];
    assert_eq!(statement["Effect"], "Deny");
    assert_eq!(statement["Condition"]["Bool"]["aws:SecureTransport"], "false");
    assert!(seen["cors"][0]["AllowedMethods"].as_array().unwrap().contains(&json!("PUT")), "{seen}");
    assert_eq!(seen["lifecycle"][0]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 1);
    assert_eq!(seen["billing"], "PAY_PER_REQUEST");
    let key = |index: &str| {
        seen["indexes"][index].as_array().unwrap().iter().map(|key| key["AttributeName"].clone())
    };
    assert_eq!(key("UploadDateIndex").collect::<Vec<_>>(), ["UploadDate", "UploadOrder"]);
    assert_eq!(key("OwnerIndex").collect::<Vec<_>>(), ["Owner", "UploadOrder"]);
    assert_eq!(seen["deletionProtection"], true);
    assert_eq!(seen["ttl"]["AttributeName"], "ExpiresAt");
    assert_eq!(seen["recovery"], "ENABLED");
    assert_eq!(seen["retention"][0]["retentionInDays"], 30);
    let callers = seen["caller"].as_array().unwrap().iter();
    let callers: Vec<&str> =
        callers.map(|caller| caller["Condition"]["ArnLike"]["AWS:SourceArn"].as_str().unwrap()).collect();
    let methods: Vec<&str> = callers.iter().map(|arn| arn.split_once("/v1/").unwrap().1).collect();
    assert_eq!(methods, ["DELETE/images/*", "POST/upload"]);
}

#[test]
fn drift_is_shown_by_field_and_mended_and_what_others_set_stays() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("drift");
    let outputs = stack.outputs();
    let group = "/aws/lambda/cloudpix-drift-list";
    stack.emulator.witness(&["meddle", &outputs.bucket, &outputs.table, "cloudpix-drift-upload", group]);
    let output = stack.provision(&["plan", "--package", "zip"]).output().unwrap();
    let plan = text(&output);
    for line in [
        "block-public-access: false → true",
        "ttl: (none) → ExpiresAt",
        "memory: 1024 → 512",
        "retention: 1 → 30",
    ] {
        assert!(plan.contains(line), "{line:?} is not in\n{plan}");
    }
    let applied = stack.json(&["apply", "--yes", "--package", "zip"]);
    // The version that is live is as it was published: who changes the function does not reach it.
    assert_eq!(applied["applied"].as_array().unwrap().len(), 4, "{applied}");
    assert_eq!(stack.json(&["plan", "--package", "zip"])["changes"], json!([]));
    assert_eq!(stack.emulator.witness(&["tags", &outputs.bucket])["theirs"], "kept");
    assert_eq!(
        stack.emulator.witness(&["rules", &outputs.bucket]),
        json!([["cloudpix-expire-leftovers", "theirs"], ["cloudpix-0", "theirs"]])
    );
}

#[test]
fn a_lost_state_file_is_no_disaster() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("lost");
    let state = std::fs::read(stack.state_file()).unwrap();
    std::fs::remove_file(stack.state_file()).unwrap();
    let applied = stack.json(&["apply", "--yes", "--package", "zip"]);
    assert_eq!(applied["applied"], json!([]), "{applied}");
    assert_eq!(std::fs::read(stack.state_file()).unwrap(), state);
}

#[test]
fn a_resource_of_that_name_that_is_not_ours_is_not_touched() {
    if skipped() {
        return;
    }
    let stack = Stack::new("foreign");
    stack.emulator.witness(&["foreign", "cloudpix-foreign-metadata"]);
    let said = stack.refused(&["apply", "--yes", "--package", "zip"]);
    assert!(
        said.contains("DynamoDB table cloudpix-foreign-metadata exists but has no tag cloudpix:stack"),
        "{said}"
    );
    let left = stack.emulator.witness(&["resources", "cloudpix-foreign"]);
    assert_eq!(left, json!(["cloudpix-foreign-metadata"]), "something was made");
    // Handed over, it is brought to what it should be.
    let adopted = stack.json(&["adopt", "--yes"]);
    assert_eq!(adopted["applied"][0]["name"], "cloudpix-foreign-metadata", "{adopted}");
    stack.json(&["apply", "--yes", "--package", "zip"]);
    stack.json(&["destroy", "--yes"]);
}

#[test]
fn the_image_package_is_pushed_to_ecr_and_deployed_by_digest() {
    if skipped() {
        return;
    }
    let stack = Stack::new("image");
    let first = stack.json(&["apply", "--yes", "--package", "image"]);
    assert_eq!(first["applied"].as_array().unwrap().len(), resources() + functions().len(), "{first}");
    for name in functions() {
        let name = &format!("cloudpix-image-{name}");
        let function = stack.emulator.witness(&["function", name]);
        assert_eq!(function["configuration"]["PackageType"], "Image");
        assert_eq!(function["tags"]["cloudpix:stack"], "cloudpix-image");
        let uri = function["code"]["ImageUri"].as_str().unwrap();
        let (_, digest) = uri.split_once('@').unwrap_or_else(|| panic!("not by digest: {uri}"));
        let image = stack.emulator.witness(&["image", name, digest]);
        assert_eq!(image["tag"], json!(digest.replace("sha256:", "cloudpix-")));
        assert_eq!((&image["mutability"], &image["scanOnPush"]), (&json!("IMMUTABLE"), &json!(true)));
        let manifest: Value = serde_json::from_str(image["manifest"].as_str().unwrap()).unwrap();
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 1, "{manifest}");
    }
    assert_eq!(stack.json(&["apply", "--yes", "--package", "image"])["applied"], json!([]));
    let said = stack.refused(&["apply", "--package", "zip"]);
    assert!(
        said.contains("± Lambda function") && said.contains("--yes"),
        "replacing must be confirmed: {said}"
    );
    stack.json(&["destroy", "--yes"]);
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-image"]), json!([]));
}

#[test]
fn status_names_what_is_missing() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("status");
    let status = stack.json(&["status"]);
    assert!(status["resources"].as_array().unwrap().iter().all(|row| row["health"].is_string()), "{status}");
    let output = stack.provision(&["destroy", "--keep-images"]).output().unwrap();
    assert!(text(&output).contains("nothing of the stack cloudpix-status but its bucket and table is left"));
    let output = stack.provision(&["status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(
        said.matches("MISSING").count() == resources() - 2 && said.contains("ACTIVE, about 0 records"),
        "{said}"
    );
    // Unattended, a stack without images goes without a flag.
    stack.json(&["destroy"]);
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-status"]), json!([]));
}
