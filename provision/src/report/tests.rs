use std::collections::BTreeMap;
use std::time::Duration;

use console::measure_text_width;
use insta::assert_snapshot;

use super::outcome::done_json;
use super::plan::{plan_json, plan_text};
use super::*;
use crate::apply::{Done, Event};
use crate::aws::cloudwatch::Hour;
use crate::plan::{Action, Change, Plan, Step};
use crate::stack::id::{Id, Purpose};
use crate::stack::resource::api::ApiKey;
use crate::stack::resource::watch::LogGroup;
use crate::stack::resource::{Resource, Tags};
use contract::Function;
use serde_json::{Value, json};

fn place() -> Place {
    let (partition, account, region) = ("aws".into(), "123456789012".into(), "eu-west-1".into());
    Place { partition, account, region, endpoint: None }
}

fn names() -> Names {
    Names::new("staging", "eu-west-1", "abcd1234")
}

fn log_group(function: Function, retention: Option<i32>) -> Resource {
    Resource::LogGroup(function, LogGroup { tags: Tags::new(), retention })
}

fn a_plan() -> Plan {
    let change = |field: &str, from: Value, to: Value| Change { field: field.to_owned(), from, to };
    let changes = vec![
        change("retention", Value::Null, 30.into()),
        change("tags.cloudpix:env", "写真".into(), "staging".into()),
        change("policy", json!({"a long": "value ".repeat(20)}), Value::Null),
    ];
    let update = Action::Update {
        live: log_group(Function::List, None),
        desired: log_group(Function::List, Some(30)),
        changes,
    };
    let key = Resource::ApiKey(ApiKey { tags: Tags::new(), enabled: true });
    Plan {
        steps: vec![
            Step {
                id: Id::LogGroup(Function::Upload),
                action: Action::Create(log_group(Function::Upload, Some(30))),
            },
            Step { id: Id::LogGroup(Function::List), action: update },
            Step { id: Id::ApiKey, action: Action::Delete(key) },
        ],
        unchanged: vec![Id::Bucket, Id::Table(Purpose::Metadata)],
    }
}

