//! The function behind `POST /upload` and `DELETE /images/{imageId}`: reads the environment, warms its
//! connections, serves.

use std::process::ExitCode;

use catalog::answer::Answers;
use catalog::aws::Aws;
use catalog::environment::Environment;
use catalog::index::Index;
use catalog::log;
use catalog::store::Store;
use gateway::serve::serve;
use image::moment::now;

use crate::handler::Upload;

mod asked;
mod delete;
mod handler;
mod json;
mod keep;
mod payload;
mod request;

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
    let upload = Upload {
        store: Store::new(&aws, &environment.bucket),
        index: Index::new(&aws, &environment.table),
        answers: Answers::new(environment.allow_origin),
        max_pixels: environment.max_pixels,
        max_upload_bytes: environment.max_upload_bytes,
    };
    tokio::join!(upload.store.warm(), upload.index.warm_for_writing());
    serve(async |request, line: &_| upload.answer(request, line, now()).await).await
}
