//! The function behind `GET /list`: reads the environment, warms its connection, serves.

use std::convert::Infallible;
use std::process::ExitCode;

use catalog::answer::Answers;
use catalog::aws::Aws;
use catalog::environment::Environment;
use catalog::index::Index;
use catalog::log;
use catalog::record::now;
use catalog::store::Store;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyRequest;
use lambda_http::{LambdaEvent, lambda_runtime, service_fn};

use crate::handler::List;

mod handler;
mod query;

// One request at a time runs in an environment, so more threads would only cost start time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::failure("", &error);
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let environment = Environment::read()?;
    let aws = Aws::new(&environment)?;
    let list = List {
        store: Store::new(&aws, &environment.bucket),
        index: Index::new(&aws, &environment.table),
        answers: Answers::new(environment.allow_origin),
    };
    // Links are signed without S3, so there is no connection to it.
    list.index.warm_for_listing().await;
    let answer = async |event: LambdaEvent<ApiGatewayProxyRequest>| {
        Ok::<_, Infallible>(list.answer(event.payload, &event.context.request_id, now()).await)
    };
    lambda_runtime::run(service_fn(answer)).await.map_err(anyhow::Error::from_boxed)
}
