//! The function behind `GET /list` and `GET /images/{imageId}`: reads the environment, warms its
//! connection, serves.

use std::process::ExitCode;

use catalog::answer::Answers;
use catalog::aws::Aws;
use catalog::environment::Environment;
use catalog::index::Index;
use catalog::log;
use catalog::store::Store;
use gateway::serve::serve;
use image::moment::now;

use crate::handler::List;

mod handler;
mod query;

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
    let environment = Environment::read()?;
    let aws = Aws::new(&environment)?;
    let list = List {
        store: Store::new(&aws, &environment.bucket),
        index: Index::new(&aws, &environment.table),
        answers: Answers::new(environment.allow_origin),
    };
    // Links are signed without S3, so there is no connection to it.
    list.index.warm_for_listing().await;
    serve(async |request, line: &_| list.answer(&request, line, now()).await).await
}
