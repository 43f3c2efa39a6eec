//! What routes are served with, and the program around them: it reads the environment, warms its
//! connections, and serves until Lambda ends it.

use std::process::ExitCode;

use catalog::aws::Aws;
use catalog::environment::Environment;
use catalog::index::Index;
use catalog::log::{self, Line};
use catalog::store::Store;
use image::moment::now;
use jiff::Timestamp;

use crate::answer::{Answer, Answers};
use crate::gateway::serve::serve;
use crate::reject::Reject;
use crate::request::Request;

pub struct Service {
    pub store: Store,
    pub index: Index,
    pub answers: Answers,
    pub limits: Limits,
}

/// What images may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_pixels: u64,
    /// Those that are sent to a presigned URL.
    pub max_upload_bytes: u64,
}

/// Serves requests by `route`, which decides by method and path. `warm` opens the connections that the first
/// request would wait for.
pub async fn main(
    warm: impl AsyncFn(&Service),
    route: impl AsyncFn(&Service, Request, &Line, Timestamp) -> Result<Answer, Reject>,
) -> ExitCode {
    match run(warm, route).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::failure(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(
    warm: impl AsyncFn(&Service),
    route: impl AsyncFn(&Service, Request, &Line, Timestamp) -> Result<Answer, Reject>,
) -> anyhow::Result<()> {
    let service = Service::new(&Environment::read()?)?;
    warm(&service).await;
    serve(async |request, line: &_| service.answer(&route, request, line, now()).await).await
}

impl Service {
    fn new(environment: &Environment) -> anyhow::Result<Service> {
        let aws = Aws::new(environment)?;
        Ok(Service {
            store: Store::new(&aws, &environment.bucket),
            index: Index::new(&aws, &environment.table),
            answers: Answers::new(&environment.allow_origin)?,
            limits: Limits {
                max_pixels: environment.max_pixels,
                max_upload_bytes: environment.max_upload_bytes,
            },
        })
    }

    /// Answers a request, whatever happens.
    pub async fn answer(
        &self,
        route: &impl AsyncFn(&Service, Request, &Line, Timestamp) -> Result<Answer, Reject>,
        request: Request,
        line: &Line,
        now: Timestamp,
    ) -> Answer {
        let outcome = route(self, request, line, now).await;
        self.answers.settle(outcome, line)
    }
}
