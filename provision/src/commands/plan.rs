//! `provision plan`: what `apply` would change.

use std::process::ExitCode;

use crate::cli::{Code, Common};
use crate::compare::{Compared, check_asked, compare};
use crate::report;
use crate::session::Session;

/// Stands for the suffix in a plan for a stack that has none yet.
const UNDRAWN: &str = "{suffix}";

/// Exits with 2 where something would change.
pub async fn run(common: &Common, code: &Code) -> anyhow::Result<ExitCode> {
    let (session, packing) = Session::begin(common, code).await?;
    let (record, suffix) = session.record(|| UNDRAWN.to_owned()).await?;
    let Compared { plan, names, unasked, .. } = compare(&session, &record, suffix, packing).await?;
    report::plan(&plan, &names, &session.aws.place, common.json)?;
    check_asked(unasked)?;
    Ok(if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
