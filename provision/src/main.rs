//! `provision`: arguments in, exit code out. Every command reads as its own flow, left to right.

mod apply;
mod aws;
mod backfill;
mod cli;
mod commands;
mod cost;
mod doctor;
mod interrupt;
mod live;
mod outputs;
mod package;
mod plan;
mod redrive;
mod reindex;
mod report;
mod settings;
mod shell;
mod smoke;
mod source;
mod stack;
mod state;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};
use commands::{release, repair};

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command, common } = Cli::parse();
    if let Err(error) = interrupt::listen() {
        report::error(&anyhow::Error::new(error).context("listen for signals"));
        return ExitCode::FAILURE;
    }
    let done = match command {
        Command::Plan(code) => commands::plan(&common, &code).await,
        Command::Apply { code, run } => commands::apply(&common, &code, &run).await,
        Command::Destroy { run, delete_images, keep_images } => {
            commands::destroy(&common, &run, commands::Images::choice(delete_images, keep_images)).await
        }
        Command::Adopt { run } => commands::adopt::adopt(&common, &run).await,
        Command::Deploy { function, code, no_smoke_test } => {
            let test = if no_smoke_test { release::Test::None } else { release::Test::Smoke };
            release::deploy(&common, &code, function, test).await
        }
        Command::Rollback { function, to } => release::rollback(&common, function, to).await,
        Command::Versions { function } => release::versions(&common, function).await,
        Command::Outputs { api_key, curl } => commands::outputs(&common, api_key, curl.as_deref()).await,
        Command::Status => commands::status::status(&common).await,
        Command::Doctor { code, policy } => commands::checkup::doctor(&common, &code, policy).await,
        Command::Logs { function, follow, since } => {
            commands::logs::logs(&common, function, follow, since).await
        }
        Command::Cost(traffic) => commands::cost(&common, &traffic),
        Command::Completions { what } => commands::completions(what),
        Command::Reindex => repair::reindex(&common).await,
        Command::Redrive => repair::redrive(&common).await,
        Command::Backfill { parallelism } => repair::backfill(&common, parallelism).await,
    };
    done.unwrap_or_else(|error| {
        report::error(&error);
        let interrupted = error.is::<interrupt::Interrupted>();
        if interrupted { ExitCode::from(interrupt::EXIT) } else { ExitCode::FAILURE }
    })
}
