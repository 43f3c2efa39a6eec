//! Runs the functions' release binaries as processes, beside plain ones, and says what a request costs
//! in time and memory. AWS and the Lambda Runtime API are stubs in this process (`aws`, `runtime`), so
//! what is seen is our own cost. Nothing fails for being slow; a wrong answer does.

mod aws;
mod cold;
mod event;
mod function;
mod http;
mod measure;
mod report;
mod runtime;
mod scenario;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::cold::Start;
use crate::report::Report;
use crate::scenario::Scenario;

/// Time and weigh the functions beside plain ones, in one run.
///
/// Build all of them first, as `make bench` does.
#[derive(Parser)]
struct Cli {
    /// Folder of the binaries upload, list and plain [default: the one this program is in]
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,
    /// Run only the scenarios whose name contains this, such as "large" or "list"
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    only: String,
    /// Only start the functions, each twenty times, beside one that does nothing
    #[arg(long)]
    cold: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = if cli.cold {
        start(&cli).map(|starts| report::starts(&starts, cli.json))
    } else {
        run(&cli).map(|report| report::print(&report, cli.json))
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn folder(cli: &Cli) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &cli.functions {
        return Ok(folder.clone());
    }
    let program = std::env::current_exe().context("find the folder of this program")?;
    Ok(program.parent().context("find the folder of this program")?.to_owned())
}

fn start(cli: &Cli) -> anyhow::Result<Vec<Start>> {
    cold::measure(&folder(cli)?, aws::serve()?)
}

fn run(cli: &Cli) -> anyhow::Result<Report> {
    let folder = folder(cli)?;
    let mut scenarios = scenario::all();
    scenarios.retain(|scenario| scenario.name.contains(&cli.only));
    anyhow::ensure!(!scenarios.is_empty(), "no scenario's name contains {:?}", cli.only);
    let aws = aws::serve()?;
    let binaries = measure::binaries(&folder)?;
    let compare = |scenario: &Scenario| {
        report::progress(scenario.name);
        measure::compare(scenario, &folder, aws).with_context(|| format!("measure {}", scenario.name))
    };
    let scenarios = scenarios.iter().map(compare).collect::<anyhow::Result<_>>()?;
    Ok(Report { binaries, scenarios })
}
