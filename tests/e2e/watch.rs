//! What watches over a stack: access logs, traces, quota, alarms, dashboard, and what `status` makes of it.

use serde_json::{Value, json};

use crate::cloud::{Stack, skipped, text};
use crate::pictures::send;

const SETTINGS: &str = "
[defaults]
auth = \"api-key\"
package = \"zip\"
dashboard = true
tracing = true
quota = { requests = 1000, period = \"day\" }
alarms = { enabled = true, topic = \"arn:aws:sns:us-east-1:000000000000:ops\", latency-ms = 1500 }
";
/// The same quota: the emulator cannot change one.
const QUIET: &str = "
[defaults]
auth = \"api-key\"
package = \"zip\"
access-logs = false
quota = { requests = 1000, period = \"day\" }
";

fn configured(stack: &Stack, settings: &str) -> String {
    let path = stack.state.path().join("cloudpix.toml");
    std::fs::write(&path, settings).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The fields that a plan would change, by resource.
fn changes(stack: &Stack, config: &str) -> Vec<(String, String)> {
    let output = stack.provision(&["plan", "--json", "--config", config]).output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let name = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found = Vec::new();
    for change in plan["changes"].as_array().unwrap() {
        let resource = name(&change["resource"]);
        let fields = change["fields"].as_array().into_iter().flatten().map(|field| name(&field["field"]));
        found.extend(fields.map(|field| (resource.clone(), field)));
    }
    found
}

#[test]
fn whatever_watches_is_made_mended_and_taken_away_again() {
    if skipped() {
        return;
    }
    let stack = Stack::alone("watched");
    let config = configured(&stack, SETTINGS);
    let apply = ["apply", "--yes", "--config", &config];

    // Without the account's leave there are no access logs, and `doctor` says why.
    stack.json(&apply);
    let findings = stack.json(&["doctor", "--config", &config]);
    let logs = findings["findings"].as_array().unwrap().iter().find(|it| it["what"] == "access logs");
    assert_eq!(logs.map(|it| &it["severity"]), Some(&json!("warning")), "{findings:#}");
    let watch = || stack.emulator.witness(&["watch", "cloudpix-watched"]);
    let found = watch();
    assert_eq!(found["accessLog"], json!({}), "{found:#}");
    assert_eq!(found["quota"], json!({"limit": 1000, "period": "DAY"}), "{found:#}");
    assert_eq!(found["tracing"], json!({"stage": true, "upload": "Active", "list": "Active"}), "{found:#}");
    let alarms = found["alarms"].as_object().unwrap();
    assert_eq!(alarms.len(), 10, "{found:#}");
    let slow = &alarms["cloudpix-watched-list-slow"];
    assert_eq!((&slow["ExtendedStatistic"], &slow["Threshold"]), (&json!("p99"), &json!(1500.0)), "{slow:#}");
    assert_eq!(slow["AlarmActions"], json!(["arn:aws:sns:us-east-1:000000000000:ops"]));
    assert_eq!(slow["tags"]["cloudpix:stack"], "cloudpix-watched", "{slow:#}");
    assert!(found["dashboard"].as_array().unwrap().len() > 5, "{found:#}");

    // With it, the next run has them.
    stack.emulator.witness(&["let_log"]);
    assert_eq!(changes(&stack, &config), [("API stage".to_owned(), "access-log".to_owned())]);
    stack.json(&apply);
    let log = &watch()["accessLog"];
    assert_eq!(
        log["destinationArn"],
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/apigateway/cloudpix-watched"
    );
    // AWS takes only a format that has the request's id: here, as JSON.
    let line: Value = serde_json::from_str(log["format"].as_str().unwrap()).unwrap();
    assert_eq!(line["requestId"], "$context.requestId");
    assert_eq!(changes(&stack, &config), []);

    stack.emulator.witness(&["blind", "cloudpix-watched"]);
    let seen = changes(&stack, &config);
    for (resource, field) in [
        ("API stage", "tracing"),
        ("API stage", "access-log.format"),
        ("Lambda function", "tracing"),
        ("alarms", "cloudpix-watched-upload-errors.at-least"),
        ("alarms", "cloudpix-watched-list-slow"),
        ("dashboard", "body.widgets"),
    ] {
        let found = seen.iter().any(|(kind, name)| kind == resource && name.starts_with(field));
        assert!(found, "{resource} {field} is not in {seen:#?}");
    }
    stack.json(&apply);
    assert_eq!(changes(&stack, &config), []);

    // What takes images in, and an hour of it.
    let config =
        configured(&stack, &SETTINGS.replace("latency-ms = 1500", "latency-ms = 1500, uploaded-gb = 5"));
    stack.json(&["apply", "--yes", "--config", &config]);
    let alarms = &watch()["alarms"];
    assert_eq!(alarms.as_object().unwrap().len(), 12, "{alarms:#}");
    assert_eq!(alarms["cloudpix-watched-process-bytes"]["Threshold"], json!(5e9), "{alarms:#}");
    assert_eq!(changes(&stack, &config), []);

    let config = configured(&stack, QUIET);
    stack.json(&["apply", "--yes", "--config", &config]);
    let found = watch();
    assert_eq!(found["tracing"], json!({"stage": false, "upload": "PassThrough", "list": "PassThrough"}));
    assert_eq!((&found["alarms"], &found["dashboard"]), (&json!({}), &json!([])), "{found:#}");
    assert_eq!(found["accessLog"], json!({}), "{found:#}");
    let config = configured(&stack, SETTINGS);
    stack.json(&["apply", "--yes", "--config", &config]);
    stack.json(&["destroy", "--yes"]);
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-watched"]), json!([]));
}

#[test]
fn a_dashboard_or_an_alarm_that_others_made_is_not_touched_until_it_is_adopted() {
    if skipped() {
        return;
    }
    let stack = Stack::alone("others");
    stack.emulator.witness(&["others_watch", "cloudpix-others"]);
    let config = configured(&stack, SETTINGS);
    let said = stack.refused(&["apply", "--yes", "--config", &config]);
    assert!(said.contains("dashboard cloudpix-others exists but has no tag"), "{said}");
    assert!(said.contains("alarms cloudpix-others-* exists but has no tag"), "{said}");
    stack.json(&["adopt", "--yes", "--config", &config]);
    stack.json(&["apply", "--yes", "--config", &config]);
    assert_eq!(changes(&stack, &config), []);
}

#[test]
fn status_says_how_each_resource_is_and_what_the_last_hour_was_like() {
    if skipped() {
        return;
    }
    let stack = Stack::alone("health");
    let config = configured(&stack, &SETTINGS.replace("requests = 1000", "requests = 3"));
    stack.json(&["apply", "--yes", "--config", &config]);
    let outputs = stack.outputs();
    let answers: Vec<u16> = (0..4)
        .map(|_| send("GET", &format!("{}/list", outputs.url), &[("x-api-key", &outputs.key)], b"").status)
        .collect();
    assert_eq!(answers, [200, 200, 200, 429], "the quota is 3");

    for _ in 0..3 {
        assert_eq!(stack.emulator.witness(&["invoke", "cloudpix-health-list"]), 200);
    }
    let status = stack.json(&["status", "--config", &config]);
    let health = |kind: &str| {
        let row = status["resources"].as_array().unwrap().iter().find(|row| row["resource"] == kind);
        row.map(|row| row["health"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert!(health("DynamoDB table").starts_with("ACTIVE, about "), "{status:#}");
    assert!(health("Lambda function").starts_with("Active, code "), "{status:#}");
    assert!(health("REST API").starts_with("answers 403 in "), "{status:#}");
    assert_eq!((health("alarms"), &status["well"]), ("all 10 quiet".to_owned(), &json!(true)), "{status:#}");
    assert_eq!(status["lastHour"]["list"]["requests"], json!(3.0), "{status:#}");
    assert_eq!(status["lastHour"]["list"]["errors"], json!(0.0), "{status:#}");
    assert!(status["lastHour"]["list"]["p99"].as_f64().unwrap() > 0.0, "{status:#}");

    stack.emulator.witness(&["raise_alarm", "cloudpix-health-upload-errors"]);
    let output = stack.provision(&["status", "--config", &config]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("RAISED: upload-errors"), "{said}");
    assert!(said.contains("last hour      requests"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}
