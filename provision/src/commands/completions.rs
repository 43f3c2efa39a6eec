//! `provision completions`: what a shell needs to complete commands, and the manual page.

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, Completions};
use crate::report;

pub fn run(what: Completions) -> anyhow::Result<ExitCode> {
    let mut output = Vec::new();
    let mut complete =
        |shell| clap_complete::generate::<Shell, _>(shell, &mut Cli::command(), "provision", &mut output);
    match what {
        Completions::Bash => complete(Shell::Bash),
        Completions::Elvish => complete(Shell::Elvish),
        Completions::Fish => complete(Shell::Fish),
        Completions::Powershell => complete(Shell::PowerShell),
        Completions::Zsh => complete(Shell::Zsh),
        Completions::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut output).context("write the manual page")?;
        }
    }
    report::bytes(&output)?;
    Ok(ExitCode::SUCCESS)
}
