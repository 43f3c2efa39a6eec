//! AWS's published quotas on calls, kept by waiting before a call and not by being refused after it.
//!
//! It stands below the SDK's retries, so that a repeated call waits for its turn too. What another
//! process uses up meanwhile is not known here: then AWS throttles, and the SDK backs off.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// So many calls in so many seconds, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Quota {
    name: &'static str,
    calls: f64,
    seconds: f64,
    burst: f64,
}

const fn quota(name: &'static str, calls: f64, seconds: f64, burst: f64) -> Quota {
    Quota { name, calls, seconds, burst }
}

/// The quotas that a call of API Gateway uses up, by its method and the parts of its path.
///
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
fn api_gateway(method: &str, path: &[&str]) -> Vec<Quota> {
    let own = match (method, path) {
        ("POST", ["restapis"]) => Some(quota("CreateRestApi", 1.0, 3.0, 1.0)),
        ("DELETE", ["restapis", _]) => Some(quota("DeleteRestApi", 1.0, 30.0, 1.0)),
        ("POST", ["restapis", _, "deployments"]) => Some(quota("CreateDeployment", 1.0, 5.0, 1.0)),
        ("POST", ["restapis", _, "resources", _]) => Some(quota("CreateResource", 5.0, 1.0, 5.0)),
        ("DELETE", ["restapis", _, "resources", _]) => Some(quota("DeleteResource", 5.0, 1.0, 5.0)),
        ("GET", ["restapis", _, "resources"]) => Some(quota("GetResources", 5.0, 2.0, 5.0)),
        ("POST", ["apikeys"]) => Some(quota("CreateApiKey", 5.0, 1.0, 5.0)),
        ("DELETE", ["apikeys", _]) => Some(quota("DeleteApiKey", 5.0, 1.0, 5.0)),
        ("PATCH", ["usageplans", _]) => Some(quota("UpdateUsagePlan", 1.0, 20.0, 1.0)),
        _ => None,
    };
    own.into_iter().chain([quota("API Gateway", 10.0, 1.0, 40.0)]).collect()
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>, "API requests"
fn lambda(method: &str, path: &[&str]) -> Vec<Quota> {
    vec![match (method, path) {
        ("GET", [_, "functions", _]) => quota("GetFunction", 100.0, 1.0, 100.0),
        ("GET", [_, "functions", _, "policy"]) => quota("GetPolicy", 15.0, 1.0, 15.0),
        _ => quota("Lambda", 15.0, 1.0, 15.0),
    }]
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
fn logs(operation: &str) -> Vec<Quota> {
    let name = match operation {
        "CreateLogGroup" => "CreateLogGroup",
        "DeleteLogGroup" => "DeleteLogGroup",
        "DescribeLogGroups" => "DescribeLogGroups",
        "ListTagsForResource" => "ListTagsForResource",
        "PutRetentionPolicy" => "PutRetentionPolicy",
        _ => "CloudWatch Logs",
    };
    vec![quota(name, 5.0, 1.0, 10.0)]
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
fn cloudwatch(operation: &str) -> Vec<Quota> {
    vec![match operation {
        "DescribeAlarms" => quota("DescribeAlarms", 9.0, 1.0, 9.0),
        "PutMetricAlarm" => quota("PutMetricAlarm", 3.0, 1.0, 3.0),
        "DeleteAlarms" => quota("DeleteAlarms", 3.0, 1.0, 3.0),
        _ => quota("CloudWatch", 10.0, 1.0, 10.0),
    }]
}

/// S3 deletes 3,500 objects a second under one prefix, and one call takes a thousand.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html>
fn s3(method: &str, query: &str) -> Vec<Quota> {
    let delete = method == "POST" && query.split('&').any(|part| part == "delete" || part == "delete=");
    if delete { vec![quota("DeleteObjects", 3.5, 1.0, 3.0)] } else { vec![] }
}

fn quotas(request: &HttpRequest) -> Vec<Quota> {
    let uri = request.uri().split_once("://").map_or("", |(_, rest)| rest);
    let (host, rest) = uri.split_once('/').unwrap_or((uri, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // Signed or not yet, a request's scope or host says which service it is for.
    let scope = request.headers().get("authorization").and_then(|text| text.split_once("Credential="));
    let service = match scope {
        Some((_, scope)) => scope.split('/').nth(3).unwrap_or_default(),
        None => host.split('.').next().unwrap_or_default(),
    };
    match service {
        "apigateway" => api_gateway(request.method(), &path),
        "lambda" => lambda(request.method(), &path),
        "logs" => {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            logs(target.rsplit_once('.').map_or("", |(_, operation)| operation))
        }
        // Smithy's RPC v2 has the operation in the path: service/…/operation/PutMetricAlarm.
        "monitoring" => cloudwatch(path.last().copied().unwrap_or_default()),
        "s3" => s3(request.method(), query),
        _ => vec![],
    }
}

/// For each quota, the moment at which it would be as if nothing had been used of it (a "generic cell
/// rate algorithm": a token bucket that needs no clock of its own).
#[derive(Debug, Default)]
struct Meter(BTreeMap<&'static str, Instant>);

impl Meter {
    /// Takes one call out of each quota, and returns how long to wait until the quotas allow it.
    fn take(&mut self, quotas: &[Quota], now: Instant) -> Duration {
        let mut wait = Duration::ZERO;
        for Quota { name, calls, seconds, burst } in quotas {
            // A little slower and fewer than allowed: calls do not arrive quite as far apart as they leave.
            let interval = seconds / calls * 1.05;
            let burst = (burst * 0.85).floor().max(1.0);
            let full = self.0.entry(name).or_insert(now);
            let used = full.saturating_duration_since(now) + Duration::from_secs_f64(interval);
            *full = now + used;
            wait = wait.max(used.saturating_sub(Duration::from_secs_f64(interval * burst)));
        }
        wait
    }
}

/// An HTTP client whose calls wait for their turn.
#[derive(Debug)]
pub struct Limited {
    inner: SharedHttpClient,
    meter: Arc<Mutex<Meter>>,
}

impl Limited {
    pub fn new(inner: SharedHttpClient) -> Limited {
        Limited { inner, meter: Arc::default() }
    }
}

impl HttpClient for Limited {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Turn { inner, meter: self.meter.clone() })
    }
}

#[derive(Debug)]
struct Turn {
    inner: SharedHttpConnector,
    meter: Arc<Mutex<Meter>>,
}

impl HttpConnector for Turn {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let quotas = quotas(&request);
        let wait = match self.meter.lock() {
            Ok(mut meter) => meter.take(&quotas, Instant::now()),
            // Some other call panicked; going on without waiting is what AWS's own limits are for.
            Err(_) => Duration::ZERO,
        };
        if wait.is_zero() {
            return self.inner.call(request);
        }
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(wait).await;
            inner.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_uses_up_its_own_quota_and_its_services() {
        let names = |quotas: Vec<Quota>| quotas.iter().map(|quota| quota.name).collect::<Vec<_>>();
        assert_eq!(names(api_gateway("DELETE", &["restapis", "a1"])), ["DeleteRestApi", "API Gateway"]);
        assert_eq!(names(api_gateway("DELETE", &["restapis", "a1", "stages", "v1"])), ["API Gateway"]);
        assert_eq!(names(lambda("GET", &["2015-03-31", "functions", "f"])), ["GetFunction"]);
        assert_eq!(names(lambda("POST", &["2015-03-31", "functions"])), ["Lambda"]);
        assert_eq!(names(s3("POST", "delete")), ["DeleteObjects"]);
        assert_eq!(names(s3("DELETE", "versionId=delete")), [""; 0]);
        let mut request = HttpRequest::new(aws_smithy_types::body::SdkBody::empty());
        request.set_uri("https://apigateway.eu-west-1.amazonaws.com/restapis".to_owned()).unwrap();
        request.set_method("POST").unwrap();
        assert_eq!(names(quotas(&request)), ["CreateRestApi", "API Gateway"]);
    }

    #[test]
    fn a_burst_goes_at_once_and_then_one_an_interval_and_time_fills_it_again() {
        let (mut meter, begin) = (Meter::default(), Instant::now());
        let quotas = [quota("ten", 10.0, 1.0, 4.0)];
        let waits: Vec<u128> = (0..7).map(|_| meter.take(&quotas, begin).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 105, 210, 315, 420]);
        let later = begin + Duration::from_secs(10);
        assert_eq!(meter.take(&quotas, later), Duration::ZERO);
    }
}
