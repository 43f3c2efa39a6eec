//! The trial that every new version of a function stands, and the deletion of versions that are too old.
//!
//! A version is on trial from the call that moves the alias to it until a test has passed. AWS itself
//! holds that, in the alias's description, so a run that is killed in between is gone on with by the
//! next `deploy` or `apply`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use contract::Function;
use futures_util::future::try_join_all;

use crate::aws::lambda::{self, Live, Note, Trial, Version};
use crate::aws::{Aws, ecr};
use crate::interrupt::GracefulStop;
use crate::outputs::Outputs;
use crate::pass::{self, Pass};
use crate::plan::{Action, Plan};
use crate::settings::Package;
use crate::smoke;
use crate::stack::id::Id;
use crate::stack::place::Names;

/// Whether a new version is tried through the API, or stays as it is: where its functions cannot be
/// run, or nobody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    Smoke,
    None,
}

/// The functions whose alias was made or moved: those have a version more than before.
pub fn moved(plan: &Plan) -> impl Iterator<Item = Function> {
    plan.steps.iter().filter_map(|step| match (step.id, &step.action) {
        (Id::Alias(function), Action::Update { .. } | Action::Create(_)) => Some(function),
        _ => None,
    })
}

/// What the trial of a version needs.
pub struct Release<'a> {
    pub aws: &'a Aws,
    pub names: &'a Names,
    /// Versions of a function that stay.
    pub keep: usize,
}

/// A function whose alias was moved from the version `after` to `version`, which nobody has tried yet.
struct OnTrial {
    function: Function,
    live: Live,
    version: String,
    after: String,
}

impl Release<'_> {
    /// Tries each of these functions whose alias is on trial, and moves the alias back where the version does not
    /// do its work. Returns the versions that passed.
    pub async fn settle(
        &self,
        functions: &BTreeSet<Function>,
        outputs: Outputs,
        test: Test,
    ) -> anyhow::Result<BTreeMap<Function, String>> {
        let stop = GracefulStop::begin();
        let pending = self.pending(functions).await?;
        let (mut passed, mut failures) = (BTreeMap::new(), Vec::new());
        if test == Test::None {
            for one in &pending {
                self.note(one, Trial::Skipped).await?;
            }
            return Ok(passed);
        }
        if pending.is_empty() {
            return Ok(passed);
        }
        let tried = pass::with(self.aws, self.names, outputs.auth, async |pass| {
            for one in pending {
                let result = tokio::select! {
                    result = self.try_out(&one, &outputs, pass) => result,
                    () = stop.requested() => {
                        bail!("interrupted; run again to test version {}, which is live", one.version)
                    }
                };
                match result {
                    Ok(()) => {
                        self.note(&one, Trial::Passed).await?;
                        passed.insert(one.function, one.version);
                    }
                    Err(error) => failures.push(self.move_back(&one, error).await?),
                }
            }
            Ok(())
        });
        tried.await?;
        match failures.into_iter().next() {
            Some(failure) => Err(failure),
            None => Ok(passed),
        }
    }

    /// Those of the functions whose alias is on trial.
    async fn pending(&self, functions: &BTreeSet<Function>) -> anyhow::Result<Vec<OnTrial>> {
        let read = functions.iter().map(async |&function| {
            let live = lambda::live(self.aws, self.names, function).await?;
            anyhow::Ok(live.and_then(|live| match &live.note {
                // Where the versions differ, somebody has moved the alias since, and left its description.
                Note::Moved { version, after, trial: Trial::Pending } if *version == live.version => {
                    let (version, after) = (version.clone(), after.clone());
                    Some(OnTrial { function, live, version, after })
                }
                _ => None,
            }))
        });
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }

    async fn try_out(&self, one: &OnTrial, outputs: &Outputs, pass: &Pass) -> anyhow::Result<()> {
        let OnTrial { function, live, version, .. } = one;
        lambda::serves(self.aws, self.names, *function, version).await?;
        smoke::test(self.aws, self.names, outputs, pass, *function, &live.key()).await
    }

    /// Notes on the alias what came of the trial.
    async fn note(&self, one: &OnTrial, trial: Trial) -> anyhow::Result<()> {
        let note = Note::Moved { version: one.version.clone(), after: one.after.clone(), trial };
        lambda::annotate(self.aws, self.names, one.function, &one.live, &note).await
    }

    /// Lets the API call the version before again, and returns the error that says so.
    async fn move_back(&self, one: &OnTrial, error: anyhow::Error) -> anyhow::Result<anyhow::Error> {
        let OnTrial { function, live, version, after } = one;
        let (name, note) = (self.names.function(*function), Note::Failed(version.clone()));
        let moved = lambda::move_live(self.aws, self.names, *function, live, after, &note).await;
        moved.with_context(|| {
            format!("version {version} of {name} failed its smoke test ({error:#}), and is still live")
        })?;
        Ok(error.context(format!(
            "version {version} of {name} failed its smoke test; version {after} is live again"
        )))
    }

    /// Deletes what is too old of the functions that the plan brought a version of: versions beyond the
    /// newest ones, and the images that no version uses any more.
    pub async fn prune_after(&self, plan: &Plan, package: Package) -> anyhow::Result<()> {
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

/// Splits versions, oldest first, into those to keep, which are the newest ones and those that an alias uses, and
/// those to delete.
fn split(versions: &[Version], keep: usize) -> (Vec<&Version>, Vec<&Version>) {
    let newest = versions.len().saturating_sub(keep);
    let (mut stay, mut go) = (Vec::new(), Vec::new());
    for (index, version) in versions.iter().enumerate() {
        let stays = index >= newest || !version.aliases.is_empty();
        if stays { stay.push(version) } else { go.push(version) }
    }
    (stay, go)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Versions by their numbers, and what aliases use each.
    pub(crate) fn versions(numbers: &[(&str, &[&str])]) -> Vec<Version> {
        let version = |(number, aliases): &(&str, &[&str])| Version {
            number: (*number).to_owned(),
            changed: String::new(),
            memory: 256,
            digest: format!("sha256:{number}"),
            aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        };
        numbers.iter().map(version).collect()
    }

    #[test]
    fn the_newest_stay_and_whatever_an_alias_uses() {
        let all = versions(&[("1", &[]), ("2", &["live"]), ("3", &[]), ("9", &["theirs"]), ("10", &[])]);
        let (stay, go) = split(&all, 2);
        let numbers = |all: Vec<&Version>| all.iter().map(|one| one.number.clone()).collect::<Vec<_>>();
        assert_eq!(
            (numbers(stay), numbers(go)),
            (vec!["2".into(), "9".into(), "10".into()], vec!["1".into(), "3".into()])
        );
        assert!(split(&all, 10).1.is_empty());
    }
}
