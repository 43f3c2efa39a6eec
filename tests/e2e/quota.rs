//! A proxy that enforces AWS's quotas, as no emulator does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::cloud::skipped;
use crate::crash::{APPLY, DESTROY, Lab};
use crate::pictures::send;
use crate::proxy::{Call, Verdict};

/// Name, calls a second, and at once: what AWS publishes for API Gateway's control plane, in the words
/// of its developer guide ("API Gateway quotas for creating, deploying and managing an API").
fn quotas(call: &Call) -> Vec<(&'static str, f64, f64)> {
    let (method, path) = call.operation.split_once(' ').unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let depth = path.split('/').count() - 1;
    match (call.service.as_str(), method) {
        ("apigateway", method) => {
            let own = match (method, depth) {
                ("POST", 1) if path == "/restapis" => Some(("CreateRestApi", 1.0 / 3.0, 1.0)),
                ("DELETE", 2) if path.starts_with("/restapis/") => Some(("DeleteRestApi", 1.0 / 30.0, 1.0)),
                ("POST", 3) if path.ends_with("/deployments") => Some(("CreateDeployment", 0.2, 1.0)),
                ("POST", 4) if path.contains("/resources/") => Some(("CreateResource", 5.0, 5.0)),
                ("GET", 3) if path.ends_with("/resources") => Some(("GetResources", 2.5, 5.0)),
                ("PATCH", 2) if path.starts_with("/usageplans/") => Some(("UpdateUsagePlan", 0.05, 1.0)),
                _ => None,
            };
            own.into_iter().chain([("API Gateway", 10.0, 40.0)]).collect()
        }
        ("lambda", "GET") if path.ends_with("/policy") => vec![("GetPolicy", 15.0, 15.0)],
        ("lambda", method) if method != "GET" => vec![("Lambda", 15.0, 15.0)],
        _ => vec![],
    }
}

/// Answers 429 as API Gateway and Lambda do where a bucket is empty. Answers how often it did so.
fn enforce(lab: &Lab) -> Arc<Mutex<Vec<&'static str>>> {
    let refused = Arc::new(Mutex::new(Vec::new()));
    let (seen, buckets) = (refused.clone(), Mutex::new(BTreeMap::<&str, (f64, Instant)>::new()));
    lab.proxy.judge(move |call| {
        let mut buckets = buckets.lock().unwrap();
        for (name, rate, burst) in quotas(call) {
            let (left, since) = buckets.entry(name).or_insert((burst, call.at));
            *left = (*left + call.at.saturating_duration_since(*since).as_secs_f64() * rate).min(burst);
            *since = call.at;
            if *left < 1.0 {
                seen.lock().unwrap().push(name);
                let kind = vec![("x-amzn-errortype", "TooManyRequestsException".to_owned())];
                return Verdict::Answer(429, kind, r#"{"message":"Too Many Requests"}"#.to_owned());
            }
            *left -= 1.0;
        }
        Verdict::Pass
    });
    refused
}

#[test]
fn with_the_limiter_no_call_is_refused_for_its_rate() {
    if skipped() {
        return;
    }
    let lab = Lab::shared("limited");
    let refused = enforce(&lab);
    let run = |arguments: &[&str]| {
        let (status, said) = lab.proxy.run(lab.command(arguments).env("CLOUDPIX_RATE_LIMITS", "on"));
        assert!(status.success(), "{said}");
        std::mem::take(&mut *refused.lock().unwrap())
    };
    assert_eq!(run(APPLY), [""; 0]);
    // A new process knows of no earlier calls, but a destroy asks for other ones.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(run(DESTROY), [""; 0]);
    // And the proxy does refuse those that do not wait.
    let scope = "AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/apigateway/aws4_request";
    let send =
        || send("POST", &format!("{}/restapis", lab.proxy.endpoint), &[("authorization", scope)], b"").status;
    assert_eq!([send() == 429, send() == 429], [false, true]);
}
