//! `provision adopt`.

use std::process::ExitCode;

use super::{Opened, refuse};
use crate::cli::{Common, Run};
use crate::{plan, report, settings};

/// Takes over what has our names and nobody's tag.
pub async fn adopt(common: &Common, run: &Run) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    let opened = Opened::new(common, &settings).await?;
    let Opened { aws, names, live, .. } = &opened;
    let plan = refuse(plan::adopt(live, names))?;
    report::plan_to_person(&plan, names, &aws.place);
    if !plan.is_empty() && !run.yes {
        report::confirm(&format!("Make these part of the stack {}?", names.stack), "--yes")?;
    }
    let done = opened.run(&plan, run).await?;
    report::adopted(&plan, &done, names, common.json)?;
    Ok(ExitCode::SUCCESS)
}
