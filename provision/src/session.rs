//! What the commands start from: the settings, AWS, the stack's record, and the right to change the stack.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use tokio::task::JoinHandle;

use crate::apply::{self, Done, Runner};
use crate::aws::{Aws, Connector, s3};
use crate::cli::{Code, Common, Run};
use crate::live::{self, Known, Suffix};
use crate::package::{self, Packed};
use crate::plan::Plan;
use crate::report::{self, Progress};
use crate::settings::{self, Auth, Settings};
use crate::stack::id::Id;
use crate::stack::place::{Names, bucket_prefix, stack_name};
use crate::stack::{self, Stack};
use crate::state::{self, Lock, StackRecord, Store};

/// The functions' packages, on their way.
pub type PackingTask = JoinHandle<anyhow::Result<Packed>>;

/// A stack that may not be there yet, for the commands that compare it with what it should be.
pub struct Session {
    pub settings: Settings,
    pub aws: Aws,
    pub store: Store,
}

impl Session {
    /// Asks AWS who we are while the functions are packed.
    pub async fn begin(common: &Common, code: &Code) -> anyhow::Result<(Session, PackingTask)> {
        let settings = settings::load(common.config.as_deref(), &common.env, code.package)?;
        state::check(&common.state_dir, &settings).await?;
        let connector = Connector::find().await?;
        let packing = start_packing(&settings, connector.endpoint().is_some(), code.functions.as_deref());
        let aws = connector.connect().await?;
        let store = Store::new(&common.state_dir, &settings, &aws);
        Ok((Session { settings, aws, store }, packing))
    }

    /// The stack's record as [`find_record`] finds it.
    pub async fn record(&self, draw: impl FnOnce() -> String) -> anyhow::Result<(StackRecord, Suffix)> {
        find_record(&self.aws, &self.store, &self.settings.env, draw).await
    }
}

fn start_packing(settings: &Settings, emulated: bool, folder: Option<&Path>) -> PackingTask {
    let (settings, folder) = (settings.clone(), folder.map(Path::to_owned));
    tokio::spawn(async move { package::pack_all(&settings, emulated, folder.as_deref()).await })
}

/// A stack that is recorded, for the commands that work on one.
pub struct Existing {
    pub settings: Settings,
    pub aws: Aws,
    pub store: Store,
    pub record: StackRecord,
    pub names: Names,
}

impl Existing {
    pub async fn open(common: &Common) -> anyhow::Result<Existing> {
        let mut settings = settings::load(common.config.as_deref(), &common.env, None)?;
        if settings.state_bucket.is_none() {
            // Where there is no stack, credentials do not matter.
            existing_record(&Store::local(&common.state_dir, &common.env)).await?;
        }
        let aws = Aws::connect().await?;
        let store = Store::new(&common.state_dir, &settings, &aws);
        let record = existing_record(&store).await?;
        record.check_place(&aws.place, &store.place())?;
        let names = record.names();
        if !settings.auth_is_written {
            settings.take_for(auth_of(&aws, &names, &record, settings.auth).await?);
        }
        Ok(Existing { settings, aws, store, record, names })
    }
}

/// Who may call a stack whose settings do not say it: one of before it was for users is not for them by default.
async fn auth_of(aws: &Aws, names: &Names, record: &StackRecord, default: Auth) -> anyhow::Result<Auth> {
    let Some(api) = record.api_id.as_deref() else { return Ok(default) };
    let known = Known { api: Some(api), suffix: Suffix::Known, code: &BTreeMap::new(), users: false };
    let live = live::read_some(aws, names, &known, vec![Id::Api, Id::ApiKey]).await?;
    Ok(stack::auth_of(&live).unwrap_or(default))
}

pub async fn existing_record(store: &Store) -> anyhow::Result<StackRecord> {
    store.load().await?.with_context(|| {
        format!(
            "no stack is recorded in {}; create it with `provision apply`, or name its --env",
            store.place()
        )
    })
}

/// A stack that is locked and was read, for the commands that need none of its code.
pub struct Locked {
    pub aws: Aws,
    pub store: Store,
    pub names: Names,
    pub live: Stack,
    record: StackRecord,
    _lock: Lock,
}

impl Locked {
    pub async fn open(common: &Common, settings: &Settings) -> anyhow::Result<Locked> {
        state::check(&common.state_dir, settings).await?;
        let aws = Aws::connect().await?;
        let store = Store::new(&common.state_dir, settings, &aws);
        let lock = lock(&store).await?;
        // Without a bucket there is no suffix, but anything else may still be there. The record may be
        // saved on the way, so what stands for the suffix is one.
        let (mut record, suffix) = find_record(&aws, &store, &common.env, StackRecord::draw_suffix).await?;
        let names = record.names();
        let (api, users) = (record.api_id.as_deref(), settings.has_users());
        let known = Known { api, suffix, code: &BTreeMap::new(), users };
        let (api, live) = live::look(&aws, &names, known).await?;
        record.api_id = api;
        Ok(Locked { aws, store, names, live, record, _lock: lock })
    }

    /// Runs a plan that needs no code.
    pub async fn run<'a>(&self, plan: &'a Plan, run: &Run) -> anyhow::Result<Vec<Done<'a>>> {
        let nothing = BTreeMap::new();
        let record = self.record.clone();
        let runner =
            Runner::new(&self.aws, &self.store, &self.names, &nothing, record, run.parallelism.into());
        let progress = Progress::new(&self.names);
        let done = apply::run(&runner, plan, |event| progress.show(&event)).await?;
        if run.timings {
            report::timings(plan, &done, &self.names);
        }
        Ok(done)
    }
}

/// Takes the lock, and says so where the run that held it was broken off.
pub async fn lock(store: &Store) -> anyhow::Result<Lock> {
    let lock = store.lock().await?;
    if let Some(holder) = &lock.broken_off {
        report::taken_over(holder);
    }
    Ok(lock)
}

/// The stack's record from the state file or, where that is gone, from its bucket's tag. Where there is no bucket
/// either, it is a new record with the suffix that `draw` returns.
async fn find_record(
    aws: &Aws,
    store: &Store,
    env: &str,
    draw: impl FnOnce() -> String,
) -> anyhow::Result<(StackRecord, Suffix)> {
    let known = match store.load().await? {
        Some(record) => Some(record),
        None => lost_record(aws, env).await?,
    };
    let suffix = if known.is_some() { Suffix::Known } else { Suffix::Drawn };
    let record = known.unwrap_or_else(|| StackRecord::new(env, &aws.place, draw()));
    record.check_place(&aws.place, &store.place())?;
    Ok((record, suffix))
}

/// The record of a stack whose state file is gone, found by the tag on its bucket.
async fn lost_record(aws: &Aws, env: &str) -> anyhow::Result<Option<StackRecord>> {
    let stack = stack_name(env);
    let mut suffixes = s3::find(aws, env, &stack).await?;
    if suffixes.len() > 1 {
        let buckets = suffixes.iter().map(|suffix| format!("{}{suffix}", bucket_prefix(env)));
        bail!(
            "there is no state file, and several buckets carry the tag of the stack {stack}: {}; put the state file \
             back, or remove the tag from the buckets that are not in use",
            buckets.collect::<Vec<_>>().join(", ")
        );
    }
    Ok(suffixes.pop().map(|suffix| StackRecord::new(env, &aws.place, suffix)))
}
