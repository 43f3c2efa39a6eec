//! `provision redrive`: sends again what `process` failed at.

use std::process::ExitCode;

use crate::cli::Common;
use crate::session::Existing;
use crate::{redrive, report};

/// Exits with 1 where a message is no event.
pub async fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let Existing { aws, names, .. } = Existing::open(common).await?;
    let outcome = redrive::run(&aws, &names, report::redriving).await?;
    report::redriven(&outcome, &names, common.json)?;
    Ok(if outcome.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
