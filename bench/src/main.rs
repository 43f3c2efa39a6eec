//! Runs the functions' release binaries as processes, beside plain ones, and says what a request costs
//! in time and memory. AWS and the Lambda Runtime API are stubs in this process (`aws`, `runtime`), so
//! what is seen is our own cost. Nothing fails for being slow; a wrong answer does.

mod aws;
mod cold;
mod distant;
mod event;
mod function;
mod http;
mod languages;
mod measure;
mod report;
mod runtime;
mod scale;
mod scenario;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use contract::Function;

use crate::cold::Start;
use crate::distant::Distant;
use crate::function::{Endpoint, Program};
use crate::report::Report;
use crate::scenario::Scenario;
use crate::table::Table;

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
    /// Compare with Python and JavaScript instead, from the folder that `make bench-languages` fills
    #[arg(long, value_name = "DIR")]
    languages: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// The images that are listed, and how many of them each day has.
const IMAGES: usize = 1000;
const PER_DAY: f64 = 100.0;
/// Events from this size on are not sent over TLS: that would measure its cipher.
const LARGE: usize = 1_000_000;

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
    let aws = aws::serve(Arc::new(Table::new(IMAGES, PER_DAY)))?;
    cold::measure(&folder(cli)?, &Endpoint { url: format!("http://{aws}"), roots: None })
}

fn run(cli: &Cli) -> anyhow::Result<Report> {
    let folder = folder(cli)?;
    let mut scenarios = scenario::all();
    scenarios.retain(|scenario| scenario.name.contains(&cli.only));
    anyhow::ensure!(!scenarios.is_empty(), "no scenario's name contains {:?}", cli.only);
    let table = Arc::new(Table::new(IMAGES, PER_DAY));
    let aws = Endpoint { url: format!("http://{}", aws::serve(Arc::clone(&table))?), roots: None };
    if let Some(installed) = &cli.languages {
        scenarios.retain(|scenario| scenario.is_plain);
        let compare = |scenario: &Scenario| {
            report::progress(scenario.name);
            languages::compare(scenario, &folder, installed, &aws)
                .with_context(|| format!("measure {}", scenario.name))
        };
        let languages = scenarios.iter().map(compare).collect::<anyhow::Result<_>>()?;
        return Ok(Report { languages, ..Report::default() });
    }
    let binaries = measure::binaries(&folder)?;
    let compare = |scenario: &Scenario| {
        report::progress(scenario.name);
        measure::compare(scenario, &folder, &aws).with_context(|| format!("measure {}", scenario.name))
    };
    let compared = scenarios.iter().map(compare).collect::<anyhow::Result<_>>()?;
    let distant = Distant::serve(table)?;
    scenarios.retain(|scenario| scenario.event.len() < LARGE);
    let distant = |scenario: &Scenario| {
        report::progress(&format!("{} over TLS", scenario.name));
        let program = Program { file: folder.join(scenario.function.name()), ..Program::default() };
        distant.measure(scenario, &program).with_context(|| format!("measure {} over TLS", scenario.name))
    };
    let distant = scenarios.iter().map(distant).collect::<anyhow::Result<_>>()?;
    let mut scale = Vec::new();
    if scenarios.iter().any(|scenario| scenario.function == Function::List) {
        report::progress("lists of 1,000 and of 200,000 images");
        scale = scale::measure(&folder).context("measure lists")?;
    }
    Ok(Report { binaries, scenarios: compared, distant, scale, languages: Vec::new() })
}
