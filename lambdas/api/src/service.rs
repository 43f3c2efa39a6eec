//! What routes are served with, and the program around them: it reads the environment, warms its
//! connections, and serves until Lambda ends it.

use std::process::ExitCode;

use catalog::access::Access;
use catalog::aws::Aws;
use catalog::environment::Environment;
use catalog::index::Index;
use catalog::log::{self, Line};
use catalog::store::Store;
use contract::Auth;
use image::moment::now;
use jiff::Timestamp;

use crate::answer::{Answer, Answers};
use crate::caller::Caller;
use crate::gateway::serve::serve;
use crate::reject::Reject;
use crate::request::Request;
use crate::route::admit;

pub struct Service {
    pub store: Store,
    pub index: Index,
    /// Where people sign in, their keys for programs.
    pub access: Option<Access>,
    pub answers: Answers,
    pub limits: Limits,
    /// Who may call.
    pub auth: Auth,
}

/// What images may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_pixels: u64,
    /// Those that are sent to a presigned URL.
    pub max_upload_bytes: u64,
}

/// Serves requests by `route`, which decides by method and path for a caller who may do that. `warm` opens the connections that the first
/// request would wait for.
pub async fn main(
    warm: impl AsyncFn(&Service),
    route: impl AsyncFn(&Service, &Caller, Request, &Line, Timestamp) -> Result<Answer, Reject>,
) -> ExitCode {
    log::exit_code(run(warm, route).await)
}

async fn run(
    warm: impl AsyncFn(&Service),
    route: impl AsyncFn(&Service, &Caller, Request, &Line, Timestamp) -> Result<Answer, Reject>,
) -> anyhow::Result<()> {
    let service = Service::new(&Environment::read()?)?;
    warm(&service).await;
    serve(async |request, line: &_| service.answer(&route, request, line, now()).await).await
}

impl Service {
    fn new(environment: &Environment) -> anyhow::Result<Service> {
        let aws = Aws::new(&environment.aws)?;
        Ok(Service {
            store: Store::new(&aws, &environment.bucket),
            index: Index::new(&aws, &environment.table),
            access: environment.access_table.as_ref().map(|table| Access::new(&aws, table)),
            answers: Answers::new(&environment.allow_origin)?,
            limits: Limits {
                max_pixels: environment.max_pixels,
                max_upload_bytes: environment.max_upload_bytes,
            },
            auth: environment.auth,
        })
    }

    /// Answers a request, whatever happens. No route sees one whose caller is not known, or may not do it.
    pub async fn answer(
        &self,
        route: &impl AsyncFn(&Service, &Caller, Request, &Line, Timestamp) -> Result<Answer, Reject>,
        request: Request,
        line: &Line,
        now: Timestamp,
    ) -> Answer {
        let outcome = match admit(&request, self.auth) {
            Ok(caller) => {
                line.by(caller.by.id().map(str::to_owned));
                route(self, &caller, request, line, now).await
            }
            Err(reject) => Err(reject),
        };
        self.answers.settle(outcome, line)
    }
}
