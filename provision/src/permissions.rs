//! The permissions that `provision` needs: the IAM policy for it, and what it means that some are missing. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::actions::{
    ACCOUNT, ALARMS, BUCKET, FUNCTION, LOGS, OBJECTS, QUEUE, REPOSITORY, ROLE, SIGN_IN, TABLE, USER_POOL,
    USER_POOLS,
};
use crate::finding::Finding;
use crate::settings::{Settings, StateBucket};
use crate::stack::place::{Place, bucket_prefix, stack_name};

mod actions;

/// Actions of one service on some of its resources.
pub struct Statement {
    pub id: &'static str,
    pub actions: &'static [&'static str],
    /// As in a policy, with wildcards.
    pub resources: Vec<String>,
    /// A key and the value that it must have.
    pub condition: Option<(&'static str, String)>,
}

impl Statement {
    fn on(id: &'static str, actions: &'static [&'static str], resources: Vec<String>) -> Statement {
        Statement { id, actions, resources, condition: None }
    }
}

/// What `provision` may have to do in one environment, and nothing beyond that.
pub fn statements(place: &Place, settings: &Settings) -> Vec<Statement> {
    let (env, state) = (&settings.env, settings.state_bucket.as_ref());
    let (partition, stack) = (&place.partition, stack_name(env));
    let bucket = format!("arn:{partition}:s3:::{}*", bucket_prefix(env));
    let objects = format!("{bucket}/*");
    let table = |name: &str| place.arn("dynamodb", &format!("table/{stack}-{name}"));
    let tables = if settings.has_users() {
        vec![table("*")]
    } else {
        vec![table("metadata"), format!("{}/index/*", table("metadata"))]
    };
    let role = format!("arn:{partition}:iam::{}:role/{stack}-*", place.account);
    let function = place.arn("lambda", &format!("function:{stack}-*"));
    let gateway = |path: &str| format!("arn:{partition}:apigateway:{}::{path}", place.region);
    let groups = [
        format!("log-group:/aws/lambda/{stack}-*"),
        format!("log-group:/aws/apigateway/{stack}"),
        format!("log-group:/aws/apigateway/{stack}:*"),
    ];
    let passed = ("iam:PassedToService", "lambda.amazonaws.com".to_owned());
    let role_of = |path: &str| format!("arn:{partition}:iam::{}:role/{path}/*", place.account);
    let gateway_role = role_of(&format!("aws-service-role/{GATEWAY}"));
    let reserved_role = role_of("aws-reserved/sso.amazonaws.com");
    let state = state.into_iter().flat_map(|StateBucket { bucket, prefix }| {
        let bucket = format!("arn:{partition}:s3:::{bucket}");
        let files = format!("{bucket}/{prefix}*");
        [
            Statement::on("State", &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], vec![files]),
            Statement::on("StateBucket", &["s3:GetBucketVersioning", "s3:ListBucket"], vec![bucket]),
        ]
    });
    let mut statements = vec![
        Statement::on("Bucket", BUCKET, vec![bucket]),
        Statement::on("Objects", OBJECTS, vec![objects]),
        Statement::on("Table", TABLE, tables),
        Statement::on("Repositories", REPOSITORY, vec![place.arn("ecr", &format!("repository/{stack}-*"))]),
        Statement::on("Roles", ROLE, vec![role.clone()]),
        Statement { condition: Some(passed), ..Statement::on("PassRoles", &["iam:PassRole"], vec![role]) },
        Statement {
            condition: Some(("iam:AWSServiceName", GATEWAY.to_owned())),
            ..Statement::on(SERVICE_ROLE, &["iam:CreateServiceLinkedRole"], vec![gateway_role])
        },
        Statement::on(OWN_ROLE, &["iam:GetRole"], vec![reserved_role]),
        Statement::on("Functions", FUNCTION, vec![function]),
        Statement::on(
            "Api",
            &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"],
            ["/account", "/restapis*", "/apikeys*", "/usageplans*", "/tags/*"].map(gateway).to_vec(),
        ),
        Statement::on("Queue", QUEUE, vec![place.arn("sqs", &format!("{stack}-process-dead-letters"))]),
        Statement::on("Logs", LOGS, groups.map(|group| place.arn("logs", &group)).to_vec()),
        Statement::on(
            "Alarms",
            ALARMS,
            vec![
                place.arn("cloudwatch", &format!("alarm:{stack}-*")),
                format!("arn:{partition}:cloudwatch::{}:dashboard/{stack}", place.account),
            ],
        ),
        Statement::on("Account", ACCOUNT, vec!["*".to_owned()]),
    ];
    statements.extend(state);
    if settings.has_users() {
        let table = place.arn("dynamodb", &format!("table/{stack}-access"));
        statements.push(Statement::on("Keys", &["dynamodb:DeleteItem"], vec![table]));
    }
    if settings.has_pool() {
        statements.extend(of_pool(place, &stack));
    }
    statements
}

