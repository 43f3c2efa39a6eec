//! The function that new objects under `uploads/` start: reads the environment, warms its connections,
//! and takes events one by one. Told so, the same program is the child that decodes a picture.

use std::cell::Cell;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use catalog::aws::Aws;
use catalog::environment::Environment;
use catalog::index::Index;
use catalog::log::{self, Line};
use catalog::store::Store;
use image::moment::now;
use lambda_runtime::{LambdaEvent, service_fn};
use process::child;
use process::decoder::{Decoder, this_program};
use serde::Serialize;

use crate::event::Event;
use crate::handler::handle;
use crate::maker::Maker;
use crate::settings::Settings;
use crate::step::{Outcome, Process};

mod adopt;
mod arrival;
mod draft;
mod event;
mod handler;
mod later;
mod maker;
mod object;
mod settings;
mod step;
mod thumbnails;

/// Nobody waits for an answer, and S3 may take its time to copy a large object.
const ATTEMPT: Duration = Duration::from_secs(20);
const OPERATION: Duration = Duration::from_secs(40);
/// Limits of a call to the table: longer than where a client waits.
const INDEX_ATTEMPT: Duration = Duration::from_secs(3);
const INDEX_OPERATION: Duration = Duration::from_secs(10);

/// What a synchronous caller hears of an object; S3 listens to nothing.
#[derive(Serialize)]
struct Told {
    key: String,
    outcome: Outcome,
}

fn main() -> ExitCode {
    match child::asked(std::env::args()) {
        Some(bounds) => child::run(bounds, thumbnail::make),
        None => serve(),
    }
}

// One event at a time runs in an environment, so more threads would only cost start time.
#[tokio::main(flavor = "current_thread")]
async fn serve() -> ExitCode {
    log::exit_code(run().await)
}

async fn run() -> anyhow::Result<()> {
    let environment = Environment::read()?;
    let settings = Settings::read(environment.max_pixels)?;
    let aws = Aws::new(&environment.aws)?;
    let process = Process {
        store: Store::with_times(&aws, &environment.bucket, ATTEMPT, OPERATION),
        index: Index::with_times(&aws, &environment.table, INDEX_ATTEMPT, INDEX_OPERATION),
        maker: Maker::new(settings.thumbnails, Decoder::new(this_program()?, settings.bounds)),
        bucket: environment.bucket,
        max_pixels: environment.max_pixels,
        max_held: settings.max_held,
        clock: now,
    };
    // A child of a process that holds credentials may not look into it.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_dumpable(false).context("hide from children")?;
    let (child, ..) =
        tokio::join!(process.maker.decoder.warm(), process.store.warm(), process.index.warm_for_writing());
    child?;
    let cold_start = Cell::new(true);
    let answer = async |event: LambdaEvent<Event>| {
        let function = &event.context.env_config.function_name;
        let mut told = Vec::new();
        let mut failed = None;
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        process.maker.until(Instant::now() + left);
        for arrival in event.payload.arrivals() {
            let line = Line::new(&event.context.request_id, function, cold_start.take());
            let outcome = handle(&process, &arrival, &line).await;
            match &outcome {
                Ok(outcome) => told.push(Told { key: arrival.key, outcome: *outcome }),
                Err(failure) => {
                    line.cause(failure.cause());
                    failed = Some(format!("{:#}", failure.cause()));
                }
            }
            line.write_outcome(outcome.ok().map(Outcome::name));
        }
        // Lambda delivers a failed event again, and what is done by then costs one look.
        failed.map_or(Ok(told), |message| Err(lambda_runtime::Error::from(message)))
    };
    lambda_runtime::run(service_fn(answer)).await.map_err(anyhow::Error::from_boxed)
}
