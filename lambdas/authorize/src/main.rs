//! The function that API Gateway asks whose request it is. It reads the environment, warms its connections, and answers
//! events one by one with policies.

use std::cell::Cell;
use std::process::ExitCode;

use anyhow::anyhow;
use authorize::authorizer::Authorizer;
use authorize::event::Event;
use authorize::policy::Policy;
use authorize::settings::Settings;
use catalog::environment::AwsEnvironment;
use catalog::failure::Failure;
use catalog::log::{self, Line};
use image::moment::now;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};

// One request at a time runs in an environment, so more threads would only cost start time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::failure(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let environment = AwsEnvironment::read()?;
    let authorizer = Settings::read(&environment)?.authorizer(&environment)?;
    authorizer.warm(now()).await;
    let cold_start = Cell::new(true);
    let answer = async |event: LambdaEvent<Event>| {
        let context = event.context;
        let line = Line::new(&context.request_id, &context.env_config.function_name, cold_start.take());
        decide(&authorizer, &event.payload, &line, now()).await
    };
    lambda_runtime::run(service_fn(answer)).await.map_err(anyhow::Error::from_boxed)
}

/// Answers with a policy, and logs the request's line. Only a failure of ours fails, for which API Gateway sends 500.
async fn decide(
    authorizer: &Authorizer,
    event: &Event,
    line: &Line,
    now: Timestamp,
) -> Result<Policy, lambda_runtime::Error> {
    let judged = match event.stage() {
        Some(stage) => authorizer.judge(event, line, now).await.map(|judged| (stage, judged)),
        None => Err(Failure::Broken(anyhow!("the event is none of API Gateway's"))),
    };
    match judged {
        Ok((stage, Ok(grant))) => {
            line.write(200, None);
            Ok(Policy::allow(&stage, &grant))
        }
        Ok((stage, Err(refusal))) => {
            line.remark(refusal.to_string());
            line.write(401, Some("unauthorized"));
            Ok(Policy::deny(&stage))
        }
        Err(failure) => {
            line.cause(failure.cause());
            let (status, problem) = match failure {
                Failure::Busy(_) => (503, "unavailable"),
                Failure::Broken(_) => (500, "internal-server-error"),
            };
            line.write(status, Some(problem));
            // API Gateway takes no other status from an authorizer. Its answer says nothing of this text, and the
            // cause is in the line.
            Err(lambda_runtime::Error::from("the request could not be judged"))
        }
    }
}
