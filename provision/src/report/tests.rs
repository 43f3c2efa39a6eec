use insta::assert_snapshot;

use super::*;
use crate::stack::resource::{ApiKey, LogGroup, Resource, Tags};
use contract::Function;

fn place() -> Place {
    let (partition, account, region) = ("aws".into(), "123456789012".into(), "eu-west-1".into());
    Place { partition, account, region, plain_http: false }
}

fn names() -> Names {
    Names::new("staging", "eu-west-1", "abcd1234")
}

fn log_group(retention: Option<i32>) -> Resource {
    Resource::LogGroup(LogGroup { tags: Tags::new(), retention })
}

fn a_plan() -> Plan {
    let change = |field: &str, from: Value, to: Value| Change { field: field.to_owned(), from, to };
    let changes = vec![
        change("retention", Value::Null, 30.into()),
        change("tags.cloudpix:env", "写真".into(), "staging".into()),
        change("policy", json!({"a long": "value ".repeat(20)}), Value::Null),
    ];
    let update = Action::Update { live: log_group(None), desired: log_group(Some(30)), changes };
    let key = Resource::ApiKey(ApiKey { tags: Tags::new(), enabled: true });
    Plan {
        steps: vec![
            Step { id: Id::LogGroup(Function::Upload), action: Action::Create(log_group(Some(30))) },
            Step { id: Id::LogGroup(Function::List), action: update },
            Step { id: Id::ApiKey, action: Action::Delete(key) },
        ],
        unchanged: vec![Id::Bucket, Id::Table],
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
    let record = crate::state::Record::new("staging", &place(), "abcd1234".to_owned());
    assert_snapshot!(outputs_text(&Outputs::new(&record, None)), @r"
    API URL    (none yet)
    bucket     cloudpix-staging-images-abcd1234
    table      cloudpix-staging-metadata
    functions  cloudpix-staging-list, cloudpix-staging-upload
    region     eu-west-1
    account    123456789012
    ");
}
