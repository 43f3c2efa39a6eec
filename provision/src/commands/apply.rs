//! `provision apply`: creates the stack, or brings it back to what it should be.

use std::process::ExitCode;

use super::doctor::before_the_first_change;
use crate::apply::{self, Runner};
use crate::cli::{Code, Common, Run};
use crate::compare::{Compared, check_asked, compare};
use crate::outputs::Outputs;
use crate::pass;
use crate::plan::Plan;
use crate::release::{self, Release, Test};
use crate::report::{self, Progress};
use crate::session::{self, Session};
use crate::settings::Package;
use crate::stack::place::Names;
use crate::state::{StackRecord, Store};

pub async fn run(common: &Common, code: &Code, run: &Run) -> anyhow::Result<ExitCode> {
    let (session, packing) = Session::begin(common, code).await?;
    let _lock = session::lock(&session.store).await?;
    let (record, suffix) = session.record(StackRecord::draw_suffix).await?;
    let (permitted, compared) =
        tokio::join!(before_the_first_change(&session, suffix), compare(&session, &record, suffix, packing));
    // Who lacks permissions should hear of all of them, not of the first read that is refused.
    permitted?;
    let Compared { plan, names, api_id, artifacts, on_trial, unasked } = compared?;
    report::plan_to_person(&plan, &names, &session.aws.place);
    check_asked(unasked)?;
    save_new(&session.store, &record).await?;

    if plan.destroys() && !run.yes {
        report::confirm("Some of this deletes or replaces. Go on?", "--yes")?;
    }

    let record = save_api_id(&session.store, record, api_id).await?;
    let Session { settings, aws, store } = &session;
    let runner = Runner::new(aws, store, &names, &artifacts, record, run.parallelism.into());
    let progress = Progress::new(&names);
    let done = apply::run(&runner, &plan, |event| progress.show(&event)).await?;
    if run.timings {
        report::timings(&plan, &done, &names);
    }

    let outputs = Outputs::new(settings, &runner.into_record(), aws.place.endpoint.as_deref());
    let outputs = outputs.with_sign_in(aws, &names).await?;
    let answers = wait_for_the_api(&session, &names, &plan, &outputs, &progress).await;
    store.check_lock().await?;
    let release = Release { aws, names: &names, keep: settings.keep_versions };
    let to_try = on_trial.into_iter().chain(release::moved(&plan)).collect();
    progress.wait("the smoke test", release.settle(&to_try, outputs.clone(), test(&session))).await?;
    // Only now: a new version may be what kept the API from answering, and has been taken back.
    answers?;
    store.check_lock().await?;
    release.prune_after(&plan, settings.package).await?;

    report::applied(&plan, &done, &names, &outputs, common.json)?;
    if aws.place.endpoint.is_none() {
        report::next_steps(&outputs);
    }
    Ok(ExitCode::SUCCESS)
}

/// The suffix is on disk before the bucket that bears it is made.
async fn save_new(store: &Store, record: &StackRecord) -> anyhow::Result<()> {
    if store.load().await?.is_none() { store.save(record).await } else { Ok(()) }
}

/// The record with the id of the API that was found, on disk where that is another one than was recorded.
async fn save_api_id(
    store: &Store,
    mut record: StackRecord,
    api_id: Option<String>,
) -> anyhow::Result<StackRecord> {
    if record.api_id != api_id {
        record.api_id = api_id;
        store.save(&record).await?;
    }
    Ok(record)
}

/// An emulator need not be able to run functions; `outputs --curl` waits for one that does.
async fn wait_for_the_api(
    Session { aws, .. }: &Session,
    names: &Names,
    plan: &Plan,
    outputs: &Outputs,
    progress: &Progress<'_>,
) -> anyhow::Result<()> {
    if plan.is_empty() || aws.place.endpoint.is_some() {
        return Ok(());
    }
    let waiting = pass::with(aws, names, outputs.auth, async |pass| {
        outputs.wait_until_it_answers(pass, |text| progress.note(text)).await
    });
    progress.wait("the API to answer", waiting).await
}

/// A new version may not do its work; an emulator need not be able to run one that is an image.
fn test(Session { settings, aws, .. }: &Session) -> Test {
    let runs = aws.place.endpoint.is_none() || settings.package == Package::Zip;
    if runs { Test::Smoke } else { Test::None }
}
