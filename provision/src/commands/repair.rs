//! `provision reindex`, `redrive` and `backfill`: what was lost, what failed, and what was never done.

use std::process::ExitCode;

use super::existing;
use crate::cli::Common;
use crate::stack::place::Names;
use crate::{backfill, redrive, reindex, report};

pub async fn reindex(common: &Common) -> anyhow::Result<ExitCode> {
    let (_, aws, record) = existing(common).await?;
    let names = Names::new(&record.env, &record.region, &record.suffix);
    let outcome = reindex::run(&aws, &names, report::reindexing).await?;
    report::reindexed(&outcome, &names, common.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Exits with 1 where a message is no event.
pub async fn redrive(common: &Common) -> anyhow::Result<ExitCode> {
    let (_, aws, record) = existing(common).await?;
    let names = Names::new(&record.env, &record.region, &record.suffix);
    let outcome = redrive::run(&aws, &names, report::redriving).await?;
    report::redriven(&outcome, &names, common.json)?;
    Ok(if outcome.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Exits with 1 where `process` failed at an object.
pub async fn backfill(common: &Common, parallelism: u16) -> anyhow::Result<ExitCode> {
    let (_, aws, record) = existing(common).await?;
    let names = Names::new(&record.env, &record.region, &record.suffix);
    let progress = report::Backfilling::default();
    let outcome = backfill::run(&aws, &names, parallelism.into(), |outcome| progress.show(outcome)).await?;
    report::backfilled(&outcome, common.json)?;
    Ok(if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
