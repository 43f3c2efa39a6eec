//! Runs a plan: each step starts when what it needs is done, as many at once as the graph allows.
//!
//! Nothing is decided here. When a step fails, no further one starts; those that run are waited for,
//! and the next run goes on from what AWS then has.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use contract::Function;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::aws::{self, Aws, apigateway, cloudwatch, dynamodb, ecr, iam, lambda, logs, s3, sqs};
use crate::interrupt::{Interrupted, Orderly};
use crate::live::{self, Known, Suffix};
use crate::package::Artifact;
use crate::plan::{Action, Plan, Step};
use crate::stack::function::{Trigger, profile};
use crate::stack::id::Id;
use crate::stack::place::{Names, ROLE_ID};
use crate::stack::resource::{Alarms, Alias, Configuration, Lambda, Permission, Resource};
use crate::state::{Lost, StackRecord, Store};

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
/// Of the steps that could start, the one with the longest chain of others behind it starts first.
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
    let (orderly, mut interrupted, mut lost) = (Orderly::begin(), false, None);
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
            () = orderly.asked(), if !interrupted => {
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

impl Runner<'_> {
    /// Performs a step, unless the lock is another run's by now, as after a sleep.
    async fn start(&self, step: &Step, on: &impl Fn(Event<'_>)) -> anyhow::Result<()> {
        self.store.check_lock().await?;
        on(Event::Started(step));
        self.perform(step, |text| on(Event::Progress(step, text))).await
    }

    async fn perform(&self, step: &Step, progress: impl Fn(String)) -> anyhow::Result<()> {
        match &step.action {
            Action::Create(desired) => match self.create(step.id, desired, &progress).await {
                Err(error) if aws::exists_already(&error) => {
                    self.made(step.id, desired, error, &progress).await
                }
                done => done,
            },
            Action::Update { live, desired, .. } => self.update(step.id, live, desired, progress).await,
            Action::Replace { live, desired, .. } => {
                self.delete(step.id, live, &progress).await?;
                self.create(step.id, desired, &progress).await
            }
            Action::Delete(live) => self.delete(step.id, live, progress).await,
        }
    }

    /// Where the answer to a create got lost, AWS says of the next try that there is one already. What it
    /// made is ours when it has our tag, and is brought to what it should be.
    async fn made(
        &self,
        id: Id,
        desired: &Resource,
        error: anyhow::Error,
        progress: impl Fn(String),
    ) -> anyhow::Result<()> {
        let api = self.record.borrow().api_id.clone();
        let known = Known { api: api.as_deref(), suffix: Suffix::Known, code: &BTreeMap::new() };
        match live::read_one(self.aws, self.names, &known, id).await? {
            Some(live) if live.tags() == desired.tags() => self.update(id, &live, desired, progress).await,
            _ => Err(error),
        }
    }

    fn api(&self) -> anyhow::Result<String> {
        self.record.borrow().api_id.clone().context("the REST API has no id yet")
    }

    /// The REST API's id, where it is the API that calls the function.
    fn caller_api(&self, function: Function) -> anyhow::Result<String> {
        match profile(function).trigger {
            Trigger::Objects => Ok(String::new()),
            Trigger::Requests => self.api(),
        }
    }

    async fn set_api(&self, id: Option<String>) -> anyhow::Result<()> {
        self.record.borrow_mut().api_id = id;
        let record = self.record.borrow().clone();
        self.store.save(&record).await
    }

    /// With the id of the role, where that was still to be made.
    async fn with_role(&self, function: Function, desired: &Configuration) -> anyhow::Result<Configuration> {
        if desired.role_id != ROLE_ID {
            return Ok(desired.clone());
        }
        let made = self.roles.borrow().get(&function).cloned();
        let role_id = match made {
            Some(id) => id,
            // The answer to its making got lost.
            None => iam::id(self.aws, self.names, function).await?,
        };
        Ok(Configuration { role_id, ..desired.clone() })
    }

    fn artifact(&self, function: Function) -> anyhow::Result<&Artifact> {
        self.artifacts
            .get(&function)
            .with_context(|| format!("the function {} is not packed", function.name()))
    }

    async fn create(&self, id: Id, desired: &Resource, progress: impl Fn(String)) -> anyhow::Result<()> {
        let Runner { aws, names, .. } = *self;
        match (id, desired) {
            (Id::Bucket, Resource::Bucket(desired)) => s3::create(aws, names, desired).await,
            (Id::Table, Resource::Table(desired)) => dynamodb::create(aws, names, desired, progress).await,
            (Id::Queue, Resource::Queue(desired)) => sqs::create(aws, names, desired, progress).await,
            (Id::LogGroup(_) | Id::AccessLog, Resource::LogGroup(desired)) => {
                logs::create(aws, &names.of(id), desired).await
            }
            (Id::Role(f), Resource::Role(desired)) => {
                let id = iam::create(aws, names, f, desired).await?;
                self.roles.borrow_mut().insert(f, id);
                Ok(())
            }
            (Id::Repository(f), Resource::Repository(desired)) => ecr::create(aws, names, f, desired).await,
            (Id::Image(f), Resource::Image(_)) => match self.artifact(f)? {
                Artifact::Image(image) => {
                    let progress = |sent, total| progress(pushed(sent, total));
                    ecr::push_image(aws, names, f, image, progress).await
                }
                Artifact::Zip(_) => bail!("the function {} is packed as a zip file", f.name()),
            },
            (Id::Function(f), Resource::Function(desired)) => {
                let configuration = self.with_role(f, &desired.configuration).await?;
                let desired = Lambda { configuration, ..desired.clone() };
                lambda::create(aws, names, f, &desired, self.artifact(f)?).await
            }
            (Id::Alias(f), Resource::Alias(desired)) => {
                let configuration = self.with_role(f, &desired.configuration).await?;
                lambda::create_alias(aws, names, f, &Alias { configuration, ..desired.clone() }).await
            }
            (Id::Permission(f), Resource::Permission(desired)) => {
                let api = self.caller_api(f)?;
                lambda::set_permission(aws, names, f, &api, &Permission::default(), desired).await
            }
            (Id::Notification, Resource::Notification(desired)) => {
                s3::notification::put(aws, names, desired).await
            }
            (Id::Api, Resource::Api(desired)) => {
                let api = apigateway::create(aws, names, desired).await?;
                // On disk before anything else can go wrong.
                self.set_api(Some(api.clone())).await?;
                apigateway::update(aws, &api, &apigateway::bare(desired), desired).await
            }
            (Id::ApiKey, Resource::ApiKey(desired)) => apigateway::create_key(aws, names, desired).await,
            (Id::Stage, Resource::Stage(desired)) => {
                apigateway::create_stage(aws, &self.api()?, desired).await
            }
            (Id::UsagePlan, Resource::UsagePlan(desired)) => {
                apigateway::create_plan(aws, names, &self.api()?, desired).await
            }
            (Id::Alarms, Resource::Alarms(desired)) => {
                cloudwatch::set_alarms(aws, &Alarms::default(), desired).await
            }
            (Id::Dashboard, Resource::Dashboard(desired)) => {
                cloudwatch::put_dashboard(aws, names, desired).await
            }
            (id, _) => bail!("the plan holds something else as {id:?}"),
        }
    }

    async fn update(
        &self,
        id: Id,
        live: &Resource,
        desired: &Resource,
        progress: impl Fn(String),
    ) -> anyhow::Result<()> {
        use Resource as R;
        let Runner { aws, names, .. } = *self;
        match (id, live, desired) {
            (Id::Bucket, R::Bucket(live), R::Bucket(desired)) => s3::update(aws, names, live, desired).await,
            (Id::Table, R::Table(live), R::Table(desired)) => {
                dynamodb::update(aws, names, live, desired, progress).await
            }
            (Id::Queue, R::Queue(live), R::Queue(desired)) => sqs::update(aws, names, live, desired).await,
            (Id::LogGroup(_) | Id::AccessLog, R::LogGroup(live), R::LogGroup(desired)) => {
                logs::update(aws, &names.of(id), live, desired).await
            }
            (Id::Role(f), R::Role(live), R::Role(desired)) => iam::update(aws, names, f, live, desired).await,
            (Id::Repository(f), R::Repository(live), R::Repository(desired)) => {
                ecr::update(aws, names, f, live, desired).await
            }
            (Id::Function(f), R::Function(live), R::Function(desired)) => {
                let configuration = self.with_role(f, &desired.configuration).await?;
                let desired = Lambda { configuration, ..desired.clone() };
                lambda::update(aws, names, f, live, &desired, self.artifact(f)?).await
            }
            (Id::Alias(f), _, R::Alias(desired)) => {
                let configuration = self.with_role(f, &desired.configuration).await?;
                lambda::update_alias(aws, names, f, &Alias { configuration, ..desired.clone() }).await
            }
            (Id::Permission(f), R::Permission(live), R::Permission(desired)) => {
                lambda::set_permission(aws, names, f, &self.caller_api(f)?, live, desired).await
            }
            (Id::Notification, _, R::Notification(desired)) => {
                s3::notification::put(aws, names, desired).await
            }
            (Id::Api, R::Api(live), R::Api(desired)) => {
                apigateway::update(aws, &self.api()?, live, desired).await
            }
            (Id::ApiKey, R::ApiKey(live), R::ApiKey(desired)) => {
                apigateway::update_key(aws, names, live, desired).await
            }
            (Id::Stage, R::Stage(live), R::Stage(desired)) => {
                apigateway::update_stage(aws, &self.api()?, live, desired).await
            }
            (Id::UsagePlan, R::UsagePlan(live), R::UsagePlan(desired)) => {
                apigateway::update_plan(aws, names, &self.api()?, live, desired).await
            }
            (Id::Alarms, R::Alarms(live), R::Alarms(desired)) => {
                cloudwatch::set_alarms(aws, live, desired).await
            }
            (Id::Dashboard, _, R::Dashboard(desired)) => cloudwatch::put_dashboard(aws, names, desired).await,
            (id, _, _) => bail!("the plan holds something else as {id:?}"),
        }
    }

    async fn delete(&self, id: Id, live: &Resource, progress: impl Fn(String)) -> anyhow::Result<()> {
        let Runner { aws, names, .. } = *self;
        match (id, live) {
            (Id::Bucket, _) => {
                s3::delete(aws, names, |gone| progress(format!("object versions deleted: {gone}"))).await
            }
            (Id::Table, Resource::Table(live)) => dynamodb::delete(aws, names, live).await,
            (Id::Queue, _) => sqs::delete(aws, names).await,
            (Id::Notification, _) => s3::notification::delete(aws, names).await,
            (Id::LogGroup(_) | Id::AccessLog, _) => logs::delete(aws, &names.of(id)).await,
            (Id::Role(f), _) => iam::delete(aws, names, f).await,
            (Id::Repository(f), _) => ecr::delete(aws, names, f).await,
            // An image goes with its repository, or when `release` finds that no version uses it.
            (Id::Image(_), _) => Ok(()),
            (Id::Function(f), _) => lambda::delete(aws, names, f).await,
            (Id::Alias(f), _) => lambda::delete_alias(aws, names, f).await,
            (Id::Permission(f), Resource::Permission(live)) => {
                lambda::set_permission(aws, names, f, "", live, &Permission::default()).await
            }
            (Id::Api, _) => {
                apigateway::delete(aws, &self.api()?).await?;
                self.set_api(None).await
            }
            (Id::ApiKey, _) => apigateway::delete_key(aws, names).await,
            (Id::Stage, _) => apigateway::delete_stage(aws, &self.api()?).await,
            (Id::UsagePlan, _) => apigateway::delete_plan(aws, names).await,
            (Id::Alarms, Resource::Alarms(live)) => cloudwatch::delete_alarms(aws, live).await,
            (Id::Dashboard, _) => cloudwatch::delete_dashboard(aws, names).await,
            (id, _) => bail!("the plan holds something else as {id:?}"),
        }
    }
}

fn pushed(sent: usize, total: usize) -> String {
    let tenths = |bytes: usize| format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
    format!("{} of {} MB pushed", tenths(sent), tenths(total))
}
