//! Policies: who may do what, by exact actions on exact ARNs.

use std::collections::BTreeMap;

use contract::Function;
use serde_json::{Value, json};

use super::api;
use super::function::{Profile, Right, Target, Trigger, profile};
use super::id::Purpose;
use super::place::{Names, PULL_STATEMENT, Place};
use super::resource::lambda::{Permission, Role};
use crate::settings::{Auth, Settings};

pub fn role_arn(place: &Place, names: &Names, function: Function) -> String {
    format!("arn:{}:iam::{}:role/{}", place.partition, place.account, names.role(function))
}

pub(super) fn role(settings: &Settings, place: &Place, names: &Names, function: Function) -> Role {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]});
    let mut statements = vec![logs(place, names, function)];
    let Profile { rights, rights_with_users, .. } = profile(function);
    let with_users = if settings.auth == Auth::Users { *rights_with_users } else { &[] };
    statements.extend(rights.iter().chain(with_users).map(|right| data(place, names, right)));
    if settings.tracing {
        // X-Ray has no resources to name.
        // <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html>
        let traces = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
        statements.push(allow("Traces", &traces, &["*".to_owned()]));
    }
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    Role { id: None, tags: names.tags(), trust, policy }
}

/// No `logs:CreateLogGroup`: the group is ours, and a function must not bring it back after a destroy.
/// AWS's reference has `CreateLogStream` on the group, its error messages have it on the stream.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html>
fn logs(place: &Place, names: &Names, function: Function) -> Value {
    let group = place.arn("logs", &format!("log-group:{}", names.log_group(function)));
    let streams = format!("{group}:log-stream:*");
    allow("Logs", &["logs:CreateLogStream", "logs:PutLogEvents"], &[group, streams])
}

fn data(place: &Place, names: &Names, right: &Right) -> Value {
    let Right { sid, actions, on, attributes } = right;
    let resources: Vec<String> = on.iter().flat_map(|target| arns(place, names, *target)).collect();
    let mut statement = allow(sid, actions, &resources);
    // The ARN of a bucket names no account, as those of the rest do. Where ours was deleted and somebody else
    // took its name, images must not go to theirs. Links are signed by the role, so they are bound too.
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceaccount>
    if on.iter().any(|target| matches!(target, Target::Images | Target::Thumbnails | Target::Bucket)) {
        statement["Condition"] = json!({"StringEquals": {"aws:ResourceAccount": place.account}});
    }
    // Who may name these attributes alone can ask for no others back either.
    // <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html>
    if !attributes.is_empty() {
        statement["Condition"] = json!({
            "ForAllValues:StringEquals": {"dynamodb:Attributes": attributes},
            "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"]},
        });
    }
    statement
}

fn arns(place: &Place, names: &Names, target: Target) -> Vec<String> {
    let bucket = bucket_arn(place, &names.bucket);
    let table = |purpose| place.arn("dynamodb", &format!("table/{}", names.table(purpose)));
    let index = |purpose, index: &str| format!("{}/index/{index}", table(purpose));
    match target {
        Target::Images => vec![format!("{bucket}/{}*", contract::UPLOADS_PREFIX)],
        Target::Thumbnails => vec![format!("{bucket}/{}*", contract::THUMBNAILS_PREFIX)],
        Target::Bucket => vec![bucket],
        Target::Table => vec![table(Purpose::Metadata)],
        Target::Access => vec![table(Purpose::Access)],
        Target::AccessIndex => vec![index(Purpose::Access, contract::access::OWNER_INDEX)],
        Target::Indexes => {
            let indexes = [contract::index::OWNER, contract::index::UPLOAD_DATE];
            indexes.map(|name| index(Purpose::Metadata, name)).to_vec()
        }
        Target::DeadLetters => vec![queue_arn(place, names)],
    }
}

fn allow(sid: &str, actions: &[&str], resources: &[String]) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources})
}

pub fn queue_arn(place: &Place, names: &Names) -> String {
    place.arn("sqs", &names.queue())
}

/// Who may call the function's alias.
pub(super) fn permission(
    settings: &Settings,
    place: &Place,
    names: &Names,
    function: Function,
) -> Permission {
    let callers = match profile(function).trigger {
        Trigger::Objects => {
            BTreeMap::from([("CloudpixObjects".to_owned(), bucket_arn(place, &names.bucket))])
        }
        Trigger::Requests => api::callers(settings, place, function),
        Trigger::Authorization => api::asker(place),
    };
    Permission { callers, unqualified: BTreeMap::new() }
}

fn bucket_arn(place: &Place, bucket: &str) -> String {
    format!("arn:{}:s3:::{bucket}", place.partition)
}

/// Lambda, for this function and no other, may pull images. Lambda would add a statement of its own
/// where it finds none, and a wider one.
/// <https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#gettingstarted-images-permissions>
pub(super) fn pull(place: &Place, names: &Names, function: Function) -> Value {
    let function = place.arn("lambda", &format!("function:{}", names.function(function)));
    json!({
        "Sid": PULL_STATEMENT,
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {"ArnLike": {"aws:SourceArn": [function, format!("{function}:*")]}},
    })
}

pub(super) fn tls_only_bucket(place: &Place, bucket: &str) -> Value {
    let bucket = bucket_arn(place, bucket);
    tls_only(place, "s3:*", &json!([bucket, format!("{bucket}/*")]))
}

pub(super) fn tls_only_queue(place: &Place, names: &Names) -> Value {
    tls_only(place, "sqs:*", &json!(queue_arn(place, names)))
}

/// Nobody, not even the account's root, gets there without TLS. An emulator that has none is let off
/// for traffic that does not leave the machine.
fn tls_only(place: &Place, actions: &str, resources: &Value) -> Value {
    let mut condition = json!({"Bool": {"aws:SecureTransport": "false"}});
    if place.plain_http() {
        condition["NotIpAddress"] = json!({"aws:SourceIp": ["127.0.0.0/8", "::1/128"]});
    }
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resources,
        "Condition": condition,
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    #[test]
    fn every_statement_names_the_account_in_its_arns_or_in_a_condition() {
        let settings = settings::parse("[defaults]\nauth = \"users\"\n", "default").unwrap();
        let place = Place {
            partition: "aws".to_owned(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: None,
        };
        let names = Names::new("default", "eu-west-1", "abcd1234");
        for function in Function::ALL {
            let policy = role(&settings, &place, &names, function).policy;
            for statement in policy["Statement"].as_array().unwrap() {
                let resources = statement["Resource"].as_array().unwrap();
                let named = resources.iter().all(|arn| arn.as_str().unwrap().contains(":123456789012:"));
                let bound = statement["Condition"]["StringEquals"]["aws:ResourceAccount"] == "123456789012";
                assert!(named != bound, "{statement}");
            }
        }
    }
}
