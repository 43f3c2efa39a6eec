//! What real AWS does and an emulator does not: each hazard with its exact code and text, put in by the
//! proxy. docs/hazards.md says which row of it is tested where.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::skipped;
use crate::crash::{APPLY, DESTROY, Lab};
use crate::proxy::{Call, Verdict};

/// The call that is answered so (parts of `service operation`), how often, its status, code and text.
type Hazard = (&'static str, usize, u16, &'static str, &'static str);

const IN_APPLY: &[Hazard] = &[
    ("iam PutRolePolicy", 2, 404, "NoSuchEntity", "The role with name cloudpix-storm cannot be found."),
    (
        "lambda POST /2015-03-31/functions",
        2,
        400,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    ),
    (
        "lambda POST /2015-03-31/functions",
        1,
        400,
        "InvalidParameterValueException",
        "Lambda was unable to configure access to your environment variables because the KMS key is invalid for \
         CreateGrant. Please check your KMS key settings. KMS Exception: InvalidArnException",
    ),
    (
        "lambda POST /2015-03-31/functions",
        1,
        400,
        "InvalidParameterValueException",
        "Source image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x@sha256:00 does not exist. Provide a valid \
         source image.",
    ),
    (
        "lambda POST /2015-03-31/functions",
        1,
        400,
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call SendMessage on SQS",
    ),
    (
        "sqs CreateQueue",
        2,
        400,
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    ),
    (
        "s3 PUT|?notification",
        2,
        400,
        "InvalidArgument",
        "Unable to validate the following destination configurations",
    ),
    (
        "lambda POST /2015-03-31/functions/cloudpix-storm-upload/policy",
        2,
        409,
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: x",
    ),
    (
        "lambda POST /2015-03-31/functions/cloudpix-storm-list/policy",
        1,
        409,
        "ResourceConflictException",
        "The operation cannot be performed at this time. The function is currently in the following state: Pending",
    ),
    (
        "lambda GET /2015-03-31/functions/cloudpix-storm-upload",
        2,
        429,
        "TooManyRequestsException",
        "Rate exceeded",
    ),
    (
        "apigateway PUT",
        3,
        409,
        "ConflictException",
        "Unable to complete operation due to concurrent modification. Please try again later.",
    ),
    ("apigateway POST|/deployments", 1, 400, "BadRequestException", "The apiStatus is UPDATING"),
    ("apigateway POST /restapis", 2, 429, "TooManyRequestsException", "Too Many Requests"),
    ("apigateway POST /apikeys", 1, 503, "ServiceUnavailableException", "Service Unavailable"),
    (
        "s3 PUT /cloudpix-storm-images",
        2,
        409,
        "OperationAborted",
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    ),
    ("?versioning", 2, 404, "NoSuchBucket", "The specified bucket does not exist"),
    (
        "dynamodb CreateTable",
        1,
        400,
        "LimitExceededException",
        "Too many operations: only 500 tables can be created, updated, or deleted simultaneously",
    ),
    ("dynamodb UpdateTimeToLive", 2, 400, "ResourceInUseException", "Table is being updated"),
    (
        "dynamodb UpdateContinuousBackups",
        2,
        400,
        "ContinuousBackupsUnavailableException",
        "Backups are being enabled for the table: x. Please retry later",
    ),
];

const IN_DESTROY: &[Hazard] = &[
    ("iam DeleteRole ", 2, 409, "DeleteConflict", "Cannot delete entity, must delete policies first."),
    ("apigateway DELETE /restapis", 2, 429, "TooManyRequestsException", "Too Many Requests"),
    ("dynamodb DeleteTable", 2, 400, "ResourceInUseException", "Table is being updated"),
    (
        "lambda DELETE /2015-03-31/functions/cloudpix-storm-list",
        2,
        409,
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: x",
    ),
];

/// An error in the protocol of the service concerned, with a request id.
fn answer(call: &Call, status: u16, code: &str, text: &str) -> Verdict {
    let error = format!("<Error><Code>{code}</Code><Message>{text}</Message></Error>");
    let (headers, body) = match call.service.as_str() {
        "s3" => (vec![("x-amz-request-id", "REQ-S3".to_owned())], error),
        "iam" => {
            let body = format!("<ErrorResponse>{error}<RequestId>REQ-IAM</RequestId></ErrorResponse>");
            (vec![("x-amzn-requestid", "REQ-IAM".to_owned())], body)
        }
        _ => {
            let headers =
                vec![("x-amzn-requestid", "REQ-1".to_owned()), ("x-amzn-errortype", code.to_owned())];
            (headers, json!({"__type": code, "message": text, "Type": "User"}).to_string())
        }
    };
    Verdict::Answer(status, headers, body)
}

/// From now on each hazard happens as often as it says. Answers what is left of each.
fn put_in(lab: &Lab, hazards: &'static [Hazard]) -> Arc<Vec<AtomicUsize>> {
    let left: Arc<Vec<AtomicUsize>> =
        Arc::new(hazards.iter().map(|hazard| AtomicUsize::new(hazard.1)).collect());
    let counts = left.clone();
    lab.proxy.judge(move |call| {
        let called = format!("{} {} ", call.service, call.operation);
        for ((part, _, status, code, text), left) in hazards.iter().zip(counts.iter()) {
            let fewer = |count: usize| count.checked_sub(1);
            if part.split('|').all(|part| called.contains(part))
                && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok()
            {
                return answer(call, *status, code, text);
            }
        }
        Verdict::Pass
    });
    left
}

#[test]
fn what_aws_says_while_it_is_not_ready_is_waited_out() {
    if skipped() {
        return;
    }
    let mut lab = Lab::shared("storm");
    for (arguments, hazards) in [(APPLY, IN_APPLY), (DESTROY, IN_DESTROY)] {
        let left = put_in(&lab, hazards);
        let (status, said) = lab.proxy.run(&mut lab.command(arguments));
        assert!(status.success(), "{said}");
        for (hazard, left) in hazards.iter().zip(left.iter()) {
            assert_eq!(left.load(Ordering::SeqCst), 0, "did not happen: {hazard:?}");
        }
    }
    assert_eq!(lab.census(), json!([]));
}

#[test]
fn what_does_not_pass_ends_the_run_with_resource_call_code_request_and_next_step() {
    const FINAL: &[(Hazard, &[&str])] = &[
        (
            ("dynamodb CreateTable", 99, 400, "AccessDeniedException", "User x is not authorized"),
            &["create the DynamoDB table cloudpix-final-metadata", "ask whoever grants them", "REQ-1"],
        ),
        (
            (
                "lambda POST /2015-03-31/functions",
                99,
                400,
                "CodeStorageExceededException",
                "Code storage limit exceeded.",
            ),
            &["create the Lambda function cloudpix-final-", "lambda:CreateFunction", "REQ-1"],
        ),
        (
            (
                "s3 PUT|?notification",
                99,
                400,
                "InvalidArgument",
                "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
            ),
            &["create the S3 notification cloudpix-final-images-", "S3 takes one; remove it", "REQ-S3"],
        ),
        (
            ("iam CreateRole", 99, 409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000"),
            &["create the IAM role cloudpix-final-", "raise it in Service Quotas", "REQ-IAM"],
        ),
        (
            (
                "dynamodb CreateTable",
                99,
                400,
                "LimitExceededException",
                "Cannot exceed 2500 tables per account",
            ),
            &["create the DynamoDB table", "raise it in Service Quotas"],
        ),
    ];
    if skipped() {
        return;
    }
    let lab = Lab::shared("final");
    for ((part, _, status, code, text), expected) in FINAL {
        lab.proxy.judge(move |call| {
            let called = format!("{} {}", call.service, call.operation);
            let hit = part.split('|').all(|part| called.contains(part));
            if hit { answer(call, *status, code, text) } else { Verdict::Pass }
        });
        let begin = Instant::now();
        let (status, said) = lab.proxy.run(&mut lab.command(APPLY));
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(begin.elapsed() < Duration::from_mins(1), "{code} was retried for {:?}", begin.elapsed());
        for part in expected.iter().chain([code, text, &"run again to go on"]) {
            assert!(said.contains(part), "{part:?} is not in\n{said}");
        }
        lab.passes(DESTROY);
    }
}

/// What S3 answers 200 to can have failed all the same, key by key.
#[test]
fn an_object_that_cannot_be_deleted_ends_the_run_and_the_bucket_stays() {
    if skipped() {
        return;
    }
    let mut lab = Lab::shared("held");
    lab.passes(APPLY);
    let bucket = lab.stack.outputs().bucket;
    lab.ask(&["write", &bucket, "uploads/held.jpg", "x"]);
    lab.proxy.judge(|call| {
        if call.service == "s3" && call.operation.starts_with("POST") && call.operation.contains("delete") {
            let error = "<Error><Key>uploads/held.jpg</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
            return Verdict::Answer(200, vec![], format!("<DeleteResult>{error}</DeleteResult>"));
        }
        Verdict::Pass
    });
    let (status, said) = lab.proxy.run(&mut lab.command(&["destroy", "--yes", "--delete-images"]));
    assert_eq!(status.code(), Some(1), "{said}");
    let told = "s3:DeleteObject: 1 of 1 objects were refused, the first being uploads/held.jpg: AccessDenied";
    assert!(said.contains(told) && said.contains("run again to go on"), "{said}");
    assert_eq!(lab.ask(&["objects", &bucket]), json!(["uploads/held.jpg"]));
    lab.passes(&["destroy", "--yes", "--delete-images"]);
    assert_eq!(lab.census(), json!([]));
}

/// API Gateway tells its machines of a deployment one by one.
#[test]
fn the_first_requests_after_a_deployment_may_fail() {
    if skipped() {
        return;
    }
    let lab = Lab::shared("fresh");
    lab.proxy.judge(|_| Verdict::Pass);
    let functions = crate::cloud::binaries();
    let apply = |arguments: &[&str]| {
        let mut command = lab.command(arguments);
        command.env("CLOUDPIX_FUNCTIONS", &functions);
        lab.proxy.run(&mut command)
    };
    let (status, said) = apply(&["apply", "--yes", "--package", "zip"]);
    assert!(status.success(), "{said}");
    let failures = Arc::new(AtomicUsize::new(0));
    let count = failures.clone();
    lab.proxy.judge(move |call| {
        let request = call.operation.contains("/_user_request_/list");
        if request && count.fetch_add(1, Ordering::SeqCst) < 2 {
            return Verdict::Answer(403, vec![], json!({"message": "Forbidden"}).to_string());
        }
        Verdict::Pass
    });
    let picture = crate::cloud::root().join("tests/images/coffee.jpg");
    let (status, said) = apply(&["outputs", "--curl", picture.to_str().unwrap()]);
    assert!(status.success(), "{said}");
    assert_eq!(failures.load(Ordering::SeqCst), 3, "two that fail and one that does not");
    lab.passes(DESTROY);
}

/// A function that failed does not become active by waiting.
#[test]
fn a_function_that_failed_is_said_at_once_with_its_reason() {
    if skipped() {
        return;
    }
    let lab = Lab::shared("broken");
    // Before, it is not there, and the plan is to make it.
    let made = AtomicBool::new(false);
    lab.proxy.judge(move |call| {
        made.fetch_or(call.operation == "POST /2015-03-31/functions", Ordering::SeqCst);
        let asked = call.operation == "GET /2015-03-31/functions/cloudpix-broken-list";
        if asked && made.load(Ordering::SeqCst) {
            let configuration = json!({"State": "Failed", "StateReason": "The image is not there", "StateReasonCode": "ImageDeleted"});
            return Verdict::Answer(200, vec![], json!({"Configuration": configuration}).to_string());
        }
        Verdict::Pass
    });
    let (status, said) = lab.proxy.run(&mut lab.command(APPLY));
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("The image is not there (ImageDeleted)"), "{said}");
    lab.passes(DESTROY);
}

/// Sends `signals` once the table is asked for, which takes its time. Answers exit code, text, and time.
fn interrupted(lab: &Lab, signals: &'static [&'static str]) -> (Option<i32>, String, Duration) {
    lab.proxy.judge(|call| {
        let slow = call.operation == "CreateTable";
        Verdict::After(Duration::from_millis(if slow { 1500 } else { 20 }))
    });
    std::thread::scope(|scope| {
        let run = scope.spawn(|| lab.proxy.run(&mut lab.command(APPLY)));
        while !lab.proxy.calls().iter().any(|call| call.operation == "CreateTable") {
            assert!(!run.is_finished(), "it ended before the signal: {}", run.join().unwrap().1);
            std::thread::sleep(Duration::from_millis(5));
        }
        let begin = Instant::now();
        for signal in signals {
            lab.proxy.signal(signal);
            std::thread::sleep(Duration::from_millis(200));
        }
        while !run.is_finished() && begin.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let ended = begin.elapsed();
        let (status, said) = run.join().unwrap();
        (status.code(), said, ended)
    })
}

#[test]
fn the_first_signal_ends_in_good_order_and_the_second_at_once_and_neither_loses_anything() {
    if skipped() {
        return;
    }
    let mut lab = Lab::shared("stopped");
    lab.passes(APPLY);
    let whole = lab.census();
    lab.passes(DESTROY);
    for signals in [&["INT"][..], &["TERM"], &["INT", "INT"]] {
        let (code, said, _) = interrupted(&lab, signals);
        assert_eq!(code, Some(130), "{signals:?}: {said}");
        assert!(said.contains("finishing what is under way"), "{said}");
        assert_eq!(said.contains("steps to go; run again to go on"), signals.len() == 1, "{said}");
        let table = "created DynamoDB table";
        assert_eq!(said.contains(table), signals.len() == 1, "what was under way: {said}");
        lab.passes(APPLY);
        assert_eq!(lab.census(), whole, "after {signals:?}");
        lab.passes(DESTROY);
    }
    assert_eq!(lab.census(), Value::Array(vec![]));
}
