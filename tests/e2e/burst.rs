//! Bad weather all over: microburst throttles, fails, delays and cuts calls of every service.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{python, root, skipped};
use crate::crash::{APPLY, DESTROY, Lab};
use crate::pictures::send;

/// How each service throttles and how it fails.
const SERVICES: [(&str, &str, &str); 8] = [
    ("s3", "SlowDown", "InternalError"),
    ("dynamodb", "ThrottlingException", "InternalServerError"),
    ("iam", "Throttling", "ServiceFailure"),
    ("lambda", "TooManyRequestsException", "ServiceException"),
    ("apigateway", "TooManyRequestsException", "ServiceUnavailableException"),
    ("logs", "ThrottlingException", "ServiceUnavailableException"),
    ("ecr", "ThrottlingException", "ServerException"),
    ("sts", "Throttling", "InternalFailure"),
];

struct Microburst {
    child: Child,
    endpoint: String,
}

impl Microburst {
    fn start(upstream: &str, rules: &[Value]) -> Microburst {
        // Free a moment ago; nobody else of this test asks for one just now.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = python()
            .arg(root().join("tests/e2e/between.py"))
            .args(["--upstream", upstream, "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let burst = Microburst { child, endpoint: format!("http://127.0.0.1:{port}") };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "microburst does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        let rules = json!(rules).to_string();
        let url = format!("{}/_microburst/rules", burst.endpoint);
        let answer = send("POST", &url, &[("content-type", "application/json")], rules.as_bytes());
        assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
        burst
    }

    fn fired(&self) -> Vec<Value> {
        let answer = send("GET", &format!("{}/_microburst/fired", self.endpoint), &[], b"");
        serde_json::from_slice::<Value>(&answer.body).unwrap().as_array().unwrap().clone()
    }
}

impl Drop for Microburst {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn apply_and_destroy_converge_under_throttles_failures_delays_and_cuts() {
    if skipped() {
        return;
    }
    let mut lab = Lab::shared("burst");
    lab.passes(APPLY);
    let whole = lab.census();
    lab.passes(DESTROY);

    // Where the service's model says no status, microburst answers 400, which no server's failure has.
    let rule = |service: &str, code: &str, status: u16| json!({"service": service, "probability": 0.1, "error": {"code": code, "status": status}});
    // S3 says SlowDown with 503, which an answer to a HEAD, without a body, is known by.
    let slowed = |service: &str| if service == "s3" { 503 } else { 429 };
    let faults = SERVICES.iter().flat_map(|(service, slow, broken)| {
        [rule(service, slow, slowed(service)), rule(service, broken, 500)]
    });
    let mut rules: Vec<Value> = faults.collect();
    rules.push(json!({"service": "*", "probability": 0.05, "reset": true}));
    rules.push(json!({"service": "*", "latency": 200}));
    let burst = Microburst::start(&lab.stack.emulator.endpoint, &rules);
    for (arguments, left) in [(APPLY, whole), (DESTROY, json!([]))] {
        let output = lab.command(arguments).env("AWS_ENDPOINT_URL", &burst.endpoint).output().unwrap();
        assert!(output.status.success(), "{}", crate::cloud::text(&output));
        assert_eq!(lab.census(), left, "{arguments:?}");
    }
    let fired = burst.fired();
    let count =
        |part: &str| fired.iter().filter(|fault| fault["action"].as_str().unwrap().contains(part)).count();
    eprintln!("errors {}, resets {}, delays {}", count("error"), count("reset"), count("latency"));
    assert!(count("error") >= 5 && count("latency") >= 50, "the weather was fair: {fired:?}");
}
