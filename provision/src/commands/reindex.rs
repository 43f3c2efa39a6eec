//! `provision reindex`: writes the records that the table lacks.

use std::process::ExitCode;

use crate::cli::Common;
use crate::session::Existing;
use crate::{reindex, report};

pub async fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let Existing { aws, names, .. } = Existing::open(common).await?;
    let outcome = reindex::run(&aws, &names, report::reindexing).await?;
    report::reindexed(&outcome, &names, common.json)?;
    Ok(ExitCode::SUCCESS)
}
