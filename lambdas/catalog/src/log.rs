//! One line of JSON on stderr for each failure, which CloudWatch takes as one event. Bodies, signed
//! URLs and credentials never get here: what is logged is the chain of an error, made by ourselves.

use std::io::Write;

use serde_json::json;

/// Logs what went wrong with its whole chain of causes. `request_id` is Lambda's, empty at start.
pub fn failure(request_id: &str, error: &anyhow::Error) {
    let line = json!({ "level": "ERROR", "requestId": request_id, "message": format!("{error:#}") });
    // A closed stderr is no reason to fail the request, and there is no other place to tell it.
    writeln!(std::io::stderr().lock(), "{line}").ok();
}
