//! `provision versions`: the versions that there are to go back to.

use std::collections::BTreeMap;
use std::process::ExitCode;

use contract::Function;

use crate::aws::lambda::{self, Note};
use crate::cli::Common;
use crate::report;
use crate::session::Existing;

pub async fn run(common: &Common, only: Option<Function>) -> anyhow::Result<ExitCode> {
    let Existing { settings, aws, names, .. } = Existing::open(common).await?;
    let mut all = BTreeMap::new();
    let functions = settings.functions.keys().copied();
    for function in functions.filter(|function| only.is_none_or(|only| only == *function)) {
        let note = lambda::live(&aws, &names, function).await?.map(|live| live.note);
        let versions = lambda::versions(&aws, &names, function).await?;
        all.insert(names.function(function), (versions, note.unwrap_or(Note::None)));
    }
    report::versions(&all, common.json)?;
    Ok(ExitCode::SUCCESS)
}
