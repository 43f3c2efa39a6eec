//! What CloudWatch gets to read: one line of JSON for each request, on stdout, which carries the
//! metrics too, in the embedded metric format that CloudWatch Logs takes them from:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//! Bodies, signed URLs, idempotency keys and credentials never get here: a line holds what is listed
//! below, and the causes of failures, which are chains of errors made by ourselves.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

const NAMESPACE: &str = "CloudPix";

/// How a function's program ends: one that could not go on says why.
pub fn exit_code(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Logs what went wrong outside of any request, with its whole chain of causes.
pub fn failure(error: &anyhow::Error) {
    let line = json!({ "level": "ERROR", "message": format!("{error:#}") });
    // A closed stderr is no reason to fail, and there is no other place to tell it.
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// What is noted while a request is served, to become its line when the answer is known. One request
/// runs at a time, and parts of it at once, so notes are taken through a shared reference.
#[derive(Debug)]
pub struct Line {
    began: Instant,
    request_id: String,
    function: String,
    cold_start: bool,
    route: RefCell<Option<String>>,
    by: RefCell<Option<String>>,
    image_id: Cell<Option<Uuid>>,
    bytes: Cell<Option<u64>>,
    uploaded: Cell<bool>,
    calls: RefCell<BTreeMap<&'static str, Duration>>,
    remarks: RefCell<Vec<String>>,
    causes: RefCell<Vec<String>>,
}

impl Line {
    /// `request_id` is Lambda's.
    pub fn new(request_id: &str, function: &str, cold_start: bool) -> Line {
        Line {
            began: Instant::now(),
            request_id: request_id.to_owned(),
            function: function.to_owned(),
            cold_start,
            route: RefCell::default(),
            by: RefCell::default(),
            image_id: Cell::default(),
            bytes: Cell::default(),
            uploaded: Cell::default(),
            calls: RefCell::default(),
            remarks: RefCell::default(),
            causes: RefCell::default(),
        }
    }

    pub fn route(&self, route: Option<String>) {
        self.route.replace(route);
    }

    /// Whether a person or which of their keys asks, where callers are told apart: so it can be found out what
    /// was done with a key that got lost.
    pub fn by(&self, by: Option<String>) {
        self.by.replace(by);
    }

    pub fn image(&self, image_id: Uuid) {
        self.image_id.set(Some(image_id));
    }

    /// Size of the image that came along.
    pub fn bytes(&self, bytes: u64) {
        self.bytes.set(Some(bytes));
    }

    /// The image that came along is kept now; it counts as an upload.
    pub fn uploaded(&self) {
        self.uploaded.set(true);
    }

    /// Waits for a call to AWS and adds up its time under `name`.
    pub async fn timed<T>(&self, name: &'static str, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let result = call.await;
        *self.calls.borrow_mut().entry(name).or_default() += began.elapsed();
        result
    }

    /// Something that is no failure, and worth knowing to whoever looks into it.
    pub fn remark(&self, remark: String) {
        self.remarks.borrow_mut().push(remark);
    }

    /// Something of ours went wrong, whether or not the client hears of it.
    pub fn cause(&self, error: &anyhow::Error) {
        self.causes.borrow_mut().push(format!("{error:#}"));
    }

    /// Logs what became of an object that an event named; `None` if that failed.
    pub fn write_outcome(&self, outcome: Option<&'static str>) {
        let line = self.outcome_json(outcome, Timestamp::now());
        writeln!(std::io::stdout().lock(), "{line}").ok();
    }

    pub fn outcome_json(&self, outcome: Option<&'static str>, now: Timestamp) -> Value {
        let (mut line, metrics) = self.common();
        line["outcome"] = outcome.unwrap_or("failed").into();
        line["_aws"] = metrics_of(now, &[by_function(&metrics)]);
        line
    }

    /// Logs a request that was answered with this status and, if that is a refusal or a failure, this kind of
    /// problem.
    pub fn write(&self, status: u16, problem: Option<&'static str>) {
        let line = self.json(status, problem, Timestamp::now());
        writeln!(std::io::stdout().lock(), "{line}").ok();
    }

    /// The line, with the metrics that apply. A dimension has few values: one for each function, and
    /// one for each kind of problem.
    pub fn json(&self, status: u16, problem: Option<&'static str>, now: Timestamp) -> Value {
        let (mut line, metrics) = self.common();
        line["route"] = self.route.take().into();
        line["status"] = status.into();
        if let Some(by) = self.by.take() {
            line["by"] = by.into();
        }
        let mut directives = vec![by_function(&metrics)];
        if let Some(problem) = problem {
            line["Reason"] = problem.into();
            line["Rejects"] = 1.into();
            directives.push(json!({
                "Namespace": NAMESPACE,
                "Dimensions": [["FunctionName", "Reason"]],
                "Metrics": [{ "Name": "Rejects", "Unit": "Count" }],
            }));
        }
        line["_aws"] = metrics_of(now, &directives);
        line
    }

    /// What every line holds, and its metrics by function.
    fn common(&self) -> (Value, Vec<Value>) {
        let causes = self.causes.take();
        let time = milliseconds(self.began.elapsed());
        let mut line = json!({
            "level": if causes.is_empty() { "INFO" } else { "ERROR" },
            "requestId": self.request_id,
            "coldStart": self.cold_start,
            "totalMs": time,
            "Latency": time,
            "FunctionName": self.function,
        });
        let mut metrics = vec![json!({ "Name": "Latency", "Unit": "Milliseconds" })];
        for (name, time) in self.calls.take() {
            line[name] = milliseconds(time).into();
        }
        if let Some(image_id) = self.image_id.get() {
            line["imageId"] = image_id.to_string().into();
        }
        if let Some(bytes) = self.bytes.get() {
            line["bytes"] = bytes.into();
        }
        if self.uploaded.get() {
            line["Uploads"] = 1.into();
            line["UploadedBytes"] = self.bytes.get().into();
            metrics.push(json!({ "Name": "Uploads", "Unit": "Count" }));
            metrics.push(json!({ "Name": "UploadedBytes", "Unit": "Bytes" }));
        }
        let remarks = self.remarks.take();
        if !remarks.is_empty() {
            line["remarks"] = remarks.into();
        }
        if !causes.is_empty() {
            line["causes"] = causes.into();
        }
        (line, metrics)
    }
}

fn by_function(metrics: &[Value]) -> Value {
    json!({ "Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": metrics })
}

fn metrics_of(now: Timestamp, directives: &[Value]) -> Value {
    json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": directives })
}

/// With three decimals.
fn milliseconds(time: Duration) -> f64 {
    let microseconds = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    f64::from(microseconds) / 1000.0
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    /// The line without what differs from run to run.
    fn json(line: &Line, status: u16, problem: Option<&'static str>) -> Value {
        let now = "2026-11-23T04:05:06.789Z".parse().unwrap();
        let mut json = line.json(status, problem, now);
        for time in ["totalMs", "Latency", "s3PutMs"] {
            if let Some(time) = json.get_mut(time) {
                assert!(time.as_f64().is_some_and(|time| (0.0..5000.0).contains(&time)), "{time}");
                *time = 0.into();
            }
        }
        json
    }

    #[tokio::test]
    async fn an_upload_is_a_line_and_its_metrics() {
        let line = Line::new("request", "cloudpix-upload", true);
        line.route(Some("POST /upload".to_owned()));
        line.by(Some("user".to_owned()));
        line.image(Uuid::from_u128(7));
        line.bytes(70);
        line.uploaded();
        assert_eq!(line.timed("s3PutMs", async { 5 }).await, 5);
        assert_eq!(
            json(&line, 201, None),
            json!({
                "level": "INFO",
                "requestId": "request",
                "route": "POST /upload",
                "by": "user",
                "status": 201,
                "imageId": "00000000-0000-0000-0000-000000000007",
                "bytes": 70,
                "coldStart": true,
                "totalMs": 0,
                "s3PutMs": 0,
                "FunctionName": "cloudpix-upload",
                "Latency": 0,
                "Uploads": 1,
                "UploadedBytes": 70,
                "_aws": {
                    "Timestamp": 1_795_406_706_789_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "CloudPix",
                        "Dimensions": [["FunctionName"]],
                        "Metrics": [
                            { "Name": "Latency", "Unit": "Milliseconds" },
                            { "Name": "Uploads", "Unit": "Count" },
                            { "Name": "UploadedBytes", "Unit": "Bytes" },
                        ],
                    }],
                },
            })
        );
    }

    #[test]
    fn a_refusal_counts_by_its_reason_and_a_failure_says_its_causes() {
        let line = Line::new("request", "cloudpix-upload", false);
        let refused = json(&line, 422, Some("too-many-pixels"));
        assert_eq!((&refused["level"], &refused["status"]), (&json!("INFO"), &json!(422)));
        assert_eq!((&refused["Reason"], &refused["Rejects"]), (&json!("too-many-pixels"), &json!(1)));
        assert_eq!(
            refused["_aws"]["CloudWatchMetrics"][1],
            json!({
                "Namespace": "CloudPix",
                "Dimensions": [["FunctionName", "Reason"]],
                "Metrics": [{ "Name": "Rejects", "Unit": "Count" }],
            })
        );
        assert_eq!(refused.get("causes"), None);

        line.cause(&anyhow!("throttled").context("put record 7"));
        let failed = json(&line, 503, Some("unavailable"));
        assert_eq!((&failed["level"], &failed["status"]), (&json!("ERROR"), &json!(503)));
        assert_eq!(
            (&failed["Reason"], &failed["causes"]),
            (&json!("unavailable"), &json!(["put record 7: throttled"]))
        );
    }
}
