//! What `provision` needs before it can work: the IAM policy for it, and what a finding is. Pure.

use serde::Serialize;
use serde_json::{Value, json};

use crate::settings::StateBucket;
use crate::stack::{Place, bucket_prefix, stack_name};

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
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetPolicy",
    "lambda:InvokeFunction",
    "lambda:ListAliases",
    "lambda:ListVersionsByFunction",
    "lambda:PublishVersion",
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
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn place() -> Place {
        Place {
            partition: "aws".to_owned(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            plain_http: false,
        }
    }

    /// Each call is named in the code as it is in a policy.
    #[test]
    fn the_policy_allows_every_call_that_the_code_makes() {
        let mut sources = String::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    sources.push_str(&std::fs::read_to_string(path).unwrap());
                }
            }
        }
        let calls = sources.split('"').filter(|text| {
            let (service, action) = text.split_once(':').unwrap_or_default();
            let services =
                ["apigateway", "cloudwatch", "dynamodb", "ecr", "iam", "lambda", "logs", "s3", "sqs", "sts"];
            let is_name = !action.is_empty() && action.chars().all(|c| c.is_ascii_alphanumeric());
            services.contains(&service) && is_name
        });
        let made: BTreeSet<&str> = calls.map(|call| call.split(' ').next().unwrap_or(call)).collect();
        assert!(made.len() > 80, "{made:?}");
        let state = StateBucket { bucket: "team-state".to_owned(), prefix: String::new() };
        let statements = statements(&place(), "default", Some(&state));
        let allowed: BTreeSet<&str> = statements.iter().flat_map(|it| it.actions).copied().collect();
        let missing: Vec<_> = made.difference(&allowed).collect();
        assert!(missing.is_empty(), "not in the policy: {missing:?}");
    }

    #[test]
    fn the_policy_is_about_one_environment_and_fits_what_iam_takes() {
        let policy = policy(&place(), "staging", None);
        let text = policy.to_string();
        assert!(text.contains("arn:aws:s3:::cloudpix-staging-images-*"), "{text}");
        assert!(text.contains("arn:aws:lambda:eu-west-1:123456789012:function:cloudpix-staging-*"), "{text}");
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        assert!(text.len() < 6144, "{} characters", text.len());
        for statement in policy["Statement"].as_array().unwrap() {
            let account = statement["Sid"] == "Account";
            assert_eq!(statement["Resource"] == json!(["*"]), account, "{statement}");
        }
    }
}
