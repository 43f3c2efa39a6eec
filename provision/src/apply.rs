//! Runs a plan: each step starts when what it needs is done, as many at once as the graph allows.
//!
//! Nothing is decided here, and `steps` says what each step does on AWS. When a step fails, no further one starts;
//! those that run are waited for, and the next run goes on from what AWS then has.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use contract::Function;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::aws::Aws;
use crate::interrupt::{GracefulStop, Interrupted};
use crate::package::Artifact;
use crate::plan::{Plan, Step};
use crate::stack::place::Names;
use crate::state::{Lost, StackRecord, Store};

mod steps;

/// What happens while a plan runs.
#[derive(Debug)]
pub enum Event<'a> {
    Started(&'a Step),
    /// A word on a long step, such as how many objects are deleted.
    Progress(&'a Step, String),
    Finished(&'a Step, Duration),
    Failed(&'a Step, &'a anyhow::Error),
    /// Asked to stop: what is under way is finished, and nothing more is started.
    Stopping,
    /// Another run has the stack now, so that nothing more is started here either.
    Lost(&'a Lost),
}

/// What the steps work with.
pub struct Runner<'a> {
    aws: &'a Aws,
    store: &'a Store,
    names: &'a Names,
    artifacts: &'a BTreeMap<Function, Artifact>,
    record: RefCell<StackRecord>,
    /// Ids of roles that were made in this run.
    roles: RefCell<BTreeMap<Function, String>>,
    /// Steps at once.
    parallelism: usize,
}

impl<'a> Runner<'a> {
    pub fn new(
        aws: &'a Aws,
        store: &'a Store,
        names: &'a Names,
        artifacts: &'a BTreeMap<Function, Artifact>,
        record: StackRecord,
        parallelism: usize,
    ) -> Runner<'a> {
        let (record, roles) = (RefCell::new(record), RefCell::default());
        Runner { aws, store, names, artifacts, record, roles, parallelism }
    }

    /// The record as it is after the run.
    pub fn into_record(self) -> StackRecord {
        self.record.into_inner()
    }
}

/// A step that was done.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    pub step: &'a Step,
    /// From the start of the run to its own.
    pub start: Duration,
    pub took: Duration,
}

/// Runs every step, and returns what was done, in the order it finished.
///
/// Where several steps could start, the one with the longest chain of others behind it does so first.
pub async fn run<'a>(
    runner: &Runner<'_>,
    plan: &'a Plan,
    on: impl Fn(Event<'_>),
) -> anyhow::Result<Vec<Done<'a>>> {
    let begin = Instant::now();
    let mut waiting: Vec<usize> = (0..plan.steps.len()).collect();
    let behind = plan.lengths_behind();
    waiting.sort_by_key(|&index| std::cmp::Reverse(behind[index]));
    let mut done = BTreeSet::new();
    let (mut outcome, mut failures) = (Vec::new(), Vec::new());
    let mut running = FuturesUnordered::new();
    let (stop, mut interrupted, mut lost) = (GracefulStop::begin(), false, None);
    let on = &on;
    loop {
        if failures.is_empty() && !interrupted && lost.is_none() {
            let ready = waiting.iter().copied().filter(|&index| plan.needs(index).is_subset(&done));
            let free = runner.parallelism.saturating_sub(running.len());
            for index in ready.take(free).collect::<Vec<_>>() {
                waiting.retain(|other| *other != index);
                let step = &plan.steps[index];
                running.push(async move {
                    let start = begin.elapsed();
                    let result = runner.start(step, on).await;
                    (index, result, Done { step, start, took: begin.elapsed().saturating_sub(start) })
                });
            }
        }
        let finished = tokio::select! {
            finished = running.next() => finished,
            () = stop.requested(), if !interrupted => {
                interrupted = true;
                on(Event::Stopping);
                continue;
            }
            by = runner.store.lost(), if lost.is_none() => {
                on(Event::Lost(&by));
                lost = Some(by);
                continue;
            }
        };
        let Some((index, result, step)) = finished else { break };
        match result {
            Ok(()) => {
                done.insert(index);
                on(Event::Finished(step.step, step.took));
                outcome.push(step);
            }
            // The other run does it, or the next one.
            Err(error) if error.is::<Lost>() => waiting.push(index),
            Err(error) => {
                let Step { id, action } = step.step;
                let name = runner.names.of(*id);
                let error = error.context(format!("{} the {} {name}", action.verb(), id.kind()));
                on(Event::Failed(step.step, &error));
                failures.push(error);
            }
        }
    }
    let left = waiting.len() + failures.len();
    if let Some(by) = lost.filter(|_| left > 0) {
        return Err(by.with_steps_to_go(left).into());
    }
    match failures.into_iter().next() {
        Some(first) => {
            Err(first
                .context(format!("{left} of {} steps are not done; run again to go on", plan.steps.len())))
        }
        None if interrupted && left > 0 => Err(Interrupted { left: Some(left) }.into()),
        None => Ok(outcome),
    }
}
