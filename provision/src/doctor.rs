//! What `provision` needs before it can work: the IAM policy for it, and what a finding is. Pure.

use serde::Serialize;
use serde_json::{Value, json};

use crate::settings::StateBucket;
use crate::stack::place::{Place, bucket_prefix, stack_name};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Ok,
    /// `apply` will work, but not all may be well.
    Warning,
    /// `apply` would fail.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub what: &'static str,
    pub severity: Severity,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    pub fn ok(what: &'static str, detail: impl Into<String>) -> Finding {
        Finding { what, severity: Severity::Ok, detail: detail.into(), advice: None }
    }

    pub fn warning(what: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { what, severity: Severity::Warning, detail: detail.into(), advice: Some(advice.into()) }
    }

    pub fn error(what: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { what, severity: Severity::Error, detail: detail.into(), advice: Some(advice.into()) }
    }
}

/// New accounts may run no more functions than these at once.
const FEW_AT_ONCE: i32 = 50;

/// Of so many functions that may run at once, those that no function may have for itself.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>; an account that is new
/// has 10 in all, and Lambda's refusal then names 10.
fn unreservable(limit: i32) -> i32 {
    if limit >= 100 { 100 } else { 10 }
}

/// What it means that `limit` functions may run at once in account and region, of which the settings want
/// `reserved` for functions of this stack.
pub fn concurrency(limit: i32, reserved: i32) -> Finding {
    const WHAT: &str = "Lambda quota";
    const ADVICE: &str = "ask for more in Service Quotas: Lambda, Concurrent executions";
    let free = limit - unreservable(limit);
    if reserved > free {
        let detail = format!(
            "{limit} functions at once, of which {} can be reserved, and `concurrency` in cloudpix.toml is {reserved}",
            free.max(0)
        );
        return Finding::error(WHAT, detail, format!("lower it, or {ADVICE}"));
    }
    if limit < FEW_AT_ONCE {
        let detail =
            format!("only {limit} functions at once in this account and region; more requests get 429");
        return Finding::warning(WHAT, detail, ADVICE);
    }
    let of_ours = if reserved > 0 { format!(", {reserved} of them reserved") } else { String::new() };
    Finding::ok(WHAT, format!("{limit} functions at once{of_ours}"))
}

/// Actions of one service on some of its resources.
pub struct Statement {
    pub id: &'static str,
    pub actions: &'static [&'static str],
    /// As in a policy, with wildcards.
    pub resources: Vec<String>,
    /// A key and the value that it must have.
    pub condition: Option<(&'static str, &'static str)>,
}

