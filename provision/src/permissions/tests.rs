use std::path::Path;

use super::*;
use crate::finding::Severity;

fn place() -> Place {
    Place {
        partition: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        endpoint: None,
    }
}

/// An environment with a state in a bucket, and with this `auth`.
fn settings(auth: &str, env: &str) -> Settings {
    let text = format!("[defaults]\nauth = {auth:?}\nstate.backend = \"s3://team-state\"\n");
    crate::settings::parse(&text, env).unwrap()
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
        let services = [
            "apigateway",
            "cloudwatch",
            "cognito-idp",
            "dynamodb",
            "ecr",
            "iam",
            "lambda",
            "logs",
            "s3",
            "sqs",
            "sts",
        ];
        let is_name = !action.is_empty() && action.chars().all(|c| c.is_ascii_alphanumeric());
        services.contains(&service) && is_name
    });
    let made: BTreeSet<&str> = calls.map(|call| call.split(' ').next().unwrap_or(call)).collect();
    assert!(made.len() > 80, "{made:?}");
    let statements = statements(&place(), &settings("users", "default"));
    let allowed: BTreeSet<&str> = statements.iter().flat_map(|it| it.actions).copied().collect();
    let missing: Vec<_> = made.difference(&allowed).collect();
    assert!(missing.is_empty(), "not in the policy: {missing:?}");
}

/// What AWS wants besides the call itself, without which it refuses the call or leaves a part of the
/// answer out. The pages are those of the calls, and of
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.
const BESIDES: [(&str, &[&str]); 13] = [
    ("apigateway:POST", &["apigateway:PUT", "iam:CreateServiceLinkedRole"]),
    ("cloudwatch:PutMetricAlarm", &["cloudwatch:TagResource"]),
    ("cognito-idp:CreateUserPool", &["cognito-idp:TagResource"]),
    ("dynamodb:CreateTable", &["dynamodb:TagResource"]),
    ("ecr:CreateRepository", &["ecr:TagResource"]),
    ("iam:CreateRole", &["iam:TagRole"]),
    (
        "lambda:CreateFunction",
        &[
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetRepositoryPolicy",
            "iam:PassRole",
            "lambda:TagResource",
        ],
    ),
    ("lambda:GetFunction", &["lambda:ListTags"]),
    ("lambda:UpdateFunctionCode", &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]),
    ("lambda:UpdateFunctionConfiguration", &["iam:PassRole"]),
    ("logs:CreateLogGroup", &["logs:TagResource"]),
    ("s3:GetObject", &["s3:ListBucket"]),
    ("sqs:CreateQueue", &["sqs:TagQueue"]),
];

#[test]
fn the_policy_allows_what_a_call_needs_besides_itself() {
    let statements = statements(&place(), &settings("users", "default"));
    let allowed: BTreeSet<&str> = statements.iter().flat_map(|it| it.actions).copied().collect();
    for (call, besides) in BESIDES {
        assert!(allowed.contains(call), "{call} is made no more");
        for right in besides {
            assert!(allowed.contains(right), "{call} needs {right}, which is not in the policy");
        }
    }
    let role = statements.iter().find(|it| it.id == SERVICE_ROLE).unwrap();
    assert_eq!(role.condition, Some(("iam:AWSServiceName", GATEWAY.to_owned())));
}

#[test]
fn what_only_some_accounts_need_stops_nobody() {
    let refused = |statement, action: &str| Refused { statement, action: action.to_owned() };
    let service = refused(SERVICE_ROLE, "iam:CreateServiceLinkedRole");
    let own = refused(OWN_ROLE, "iam:GetRole");
    let judge = |refused: &[&Refused]| {
        let refused: Vec<Refused> = refused.iter().copied().cloned().collect();
        let Finding { severity, detail, .. } = finding(&refused, "the policy");
        (severity, detail)
    };
    assert_eq!(judge(&[]).0, Severity::Ok);
    assert_eq!(judge(&[&own]).0, Severity::Ok);
    let (severity, detail) = judge(&[&own, &service]);
    assert_eq!(severity, Severity::Warning);
    assert!(detail.contains("iam:CreateServiceLinkedRole"), "{detail}");
    let role = refused("Roles", "iam:GetRole");
    assert_eq!(judge(&[&service, &role]), (Severity::Error, "not allowed: iam:GetRole".to_owned()));
}

#[test]
fn the_policy_is_about_one_environment_and_fits_what_iam_takes() {
    for auth in ["api-key", "users"] {
        fits(&policy(&place(), &settings(auth, "staging")));
    }
    let before = policy(&place(), &settings("api-key", "default")).to_string();
    assert!(!before.contains("cognito"), "{before}");
}

fn fits(policy: &Value) {
    let text = policy.to_string();
    assert!(text.contains("arn:aws:s3:::cloudpix-staging-images-*"), "{text}");
    assert!(text.contains("arn:aws:lambda:eu-west-1:123456789012:function:cloudpix-staging-*"), "{text}");
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert!(text.len() < 6144, "{} characters", text.len());
    for statement in policy["Statement"].as_array().unwrap() {
        let account = statement["Sid"] == "Account" || statement["Sid"] == "SignIn";
        assert_eq!(statement["Resource"] == json!(["*"]), account, "{statement}");
    }
}