#[test]
fn a_plan_reads_well_without_colour() {
    console::set_colors_enabled(false);
    assert_snapshot!(plan_text(&a_plan(), &names(), &place()), @r#"
    cloudpix-staging  (account 123456789012, region eu-west-1)
      + log group          /aws/lambda/cloudpix-staging-upload
      ~ log group          /aws/lambda/cloudpix-staging-list
          retention: (none) → 30
          tags.cloudpix:env: 写真 → staging
          policy: {"a long":"value value value value value value value value … → (none)
      - API key            cloudpix-staging
      = 1 to create, 1 to change, 1 to delete, 2 unchanged
    "#);
}

#[test]
fn a_plan_as_json_has_every_field_whole() {
    let plan = plan_json(&a_plan(), &names(), &place());
    let fields = &plan["changes"][1]["fields"];
    assert_snapshot!(fields[0].to_string(), @r#"{"field":"retention","from":null,"to":30}"#);
    assert_eq!(fields[2]["from"]["a long"].as_str().map(str::len), Some(120));
    assert_eq!((&plan["unchanged"], &plan["changes"][2]["action"]), (&json!(2), &json!("delete")));
}

#[test]
fn the_outputs_hold_no_key_that_was_not_asked_for() {
    let record = crate::state::StackRecord::new("staging", &place(), "abcd1234".to_owned());
    let settings = crate::settings::parse("[defaults]\nauth = \"api-key\"\n", "staging").unwrap();
    let outputs = Outputs::new(&settings, &record, None);
    let functions: Vec<String> = outputs.functions.values().cloned().collect();
    assert!(functions.iter().any(|name| name == "cloudpix-staging-list"), "{functions:?}");
    assert_snapshot!(outputs_text(&outputs).replace(&functions.join(", "), "(all)"), @r"
    API URL    (none yet)
    bucket     cloudpix-staging-images-abcd1234
    table      cloudpix-staging-metadata
    functions  (all)
    region     eu-west-1
    account    123456789012
    ");
}

#[test]
fn progress_in_a_pipe_is_a_line_for_what_is_done() {
    console::set_colors_enabled_stderr(false);
    let (names, plan) = (names(), a_plan());
    let progress = Progress::new(&names);
    let [create, update, delete] = &plan.steps[..] else { panic!("{plan:?}") };
    let error = anyhow::anyhow!("apigateway:DELETE: TooManyRequestsException").context("delete the API key");
    let events = [
        Event::Started(create),
        Event::Progress(create, "0.5 of 2.8 MB pushed".to_owned()),
        Event::Finished(create, Duration::from_millis(1234)),
        Event::Finished(update, Duration::from_millis(40)),
        Event::Failed(delete, &error),
        Event::Stopping,
    ];
    let lines: Vec<String> = events.iter().filter_map(|event| progress.line(event)).collect();
    assert_snapshot!(lines.join("\n"), @r"
      log group          /aws/lambda/cloudpix-staging-upload: 0.5 of 2.8 MB pushed
      + created log group          /aws/lambda/cloudpix-staging-upload (1.2 s)
      ~ updated log group          /aws/lambda/cloudpix-staging-list (0.0 s)
      ✗ API key            cloudpix-staging: apigateway:DELETE: TooManyRequestsException
    finishing what is under way; press Ctrl-C again to stop at once
    ");
}

#[test]
fn a_run_as_json_has_each_step_with_its_place_in_time() {
    let (names, plan) = (names(), a_plan());
    let (start, took) = (Duration::from_millis(250), Duration::from_micros(1_234_567));
    let done: Vec<Done<'_>> = plan.steps.iter().map(|step| Done { step, start, took }).collect();
    assert_snapshot!(format!("{:#}", json!(done_json(&done[..2], &names))), @r#"
    [
      {
        "action": "create",
        "name": "/aws/lambda/cloudpix-staging-upload",
        "resource": "log group",
        "seconds": 1.235,
        "start": 0.25
      },
      {
        "action": "update",
        "name": "/aws/lambda/cloudpix-staging-list",
        "resource": "log group",
        "seconds": 1.235,
        "start": 0.25
      }
    ]
    "#);
    assert_snapshot!(format!("{:#}", plan_json(&plan, &names, &place())), @r#"
    {
      "account": "123456789012",
      "changes": [
        {
          "action": "create",
          "fields": [],
          "name": "/aws/lambda/cloudpix-staging-upload",
          "resource": "log group"
        },
        {
          "action": "update",
          "fields": [
            {
              "field": "retention",
              "from": null,
              "to": 30
            },
            {
              "field": "tags.cloudpix:env",
              "from": "写真",
              "to": "staging"
            },
            {
              "field": "policy",
              "from": {
                "a long": "value value value value value value value value value value value value value value value value value value value value "
              },
              "to": null
            }
          ],
          "name": "/aws/lambda/cloudpix-staging-list",
          "resource": "log group"
        },
        {
          "action": "delete",
          "fields": [],
          "name": "cloudpix-staging",
          "resource": "API key"
        }
      ],
      "env": "staging",
      "region": "eu-west-1",
      "stack": "cloudpix-staging",
      "unchanged": 2
    }
    "#);
}

#[test]
fn a_health_reads_well_without_colour_and_in_80_columns() {
    console::set_colors_enabled(false);
    let names = Names::new("sixteen-letters1", "ap-southeast-4", "abcd1234");
    let row = |id, health: Option<(&str, bool)>| Row::of(id, health.map(|(it, well)| (it.to_owned(), well)));
    let rows = [
        row(Id::Bucket, Some(("there", true))),
        row(Id::Table(Purpose::Metadata), Some(("ACTIVE, about 0 records", true))),
        row(Id::Function(Function::Upload), Some(("Active, code 4bc1c9a3", true))),
        row(Id::Api, Some(("answers 403 in 12 ms", true))),
        row(Id::ApiKey, None),
        row(Id::Alarms, Some(("RAISED: list-slow", false))),
    ];
    let hour = Hour { requests: 12_345.0, errors: 1.0, throttles: 0.0, p99: Some(87.4) };
    let hours = BTreeMap::from([(Function::List, hour)]);
    let text = status::as_text(&rows, &hours, &names, &place());
    assert!(text.lines().all(|line| measure_text_width(line) <= 80), "{text}");
    assert_snapshot!(text, @r"
    cloudpix-sixteen-letters1  (account 123456789012, region eu-west-1)
      S3 bucket          cloudpix-sixteen-letters1-images-abcd1234  there
      DynamoDB table     cloudpix-sixteen-letters1-metadata  ACTIVE, about 0 records
      Lambda function    cloudpix-sixteen-letters1-upload    Active, code 4bc1c9a3
      REST API           cloudpix-sixteen-letters1           answers 403 in 12 ms
      API key            cloudpix-sixteen-letters1           MISSING
      alarms             cloudpix-sixteen-letters1-*         RAISED: list-slow

      last hour      requests   errors   throttles   p99 (ms)
      list              12345        1           0         87
    ");
    let json = status::as_json(&rows[4..], &hours, &names, false);
    assert_snapshot!(format!("{json:#}"), @r#"
    {
      "lastHour": {
        "list": {
          "errors": 1.0,
          "p99": 87.4,
          "requests": 12345.0,
          "throttles": 0.0
        }
      },
      "resources": [
        {
          "health": "MISSING",
          "name": "cloudpix-sixteen-letters1",
          "resource": "API key",
          "well": false
        },
        {
          "health": "RAISED: list-slow",
          "name": "cloudpix-sixteen-letters1-*",
          "resource": "alarms",
          "well": false
        }
      ],
      "stack": "cloudpix-sixteen-letters1",
      "well": false
    }
    "#);
}
