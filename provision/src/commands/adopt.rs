//! `provision adopt`: takes over what has the stack's names and nobody's tag.

use std::process::ExitCode;

use crate::cli::{Common, Run};
use crate::session::Locked;
use crate::{plan, report, settings};

pub async fn run(common: &Common, run: &Run) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    let locked = Locked::open(common, &settings).await?;
    let Locked { aws, names, live, .. } = &locked;
    let plan = plan::checked(plan::adopt(live, names))?;
    report::plan_to_person(&plan, names, &aws.place);
    if !plan.is_empty() && !run.yes {
        report::confirm(&format!("Make these part of the stack {}?", names.stack), "--yes")?;
    }
    let done = locked.run(&plan, run).await?;
    report::adopted(&plan, &done, names, common.json)?;
    Ok(ExitCode::SUCCESS)
}
