//! `provision backfill`: has `process` do what it has not done yet.

use std::process::ExitCode;

use crate::cli::Common;
use crate::session::Existing;
use crate::{backfill, report};

/// Exits with 1 where `process` failed at an object.
pub async fn run(common: &Common, parallelism: u16) -> anyhow::Result<ExitCode> {
    let Existing { aws, names, .. } = Existing::open(common).await?;
    let progress = report::Backfilling::default();
    let outcome = backfill::run(&aws, &names, parallelism.into(), |outcome| progress.show(outcome)).await?;
    report::backfilled(&outcome, common.json)?;
    Ok(if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
