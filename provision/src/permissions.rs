//! The permissions that `provision` needs: the IAM policy for it, and what it means that some are missing. Pure.

use serde_json::{Value, json};

use crate::finding::Finding;
use crate::settings::StateBucket;
use crate::stack::place::{Place, bucket_prefix, stack_name};

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