impl Statement {
    fn on(id: &'static str, actions: &'static [&'static str], resources: Vec<String>) -> Statement {
        Statement { id, actions, resources, condition: None }
    }
}

/// What `provision` may have to do in one environment, and nothing beyond that.
pub fn statements(place: &Place, env: &str, state: Option<&StateBucket>) -> Vec<Statement> {
    let (partition, stack) = (&place.partition, stack_name(env));
    let bucket = format!("arn:{partition}:s3:::{}*", bucket_prefix(env));
    let objects = format!("{bucket}/*");
    let table = place.arn("dynamodb", &format!("table/{stack}-metadata"));
    let role = format!("arn:{partition}:iam::{}:role/{stack}-*", place.account);
    let function = place.arn("lambda", &format!("function:{stack}-*"));
    let gateway = |path: &str| format!("arn:{partition}:apigateway:{}::{path}", place.region);
    let groups = [
        format!("log-group:/aws/lambda/{stack}-*"),
        format!("log-group:/aws/apigateway/{stack}"),
        format!("log-group:/aws/apigateway/{stack}:*"),
    ];
    let passed = ("iam:PassedToService", "lambda.amazonaws.com");
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
        Statement::on("Table", TABLE, vec![table.clone(), format!("{table}/index/*")]),
        Statement::on("Repositories", REPOSITORY, vec![place.arn("ecr", &format!("repository/{stack}-*"))]),
        Statement::on("Roles", ROLE, vec![role.clone()]),
        Statement { condition: Some(passed), ..Statement::on("PassRoles", &["iam:PassRole"], vec![role]) },
        Statement {
            condition: Some(("iam:AWSServiceName", GATEWAY)),
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
    statements
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
pub fn permissions(refused: &[Refused], policy: &str) -> Finding {
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

/// The policy, for whoever grants permissions to paste.
pub fn policy(place: &Place, env: &str, state: Option<&StateBucket>) -> Value {
    let statement = |statement: Statement| {
        let Statement { id, actions, resources, condition } = statement;
        let mut json = json!({ "Sid": id, "Effect": "Allow", "Action": actions, "Resource": resources });
        if let Some((key, value)) = condition {
            json["Condition"] = json!({ "StringEquals": { key: value } });
        }
        json
    };
    let statements: Vec<Value> = statements(place, env, state).into_iter().map(statement).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

const BUCKET: &[&str] = &[
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:GetBucketCORS",
    "s3:GetBucketNotification",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:PutBucketCORS",
    "s3:PutBucketNotification",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
];
const OBJECTS: &[&str] =
    &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject"];
const TABLE: &[&str] = &[
    "dynamodb:BatchGetItem",
    "dynamodb:CreateTable",
    "dynamodb:DeleteTable",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:ListTagsOfResource",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:TagResource",
    "dynamodb:UntagResource",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
];
const REPOSITORY: &[&str] = &[
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchDeleteImage",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:CreateRepository",
    "ecr:DeleteRepository",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetLifecyclePolicy",
    "ecr:GetRepositoryPolicy",
    "ecr:InitiateLayerUpload",
    "ecr:ListTagsForResource",
    "ecr:PutImage",
    "ecr:PutImageScanningConfiguration",
    "ecr:PutImageTagMutability",
    "ecr:PutLifecyclePolicy",
    "ecr:SetRepositoryPolicy",
    "ecr:TagResource",
    "ecr:UntagResource",
    "ecr:UploadLayerPart",
];
const ROLE: &[&str] = &[
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
];
const FUNCTION: &[&str] = &[
    "lambda:AddPermission",
    "lambda:CreateAlias",
    "lambda:CreateFunction",
    "lambda:DeleteAlias",
    "lambda:DeleteFunction",
    "lambda:DeleteFunctionConcurrency",
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetPolicy",
    "lambda:InvokeFunction",
    "lambda:ListAliases",
    "lambda:ListTags",
    "lambda:ListVersionsByFunction",
    "lambda:PublishVersion",
    "lambda:PutFunctionConcurrency",
    "lambda:RemovePermission",
    "lambda:TagResource",
    "lambda:UntagResource",
    "lambda:UpdateAlias",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
];
const QUEUE: &[&str] = &[
    "sqs:ChangeMessageVisibility",
    "sqs:CreateQueue",
    "sqs:DeleteMessage",
    "sqs:DeleteQueue",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
    "sqs:ReceiveMessage",
    "sqs:SetQueueAttributes",
    "sqs:TagQueue",
    "sqs:UntagQueue",
];
const LOGS: &[&str] = &[
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:DeleteRetentionPolicy",
    "logs:FilterLogEvents",
    "logs:ListTagsForResource",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "logs:UntagResource",
];
const ALARMS: &[&str] = &[
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DeleteDashboards",
    "cloudwatch:GetDashboard",
    "cloudwatch:ListTagsForResource",
    "cloudwatch:PutDashboard",
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:TagResource",
    "cloudwatch:UntagResource",
];
/// These know no resource, or are asked before there is one.
const ACCOUNT: &[&str] = &[
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ecr:GetAuthorizationToken",
    "iam:SimulatePrincipalPolicy",
    "lambda:GetAccountSettings",
    "logs:DescribeLogGroups",
    "s3:ListAllMyBuckets",
    "sts:GetCallerIdentity",
];

#[cfg(test)]
mod tests;
