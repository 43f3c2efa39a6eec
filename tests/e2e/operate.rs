//! What helps to run a stack: doctor, logs, cost, completions.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cloud::{Stack, provision, root, skipped, stdout, text};

/// The credentials of a user who may do what the policy says.
fn user(stack: &Stack, policy: &Value) -> [(&'static str, String); 2] {
    let name = format!("user-{}-{}", stack.env, policy.to_string().len());
    let key = stack.emulator.witness(&["user", &name, &policy.to_string()]);
    let field = |name: &str| key[name].as_str().unwrap().to_owned();
    [("AWS_ACCESS_KEY_ID", field("id")), ("AWS_SECRET_ACCESS_KEY", field("secret"))]
}

fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    output
}

#[test]
fn the_policy_of_doctor_is_all_that_a_stack_needs_from_apply_to_destroy() {
    if skipped() {
        return;
    }
    let stack = Stack::new("granted");
    let policy = stack.provision(&["doctor", "--policy"]);
    let mut policy: Value = serde_json::from_slice(&run(policy).stdout).unwrap();
    // The emulator does not see which repository or function these are about.
    let blurred = [
        "dynamodb:ListTagsOfResource",
        "ecr:DescribeRepositories",
        "ecr:ListTagsForResource",
        "lambda:CreateFunction",
    ];
    let blurred = json!({ "Effect": "Allow", "Action": blurred, "Resource": "*" });
    policy["Statement"].as_array_mut().unwrap().push(blurred);
    let user = user(&stack, &policy);
    let as_user = |arguments: &[&str]| {
        let mut command = stack.provision(arguments);
        command.envs(user.clone());
        run(command)
    };
    let findings: Value = serde_json::from_slice(&as_user(&["doctor", "--json"]).stdout).unwrap();
    let permissions = findings["findings"].as_array().unwrap().iter().find(|it| it["what"] == "permissions");
    assert_eq!(permissions.map(|it| &it["severity"]), Some(&json!("ok")), "{findings:#}");
    for package in ["zip", "image"] {
        as_user(&["apply", "--yes", "--package", package]);
        as_user(&["plan", "--package", package]);
    }
    as_user(&["apply", "--yes", "--package", "zip"]);
    as_user(&["status"]);
    as_user(&["outputs", "--api-key"]);
    as_user(&["versions"]);
    as_user(&["deploy", "--package", "zip"]);
    as_user(&["logs", "upload"]);
    as_user(&["reindex"]);
    as_user(&["redrive"]);
    as_user(&["backfill"]);
    as_user(&["destroy", "--yes", "--delete-images"]);
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-granted"]), json!([]));
}

#[test]
fn a_missing_permission_is_told_before_anything_is_made() {
    if skipped() {
        return;
    }
    let stack = Stack::new("ungranted");
    let policy = stack.provision(&["doctor", "--policy"]);
    let mut policy: Value = serde_json::from_slice(&run(policy).stdout).unwrap();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = statement["Action"].as_array_mut().unwrap();
        actions.retain(|action| action != "lambda:CreateFunction" && action != "dynamodb:UpdateTable");
    }
    let user = user(&stack, &policy);
    let as_user = |arguments: &[&str]| {
        let mut command = stack.provision(arguments);
        command.envs(user.clone());
        command.output().unwrap()
    };
    let checked = as_user(&["doctor"]);
    assert_eq!(checked.status.code(), Some(1), "{}", text(&checked));
    for part in
        ["ERROR", "dynamodb:UpdateTable, lambda:CreateFunction", "provision doctor --policy --env ungranted"]
    {
        assert!(stdout(&checked).contains(part), "{part}: {}", text(&checked));
    }
    let applied = as_user(&["apply", "--yes", "--package", "zip"]);
    assert_eq!(applied.status.code(), Some(1));
    assert!(text(&applied).contains("nothing was changed"), "{}", text(&applied));
    assert!(!stack.state_file().exists());
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-ungranted"]), json!([]));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut command = provision(&["doctor", "--config", "none.toml", "--json"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wrong = findings["findings"].as_array().unwrap().iter().filter(|it| it["severity"] == "error");
    let wrong: Vec<_> = wrong.map(|it| it["what"].as_str().unwrap()).collect();
    assert_eq!((wrong, &findings["well"]), (vec!["settings", "credentials"], &json!(false)), "{findings:#}");
}

#[test]
fn a_request_shows_up_in_the_logs() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("logged");
    let picture = std::fs::read(root().join("tests/images/coffee.jpg")).unwrap();
    let image =
        stack.outputs().post(&json!({ "fileName": "a.jpg", "data": STANDARD.encode(picture) })).json();
    let id = image["imageId"].as_str().unwrap_or_else(|| panic!("{image}"));
    // CloudWatch takes its time, on AWS too.
    let deadline = Instant::now() + Duration::from_secs(20);
    let shown = loop {
        let shown = stdout(&run(stack.provision(&["logs", "upload"])));
        if shown.contains(id) || Instant::now() > deadline {
            break shown;
        }
        std::thread::sleep(Duration::from_millis(250));
    };
    let row = shown.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{shown}"));
    assert!(row.contains("INFO   201") && row.contains("POST /upload"), "{row}");
    let lines = stdout(&run(stack.provision(&["logs", "upload", "--since", "1h", "--json"])));
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["line"]["imageId"] == id), "{lines:?}");
}

#[test]
fn a_month_is_estimated_without_aws() {
    let estimate = run(provision(&["cost", "--uploads", "10_000", "--json"]));
    let estimate: Value = serde_json::from_slice(&estimate.stdout).unwrap();
    let items = estimate["items"].as_array().unwrap();
    let sum: f64 = items.iter().map(|item| item["cost"].as_f64().unwrap()).sum();
    assert!(sum > 1.0 && (estimate["total"].as_f64().unwrap() - sum).abs() < 1e-9, "{estimate:#}");
    assert!(items.iter().all(|item| item["source"].as_str().unwrap().starts_with("https://aws.amazon.com/")));
    for arguments in [&["cost"][..], &["cost", "--worst-case"]] {
        let text = stdout(&run(provision(arguments)));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.contains("Downloads are counted by nothing"), arguments.len() == 2, "{text}");
    }
}

#[test]
fn completions_and_the_manual_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh", "man"] {
        let made = stdout(&run(provision(&["completions", shell])));
        for command in ["apply", "doctor", "rollback"] {
            assert!(made.contains(command), "{shell} lacks {command}");
        }
    }
}
