//! `provision`: arguments in, exit code out. Every command reads as its own flow, left to right.

mod apply;
mod aws;
mod backfill;
mod cli;
mod commands;
mod compare;
mod cost;
mod finding;
mod interrupt;
mod live;
mod outputs;
mod package;
mod pass;
mod permissions;
mod plan;
mod redrive;
mod reindex;
mod release;
mod report;
mod session;
mod settings;
mod shell;
mod smoke;
mod source;
mod stack;
mod state;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};
use commands::destroy::Images;
use release::Test;

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command, common } = Cli::parse();
    if let Err(error) = interrupt::listen() {
        report::error(&anyhow::Error::new(error).context("listen for signals"));
        return ExitCode::FAILURE;
    }
    let done = match command {
        Command::Plan(code) => commands::plan::run(&common, &code).await,
        Command::Apply { code, run } => commands::apply::run(&common, &code, &run).await,
        Command::Destroy { run, delete_images, keep_images } => {
            commands::destroy::run(&common, &run, Images::choice(delete_images, keep_images)).await
        }
        Command::Adopt { run } => commands::adopt::run(&common, &run).await,
        Command::Deploy { function, code, no_smoke_test } => {
            let test = if no_smoke_test { Test::None } else { Test::Smoke };
            commands::deploy::run(&common, &code, function, test).await
        }
        Command::Rollback { function, to } => commands::rollback::run(&common, function, to).await,
        Command::Versions { function } => commands::versions::run(&common, function).await,
        Command::Outputs { api_key, curl } => commands::outputs::run(&common, api_key, curl.as_deref()).await,
        Command::Status => commands::status::run(&common).await,
        Command::Doctor { code, policy } => commands::doctor::run(&common, &code, policy).await,
        Command::Logs { function, follow, since } => {
            commands::logs::run(&common, function, follow, since).await
        }
        Command::Users { what } => commands::users::run(&common, &what).await,
        Command::Keys { what } => commands::keys::run(&common, &what).await,
        Command::Cost(traffic) => commands::cost::run(&common, &traffic),
        Command::Completions { what } => commands::completions::run(what),
        Command::Reindex => commands::reindex::run(&common).await,
        Command::Redrive => commands::redrive::run(&common).await,
        Command::Backfill { parallelism } => commands::backfill::run(&common, parallelism).await,
    };
    done.unwrap_or_else(|error| {
        report::error(&error);
        let interrupted = error.is::<interrupt::Interrupted>();
        if interrupted { ExitCode::from(interrupt::EXIT) } else { ExitCode::FAILURE }
    })
}
