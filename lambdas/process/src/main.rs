//! The function that new objects under `uploads/` start.

use std::process::ExitCode;

use catalog::log;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

// One event at a time runs in an environment, so more threads would only cost start time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let handle = async |_: LambdaEvent<Value>| Ok::<_, lambda_runtime::Error>(json!([]));
    match lambda_runtime::run(service_fn(handle)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::failure(&anyhow::Error::from_boxed(error));
            ExitCode::FAILURE
        }
    }
}
