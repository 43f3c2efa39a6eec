//! `provision`: arguments in, exit code out. Every command reads as its own flow, left to right.

mod apply;
mod aws;
mod cli;
mod commands;
mod interrupt;
mod live;
mod outputs;
mod package;
mod plan;
mod reindex;
mod report;
mod settings;
mod stack;
mod state;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

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
        Command::Outputs { api_key, curl } => commands::outputs(&common, api_key, curl.as_deref()).await,
        Command::Status => commands::status(&common).await,
        Command::Reindex => commands::reindex(&common).await,
    };
    done.unwrap_or_else(|error| {
        report::error(&error);
        let interrupted = error.is::<interrupt::Interrupted>();
        if interrupted { ExitCode::from(interrupt::EXIT) } else { ExitCode::FAILURE }
    })
}
