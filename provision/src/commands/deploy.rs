//! `provision deploy`: code alone, for functions that are there.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::bail;
use contract::Function;

use crate::apply::{self, Runner};
use crate::cli::{Code as CodeFlags, Common};
use crate::live::{self, Known, Suffix};
use crate::outputs::Outputs;
use crate::package::{self, Packed};
use crate::plan;
use crate::release::{Release, Test};
use crate::report::{self, Progress};
use crate::session::{self, Existing};
use crate::settings::Package;
use crate::stack::Stack;
use crate::stack::id::Id;
use crate::stack::resource::Resource;
use crate::stack::resource::lambda::{Code, ContainerImage};

/// Steps at once: a few of each function, of which the slowest is what it takes.
const PARALLELISM: usize = 16;

pub async fn run(
    common: &Common,
    code: &CodeFlags,
    only: Option<Function>,
    test: Test,
) -> anyhow::Result<ExitCode> {
    let Existing { mut settings, aws, store, record, names } = Existing::open(common).await?;
    let _lock = session::lock(&store).await?;
    settings.package = code.package.unwrap_or(settings.package);
    settings.functions.retain(|function, _| only.is_none_or(|only| only == *function));
    let Packed { code, artifacts } =
        package::pack_all(&settings, aws.place.endpoint.is_some(), code.functions.as_deref()).await?;

    let ids = code.keys().flat_map(|&f| [Id::Image(f), Id::Function(f), Id::Alias(f)]).collect();
    let known = Known { api: None, suffix: Suffix::Known, code: &code, users: settings.has_users() };
    let live = live::read_some(&aws, &names, &known, ids).await?;
    let plan = plan::checked(plan::plan(&with_code(&live, &code)?, &live, &names))?;
    report::plan_to_person(&plan, &names, &aws.place);

    let runner = Runner::new(&aws, &store, &names, &artifacts, record, PARALLELISM);
    let progress = Progress::new(&names);
    let done = apply::run(&runner, &plan, |event| progress.show(&event)).await?;
    let outputs = Outputs::new(&settings, &runner.into_record(), aws.place.endpoint.as_deref());
    let release = Release { aws: &aws, names: &names, keep: settings.keep_versions };
    store.check_lock().await?;
    let functions = code.keys().copied().collect();
    let tried = progress.wait("the smoke test", release.settle(&functions, outputs, test)).await?;
    store.check_lock().await?;
    release.prune_after(&plan, settings.package).await?;
    report::deployed(&plan, &done, &tried, &names, common.json)?;
    Ok(ExitCode::SUCCESS)
}

/// What is live, with the code that was packed instead of its own; nothing else changes.
fn with_code(live: &Stack, packed: &BTreeMap<Function, Code>) -> anyhow::Result<Stack> {
    let mut desired = Stack::new();
    for (&function, code) in packed {
        let (Some(Resource::Function(_, is)), Some(Resource::Alias(_, alias))) =
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
            let image = ContainerImage { digest: code.digest.clone() };
            desired.insert(Id::Image(function), Resource::Image(function, image));
        }
        desired.insert(Id::Function(function), Resource::Function(function, lambda));
        desired.insert(Id::Alias(function), Resource::Alias(function, alias));
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
