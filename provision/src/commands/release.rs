//! Code alone: `deploy`, `rollback`, `versions`; and the trial that every new version stands.
//!
//! A version is on trial from the call that moves the alias to it until a test has passed. AWS itself
//! holds that, in the alias's description, so a run that is killed in between is gone on with by the
//! next `deploy` or `apply`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, bail};
use contract::Function;
use futures_util::future::try_join_all;

use super::{Packed, existing, pack, refuse};
use crate::apply::{self, Site};
use crate::aws::lambda::{self, Live, Note, Trial, Version};
use crate::aws::{Aws, ecr};
use crate::cli::{Code as CodeFlags, Common};
use crate::interrupt::Orderly;
use crate::live::{self, Known};
use crate::outputs::Outputs;
use crate::plan::{self, Action, Plan};
use crate::report::{self, Progress};
use crate::settings::Package;
use crate::smoke;
use crate::stack::Stack;
use crate::stack::id::Id;
use crate::stack::place::Names;
use crate::stack::resource::{Code, Resource};
use crate::state::Store;

/// Whether a new version is tried through the API, or stays as it is: where its functions cannot be
/// run, or nobody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    Smoke,
    None,
}

pub async fn deploy(
    common: &Common,
    code: &CodeFlags,
    only: Option<Function>,
    test: Test,
) -> anyhow::Result<ExitCode> {
    let (mut settings, aws, record) = existing(common).await?;
    let store = Store::new(&common.state_dir, &settings, &aws);
    let _lock = store.lock().await?;
    settings.package = code.package.unwrap_or(settings.package);
    settings.functions.retain(|function, _| only.is_none_or(|only| only == *function));
    let names = Names::new(&record.env, &record.region, &record.suffix);
    let (packed, artifacts) = pack(&settings, aws.endpoint.is_some(), code.functions.as_deref()).await?;

    let ids = packed.keys().flat_map(|&f| [Id::Image(f), Id::Function(f), Id::Alias(f)]).collect();
    let known = Known { api: None, bucket: true, code: &packed };
    let live = live::read_some(&aws, &names, &known, ids).await?;
    let plan = refuse(plan::plan(&with_code(&live, &packed)?, &live, &names))?;
    report::plan_to_person(&plan, &names, &aws.place);

    let site = Site {
        aws: &aws,
        names: &names,
        artifacts: &artifacts,
        store: &store,
        record: record.into(),
        roles: RefCell::default(),
        // A few steps of each function; the slowest of them is what it takes.
        parallelism: 16,
    };
    let progress = Progress::new(&names);
    let done = apply::run(&site, &plan, |event| progress.show(&event)).await?;
    let outputs = Outputs::new(&site.record.into_inner(), aws.endpoint.as_deref());
    let release = Release { aws: &aws, names: &names, keep: settings.keep_versions };
    store.check_lock().await?;
    let tried = progress.wait("the smoke test", release.settle(packed.keys(), outputs, test)).await?;
    store.check_lock().await?;
    release.prune_after(&plan, settings.package).await?;
    report::deployed(&plan, &done, &tried, &names, common.json)?;
    Ok(ExitCode::SUCCESS)
}

/// What is live, with the code that was packed instead of its own; nothing else changes.
fn with_code(live: &Stack, packed: &Packed) -> anyhow::Result<Stack> {
    let mut desired = Stack::new();
    for (&function, code) in packed {
        let (Some(Resource::Function(is)), Some(Resource::Alias(alias))) =
            (live.get(&Id::Function(function)), live.get(&Id::Alias(function)))
        else {
            bail!("the function {} is not there yet; create it with `provision apply`", function.name());
        };
        check_package(function, &is.configuration.code, code)?;
        let (mut lambda, mut alias) = (is.clone(), alias.clone());
        lambda.configuration.code = code.clone();
        alias.configuration = lambda.configuration.clone();
        alias.weights.clear();
        if code.package == Package::Image {
            let image = crate::stack::resource::Image { digest: code.digest.clone() };
            desired.insert(Id::Image(function), Resource::Image(image));
        }
        desired.insert(Id::Function(function), Resource::Function(lambda));
        desired.insert(Id::Alias(function), Resource::Alias(alias));
    }
    Ok(desired)
}