/// A pool's id is drawn by Cognito, so that which one it is is asked of its tag. To look at any, and to tag one that
/// is handed over, is allowed without.
fn of_pool(place: &Place, stack: &str) -> [Statement; 3] {
    let pools = vec![place.arn("cognito-idp", "userpool/*")];
    let ours = ("aws:ResourceTag/cloudpix:stack", stack.to_owned());
    [
        Statement::on("UserPools", USER_POOLS, pools.clone()),
        Statement { condition: Some(ours), ..Statement::on("UserPool", USER_POOL, pools) },
        Statement::on("SignIn", SIGN_IN, vec!["*".to_owned()]),
    ]
}

/// Whom API Gateway makes a role of its own for, with the first API of an account.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/using-service-linked-roles.html>
const GATEWAY: &str = "ops.apigateway.amazonaws.com";
/// The statement about it.
const SERVICE_ROLE: &str = "ServiceRole";
/// The statement by which `doctor` learns the path of a role that IAM Identity Center made.
const OWN_ROLE: &str = "OwnRole";

/// An action that the caller may not do, and the statement that should allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub statement: &'static str,
    pub action: String,
}

/// What it means that the caller may not do these.
pub fn finding(refused: &[Refused], policy: &str) -> Finding {
    const WHAT: &str = "permissions";
    let optional = |refused: &&Refused| [SERVICE_ROLE, OWN_ROLE].contains(&refused.statement);
    let needed: Vec<&str> = refused.iter().filter(|it| !optional(it)).map(|it| it.action.as_str()).collect();
    if !needed.is_empty() {
        return Finding::error(WHAT, format!("not allowed: {}", needed.join(", ")), policy);
    }
    match refused.iter().find(|it| it.statement == SERVICE_ROLE) {
        // Whether there is one already only those may ask who may do more than this stack needs.
        Some(Refused { action, .. }) => {
            let detail = format!("not allowed: {action}, which an account's first API needs, and no other");
            Finding::warning(WHAT, detail, policy)
        }
        None => Finding::ok(WHAT, "all that apply and destroy need"),
    }
}

/// Characters of a policy that IAM takes.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const LONGEST: usize = 6144;

/// The policy, for whoever grants permissions to paste. Where it would be longer than IAM takes, actions that begin
/// with the same word stand together.
pub fn policy(place: &Place, settings: &Settings) -> Value {
    let exact = written(place, settings, |actions| actions.iter().map(ToString::to_string).collect());
    if exact.to_string().len() <= LONGEST { exact } else { written(place, settings, together) }
}

fn written(place: &Place, settings: &Settings, names: fn(&[&str]) -> Vec<String>) -> Value {
    let statement = |statement: Statement| {
        let Statement { id, actions, resources, condition } = statement;
        // What is about no resource of ours stays exact.
        let everywhere = resources.iter().any(|resource| resource == "*");
        let names = if everywhere { json!(actions) } else { json!(names(actions)) };
        let mut json = json!({ "Sid": id, "Effect": "Allow", "Action": names, "Resource": resources });
        if let Some((key, value)) = condition {
            json["Condition"] = json!({ "StringEquals": { key: value } });
        }
        json
    };
    let statements: Vec<Value> = statements(place, settings).into_iter().map(statement).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Those that only look, and all that is about a pool of users, which is ours alone: `s3:Get*`.
fn together(actions: &[&str]) -> Vec<String> {
    let short = |action: &&str| {
        let words: &[&str] = if action.starts_with("cognito-idp:") {
            &["Admin", "Create", "Delete", "Describe", "List", "Update"]
        } else {
            &["Describe", "Get", "List"]
        };
        let (service, name) = action.split_once(':').unwrap_or((action, ""));
        let word = words.iter().find(|word| name.starts_with(**word) && !name.starts_with("GetObject"));
        word.map_or_else(|| (*action).to_owned(), |word| format!("{service}:{word}*"))
    };
    let names: BTreeSet<String> = actions.iter().map(short).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests;
