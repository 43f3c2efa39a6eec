//! The function that API Gateway asks whose request it is. It reads the environment, warms its connections, and answers
//! events one by one with policies.

use std::cell::Cell;
use std::process::ExitCode;

use authorize::decision::decide;
use authorize::event::Event;
use authorize::settings::Settings;
use catalog::environment::AwsEnvironment;
use catalog::log::{self, Line};
use image::moment::now;
use lambda_runtime::{LambdaEvent, service_fn};

// One request at a time runs in an environment, so more threads would only cost start time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log::exit_code(run().await)
}

async fn run() -> anyhow::Result<()> {
    let environment = AwsEnvironment::read()?;
    let authorizer = Settings::read(&environment)?.authorizer(&environment)?;
    authorizer.warm(now()).await;
    let cold_start = Cell::new(true);
    let answer = async |event: LambdaEvent<Event>| {
        let context = event.context;
        let line = Line::new(&context.request_id, &context.env_config.function_name, cold_start.take());
        let decision = decide(&authorizer, &event.payload, &line, now()).await;
        line.write(decision.status, decision.problem);
        // API Gateway takes no other status from an authorizer than that it failed, and tells nobody of this text. The
        // cause is in the line.
        decision.policy.ok_or_else(|| lambda_runtime::Error::from("the request could not be judged"))
    };
    lambda_runtime::run(service_fn(answer)).await.map_err(anyhow::Error::from_boxed)
}