fn check_package(function: Function, is: &Code, wanted: &Code) -> anyhow::Result<()> {
    if is.package == wanted.package {
        return Ok(());
    }
    let word = |package| if package == Package::Image { "an image" } else { "a zip file" };
    bail!(
        "the function {} is {} and would become {}, for which it must be replaced: `provision apply` does that",
        function.name(),
        word(is.package),
        word(wanted.package)
    )
}

/// The functions whose alias was made or moved: those have a version more than before.
pub(super) fn moved(plan: &Plan) -> impl Iterator<Item = Function> {
    plan.steps.iter().filter_map(|step| match (step.id, &step.action) {
        (Id::Alias(function), Action::Update { .. } | Action::Create(_)) => Some(function),
        _ => None,
    })
}

/// What the trial of a version needs.
pub(super) struct Release<'a> {
    pub aws: &'a Aws,
    pub names: &'a Names,
    /// Versions of a function that stay.
    pub keep: usize,
}

impl Release<'_> {
    /// Tries every function whose alias is on trial, and moves the alias back where it does not stand it.
    /// Answers the versions that were tried.
    pub(super) async fn settle(
        &self,
        functions: impl IntoIterator<Item = &Function>,
        outputs: Outputs,
        test: Test,
    ) -> anyhow::Result<BTreeMap<Function, String>> {
        let (mut outputs, mut with_key) = (outputs, false);
        let (mut tried, mut failures) = (BTreeMap::new(), Vec::new());
        let stop = Orderly::begin();
        let live = functions.into_iter().map(async |&function| {
            anyhow::Ok((function, lambda::live(self.aws, self.names, function).await?))
        });
        for (function, live) in try_join_all(live).await? {
            let Some(live) = live else { continue };
            let Note::Moved { version, after, trial: Trial::Pending } = &live.note else { continue };
            let settled = |trial| Note::Moved { version: version.clone(), after: after.clone(), trial };
            if *version != live.version {
                // Somebody has moved it since, and left the description.
                continue;
            }
            if test == Test::None {
                let note = settled(Trial::Skipped);
                lambda::annotate(self.aws, self.names, function, &live, &note).await?;
                continue;
            }
            if !with_key {
                outputs = outputs.with_api_key(self.aws).await?;
                with_key = true;
            }
            let tested = async {
                lambda::serves(self.aws, self.names, function, version).await?;
                smoke::test(self.aws, self.names, &outputs, function, &live.key()).await
            };
            let result = tokio::select! {
                result = tested => result,
                () = stop.asked() => bail!("interrupted; run again to test version {version}, which is live"),
            };
            match result {
                Ok(()) => {
                    let note = settled(Trial::Passed);
                    lambda::annotate(self.aws, self.names, function, &live, &note).await?;
                    tried.insert(function, version.clone());
                }
                Err(error) => failures.push(self.move_back(function, &live, version, after, error).await?),
            }
        }
        match failures.into_iter().next() {
            Some(failure) => Err(failure),
            None => Ok(tried),
        }
    }

    async fn move_back(
        &self,
        function: Function,
        live: &Live,
        version: &str,
        after: &str,
        error: anyhow::Error,
    ) -> anyhow::Result<anyhow::Error> {
        let (name, note) = (self.names.function(function), Note::Failed(version.to_owned()));
        let moved = lambda::move_live(self.aws, self.names, function, live, after, &note).await;
        moved.with_context(|| {
            format!("version {version} of {name} failed its smoke test ({error:#}), and is still live")
        })?;
        Ok(error.context(format!(
            "version {version} of {name} failed its smoke test; version {after} is live again"
        )))
    }

    /// Deletes what is too old of the functions that the plan brought a version of: versions beyond the
    /// newest ones, and the images that no version uses any more.
    pub(super) async fn prune_after(&self, plan: &Plan, package: Package) -> anyhow::Result<()> {
        try_join_all(moved(plan).map(|function| self.prune(function, package))).await.map(|_| ())
    }

    async fn prune(&self, function: Function, package: Package) -> anyhow::Result<()> {
        let Release { aws, names, keep } = *self;
        let versions = lambda::versions(aws, names, function).await?;
        let Some(live) = versions.iter().find(|version| version.is_live()) else { return Ok(()) };
        let (stay, go) = split(&versions, keep);
        for version in go {
            lambda::delete_version(aws, names, function, &version.number).await?;
        }
        if package == Package::Image {
            let latest = lambda::read(aws, names, function).await?.map(|it| it.configuration.code.digest);
            let used = stay.iter().map(|version| version.digest.clone()).chain(latest).collect();
            ecr::prune_images(aws, names, function, &used, &live.digest).await?;
        }
        Ok(())
    }
}

