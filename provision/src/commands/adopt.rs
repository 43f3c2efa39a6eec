//! `provision adopt`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;

use super::{recorded, refuse};
use crate::apply::{self, Site};
use crate::aws::Aws;
use crate::cli::{Common, Run};
use crate::report::{self, Progress};
use crate::stack::Names;
use crate::state::{self, Record, Store};
use crate::{live, plan, settings};

/// Takes over what has our names and nobody's tag.
pub async fn adopt(common: &Common, run: &Run) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    state::check(&common.state_dir, &settings).await?;
    let aws = Aws::connect().await?;
    let store = Store::new(&common.state_dir, &settings, &aws);
    let _lock = store.lock().await?;
    let (mut record, drawn) = recorded(&aws, &store, &common.env, Record::draw_suffix).await?;
    let names = Names::new(&record.env, &aws.place.region, &record.suffix);
    let (api, live) = live::look(&aws, &names, record.api_id.as_deref(), drawn, &BTreeMap::new()).await?;
    record.api_id = api;
    let plan = refuse(plan::adopt(&live, &names))?;
    report::plan_to_person(&plan, &names, &aws.place);
    if !plan.is_empty() && !run.yes {
        report::confirm(&format!("Make these part of the stack {}?", names.stack), "--yes")?;
    }
    let artifacts = BTreeMap::new();
    let site = Site {
        aws: &aws,
        names: &names,
        artifacts: &artifacts,
        store: &store,
        record: RefCell::new(record),
        parallelism: run.parallelism.into(),
    };
    let progress = Progress::new(&names);
    let done = apply::run(&site, &plan, |event| progress.show(&event)).await?;
    report::adopted(&plan, &done, &names, common.json)?;
    Ok(ExitCode::SUCCESS)
}