/// Of versions from old to new those that stay, the newest and those that an alias uses, and the rest.
fn split(versions: &[Version], keep: usize) -> (Vec<&Version>, Vec<&Version>) {
    let newest = versions.len().saturating_sub(keep);
    let (mut stay, mut go) = (Vec::new(), Vec::new());
    for (index, version) in versions.iter().enumerate() {
        let stays = index >= newest || !version.aliases.is_empty();
        if stays { stay.push(version) } else { go.push(version) }
    }
    (stay, go)
}

pub async fn versions(common: &Common, only: Option<Function>) -> anyhow::Result<ExitCode> {
    let (_, aws, record) = existing(common).await?;
    let names = Names::new(&record.env, &record.region, &record.suffix);
    let mut all = BTreeMap::new();
    for function in Function::ALL.into_iter().filter(|function| only.is_none_or(|only| only == *function)) {
        let note = lambda::live(&aws, &names, function).await?.map(|live| live.note);
        let versions = lambda::versions(&aws, &names, function).await?;
        all.insert(names.function(function), (versions, note.unwrap_or(Note::None)));
    }
    report::versions(&all, common.json)?;
    Ok(ExitCode::SUCCESS)
}

pub async fn rollback(common: &Common, function: Function, to: Option<u64>) -> anyhow::Result<ExitCode> {
    let (settings, aws, record) = existing(common).await?;
    let store = Store::new(&common.state_dir, &settings, &aws);
    let _lock = store.lock().await?;
    let names = Names::new(&record.env, &record.region, &record.suffix);
    let name = names.function(function);
    let live = lambda::live(&aws, &names, function).await?;
    let live = live.with_context(|| format!("{name} has no live version; run `provision apply`"))?;
    let versions = lambda::versions(&aws, &names, function).await?;
    let Some(target) = target(&versions, &live, to).with_context(|| format!("roll back {name}"))? else {
        report::rolled_back(&name, &live.version, None, common.json)?;
        return Ok(ExitCode::SUCCESS);
    };
    if target.digest.starts_with("sha256:") {
        let image = ecr::read_image(&aws, &names, function, &target.digest).await?;
        image.with_context(|| format!("the image {} of version {} is gone", target.digest, target.number))?;
    }
    store.check_lock().await?;
    let note = Note::RolledBack { from: live.version.clone() };
    lambda::move_live(&aws, &names, function, &live, &target.number, &note).await?;
    report::rolled_back(&name, &target.number, Some(&live.version), common.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The version to go back to, or `None` where the alias is there already.
///
/// A rollback that is run again, such as after a lost connection, must not go further back by itself.
fn target<'a>(versions: &'a [Version], live: &Live, to: Option<u64>) -> anyhow::Result<Option<&'a Version>> {
    let number = |version: &str| version.parse::<u64>().unwrap_or_default();
    let older = || versions.iter().rev().find(|version| number(&version.number) < number(&live.version));
    let wanted = match (to, &live.note) {
        (Some(to), _) => versions.iter().find(|version| number(&version.number) == to),
        (None, Note::RolledBack { .. }) => return Ok(None),
        (None, Note::Moved { version, after, .. }) if *version == live.version => {
            versions.iter().find(|version| version.number == *after)
        }
        (None, _) => older(),
    };
    let Some(wanted) = wanted else {
        let there: Vec<&str> = versions.iter().map(|version| version.number.as_str()).collect();
        let what = to.map_or_else(|| format!("one before {}", live.version), |to| to.to_string());
        bail!("there is no version {what}; there are {}", there.join(", "));
    };
    Ok((wanted.number != live.version).then_some(wanted))
}

#[cfg(test)]
mod tests;
