//! The commands, each a line from left to right: settings, desired, live, plan, apply, report.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::CommandFactory;
use clap_complete::Shell;
use contract::Function;
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::apply::{self, Done, Site};
use crate::aws::{Aws, Door, apigateway, s3};
use crate::cli::{Cli, Code as CodeFlags, Common, Completions, Run, Traffic};
use crate::commands::release::{Release, Test};
use crate::cost;
use crate::live;
use crate::outputs::{self, Outputs};
use crate::package::{self, Artifact, Order};
use crate::plan::{self, Plan};
use crate::report::{self, Progress};
use crate::settings::{self, Package, Settings};
use crate::source::Source;
use crate::stack::id::Id;
use crate::stack::place::{Names, bucket_prefix, stack_name};
use crate::stack::resource::{Code, Resource};
use crate::stack::{self, Stack};
use crate::state::{self, Lock, Record, Store};

pub mod adopt;
pub mod checkup;
pub mod logs;
pub mod release;
pub mod repair;
pub mod status;

/// What `destroy` does with images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// Removes a stack only where there are none.
    Refuse,
    Delete,
    Keep,
}

impl Images {
    pub fn choice(delete: bool, keep: bool) -> Images {
        match (delete, keep) {
            (true, _) => Images::Delete,
            (_, true) => Images::Keep,
            _ => Images::Refuse,
        }
    }
}

/// Stands for the suffix in a plan for a stack that has none yet.
const UNDRAWN: &str = "{suffix}";

pub async fn plan(common: &Common, code: &CodeFlags) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, code.package)?;
    state::check(&common.state_dir, &settings).await?;
    let (aws, packing) = connect_and_pack(&settings, code.functions.as_deref()).await?;
    let store = Store::new(&common.state_dir, &settings, &aws);
    let (record, drawn) = recorded(&aws, &store, &settings.env, || UNDRAWN.to_owned()).await?;
    let Compared { plan, names, .. } = compare(&aws, &settings, &record, drawn, packing).await?;
    report::plan(&plan, &names, &aws.place, common.json)?;
    Ok(if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

pub async fn apply(common: &Common, code: &CodeFlags, run: &Run) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, code.package)?;
    state::check(&common.state_dir, &settings).await?;
    let (aws, packing) = connect_and_pack(&settings, code.functions.as_deref()).await?;
    let store = Store::new(&common.state_dir, &settings, &aws);
    let _lock = store.lock().await?;
    let (mut record, drawn) = recorded(&aws, &store, &settings.env, Record::draw_suffix).await?;
    let checked =
        async { if drawn { Ok(()) } else { checkup::before_the_first_change(&aws, &settings).await } };
    let (checked, compared) = tokio::join!(checked, compare(&aws, &settings, &record, drawn, packing));
    // Who lacks permissions should hear of all of them, not of the first read that is refused.
    checked?;
    let Compared { plan, names, api, artifacts, mut to_try } = compared?;
    if store.load().await?.is_none() {
        // The suffix is on disk before the bucket that bears it is made.
        store.save(&record).await?;
    }
    report::plan_to_person(&plan, &names, &aws.place);
    if plan.destroys() && !run.yes {
        report::confirm("Some of this deletes or replaces. Go on?", "--yes")?;
    }
    if record.api_id != api {
        record.api_id = api;
        store.save(&record).await?;
    }
    let site = Site {
        aws: &aws,
        names: &names,
        artifacts: &artifacts,
        store: &store,
        record: RefCell::new(record),
        roles: RefCell::default(),
        parallelism: run.parallelism.into(),
    };
    let progress = Progress::new(&names);
    let done = apply::run(&site, &plan, |event| progress.show(&event)).await?;
    if run.timings {
        report::timings(&plan, &done, &names);
    }
    let record = site.record.into_inner();
    let outputs = Outputs::new(&record, aws.endpoint.as_deref());
    // An emulator need not be able to run functions; `outputs --curl` waits for one that does.
    let mut answers = Ok(());
    if !plan.is_empty() && aws.endpoint.is_none() {
        let asked = Outputs::new(&record, None).with_api_key(&aws).await?;
        let waiting = asked.wait_until_it_answers(|text| progress.note(text));
        // Told below: a new version may be what keeps it from answering, and is taken back first.
        answers = progress.wait("the API to answer", waiting).await;
    }
    store.check_lock().await?;
    // A new version may not do its work; an emulator need not be able to run one that is an image.
    let runs = aws.endpoint.is_none() || settings.package == Package::Zip;
    let test = if runs { Test::Smoke } else { Test::None };
    let release = Release { aws: &aws, names: &names, keep: settings.keep_versions };
    let of_record = Outputs::new(&record, aws.endpoint.as_deref());
    to_try.extend(release::moved(&plan));
    progress.wait("the smoke test", release.settle(&to_try, of_record, test)).await?;
    answers?;
    store.check_lock().await?;
    release.prune_after(&plan, settings.package).await?;
    report::applied(&plan, &done, &names, &outputs, common.json)?;
    if aws.endpoint.is_none() {
        report::next_steps(&outputs.env);
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn destroy(common: &Common, run: &Run, images: Images) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    if settings.protected {
        bail!(
            "the environment {} is protected, so it is not destroyed; take `protected` out of its settings first",
            settings.env
        );
    }
    let mut opened = Opened::new(common, &settings).await?;
    if images == Images::Keep {
        opened.live.retain(|id, _| !matches!(id, Id::Bucket | Id::Table));
    } else if opened.live.contains_key(&Id::Bucket) {
        guard_images(&opened.aws, &opened.names, images).await?;
    }
    let Opened { aws, names, live, .. } = &opened;
    let plan = refuse(plan::plan(&Stack::new(), live, names))?;
    report::plan_to_person(&plan, names, &aws.place);
    // Unattended it goes on: what could lose an image was refused above.
    if !plan.is_empty() && !run.yes && report::is_attended() {
        report::confirm(&format!("Remove the stack {} for good?", names.stack), "--yes")?;
    }
    let done = opened.run(&plan, run).await?;
    if images != Images::Keep {
        opened.store.remove().await?;
        outputs::forget_key(&common.state_dir, &common.env)?;
    }
    report::destroyed(&plan, &done, names, images == Images::Keep, common.json)?;
    Ok(ExitCode::SUCCESS)
}

/// A stack that is locked and was read, with nothing desired of it yet.
struct Opened {
    aws: Aws,
    store: Store,
    record: Record,
    names: Names,
    live: Stack,
    _lock: Lock,
}

impl Opened {
    async fn new(common: &Common, settings: &Settings) -> anyhow::Result<Opened> {
        state::check(&common.state_dir, settings).await?;
        let aws = Aws::connect().await?;
        let store = Store::new(&common.state_dir, settings, &aws);
        let lock = store.lock().await?;
        // Without a bucket there is no suffix, but anything else may still be there. The record may be
        // saved on the way, so what stands for the suffix is one.
        let (mut record, drawn) = recorded(&aws, &store, &common.env, Record::draw_suffix).await?;
        let names = Names::new(&record.env, &aws.place.region, &record.suffix);
        let (api, live) = live::look(&aws, &names, record.api_id.as_deref(), drawn, &BTreeMap::new()).await?;
        record.api_id = api;
        Ok(Opened { aws, store, record, names, live, _lock: lock })
    }

    /// Runs a plan that needs no code.
    async fn run<'a>(&self, plan: &'a Plan, run: &Run) -> anyhow::Result<Vec<Done<'a>>> {
        let site = Site {
            aws: &self.aws,
            names: &self.names,
            artifacts: &BTreeMap::new(),
            store: &self.store,
            record: RefCell::new(self.record.clone()),
            roles: RefCell::default(),
            parallelism: run.parallelism.into(),
        };
        let progress = Progress::new(&self.names);
        let done = apply::run(&site, plan, |event| progress.show(&event)).await?;
        if run.timings {
            report::timings(plan, &done, &self.names);
        }
        Ok(done)
    }
}

pub async fn outputs(common: &Common, api_key: bool, curl: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    let needs_aws = api_key || curl.is_some() || settings.state_bucket.is_some();
    let outputs = if needs_aws {
        let (_, aws, record) = existing(common).await?;
        let outputs = Outputs::new(&record, aws.endpoint.as_deref());
        if api_key || curl.is_some() { outputs.with_api_key(&aws).await? } else { outputs }
    } else {
        let record = load_existing(&Store::local(&common.state_dir, &common.env)).await?;
        let endpoint = std::env::var("AWS_ENDPOINT_URL").ok();
        Outputs::new(&record, endpoint.as_deref().map(|url| url.trim_end_matches('/')))
    };
    let lines = match curl {
        Some(image) => {
            let key = outputs.save_key(&common.state_dir)?;
            let lines = outputs.curl(image, key.as_deref())?;
            outputs.wait_until_it_answers(report::note).await?;
            Some(lines)
        }
        None => None,
    };
    report::outputs(&outputs, lines.as_ref(), common.json)?;
    Ok(ExitCode::SUCCESS)
}

pub fn cost(common: &Common, traffic: &Traffic) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    let Traffic { uploads, lists, downloads, image_mb, stored, worst_case } = *traffic;
    let expected = cost::Traffic { uploads, lists, downloads, image_mb, stored };
    let traffic = if worst_case { cost::worst(&settings) } else { expected };
    report::cost(&cost::estimate(&settings, &traffic), &traffic, worst_case, common.json)?;
    Ok(ExitCode::SUCCESS)
}

pub fn completions(what: Completions) -> anyhow::Result<ExitCode> {
    let mut output = Vec::new();
    let mut complete =
        |shell| clap_complete::generate::<Shell, _>(shell, &mut Cli::command(), "provision", &mut output);
    match what {
        Completions::Bash => complete(Shell::Bash),
        Completions::Elvish => complete(Shell::Elvish),
        Completions::Fish => complete(Shell::Fish),
        Completions::Powershell => complete(Shell::PowerShell),
        Completions::Zsh => complete(Shell::Zsh),
        Completions::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut output).context("write the manual page")?;
        }
    }
    report::bytes(&output)?;
    Ok(ExitCode::SUCCESS)
}

/// What a command about a stack that is there starts from.
async fn existing(common: &Common) -> anyhow::Result<(Settings, Aws, Record)> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    if settings.state_bucket.is_none() {
        // Where there is no stack, credentials do not matter.
        load_existing(&Store::local(&common.state_dir, &common.env)).await?;
    }
    let aws = Aws::connect().await?;
    let store = Store::new(&common.state_dir, &settings, &aws);
    let record = load_existing(&store).await?;
    record.check_place(&aws.place, &store.place())?;
    Ok((settings, aws, record))
}

async fn load_existing(store: &Store) -> anyhow::Result<Record> {
    store.load().await?.with_context(|| {
        format!(
            "no stack is recorded in {}; create it with `provision apply`, or name its --env",
            store.place()
        )
    })
}

type Packed = BTreeMap<Function, Code>;
/// The functions' packages, on their way.
type Packing = JoinHandle<anyhow::Result<(Packed, BTreeMap<Function, Artifact>)>>;

/// Asks who we are while the functions are packed.
async fn connect_and_pack(settings: &Settings, folder: Option<&Path>) -> anyhow::Result<(Aws, Packing)> {
    let door = Door::find().await?;
    let (settings, emulated, folder) =
        (settings.clone(), door.endpoint().is_some(), folder.map(Path::to_owned));
    let packing = tokio::spawn(async move { pack(&settings, emulated, folder.as_deref()).await });
    Ok((door.open().await?, packing))
}

/// Packs each function on a thread of its own: compressing is what takes the time.
async fn pack(
    settings: &Settings,
    emulated: bool,
    folder: Option<&Path>,
) -> anyhow::Result<(Packed, BTreeMap<Function, Artifact>)> {
    let folder = folder.map_or_else(|| functions_folder(emulated), Path::to_owned);
    let packing = settings.functions.iter().map(|(&function, sizing)| {
        let (path, package, architecture) =
            (folder.join(function.name()), settings.package, sizing.architecture);
        let pack = move || {
            let source = Source::of(function);
            package::pack(&Order { function, path: &path, package, architecture, emulated, source })
        };
        async move { anyhow::Ok((function, tokio::task::spawn_blocking(pack).await??)) }
    });
    // All are waited for, so that of several errors it is always the first one's that is told.
    let packed: anyhow::Result<Vec<_>> = join_all(packing).await.into_iter().collect();
    Ok(packed?
        .into_iter()
        .map(|(function, (code, artifact))| ((function, code), (function, artifact)))
        .unzip())
}

/// Where the functions were built: by `make build`, or for an emulator also by `make local`, whose
/// binaries are not optimised and no match for AWS.
fn functions_folder(emulated: bool) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
    let profiles: &[&str] = if emulated { &["release", "local"] } else { &["release"] };
    let folder = |libc: &str, profile: &str| {
        PathBuf::from(format!("target/{architecture}-unknown-linux-{libc}/{profile}"))
    };
    let candidates = ["gnu", "musl"]
        .into_iter()
        .flat_map(|libc| profiles.iter().map(move |profile| folder(libc, profile)));
    let built =
        |folder: &PathBuf| Function::ALL.iter().all(|function| folder.join(function.name()).is_file());
    candidates.clone().find(built).unwrap_or_else(|| folder("gnu", "release"))
}

struct Compared {
    plan: Plan,
    names: Names,
    /// The REST API's id, where there is one.
    api: Option<String>,
    artifacts: BTreeMap<Function, Artifact>,
    /// The functions whose version is on trial still, from a run that did not come to the end of it.
    to_try: BTreeSet<Function>,
}

/// What should be beside what is.
async fn compare(
    aws: &Aws,
    settings: &Settings,
    record: &Record,
    drawn: bool,
    packing: Packing,
) -> anyhow::Result<Compared> {
    let names = Names::new(&settings.env, &aws.place.region, &record.suffix);
    let look = |code| live::look(aws, &names, record.api_id.as_deref(), drawn, code);
    let (nothing, may_log) = (BTreeMap::new(), apigateway::may_log(aws));
    let ((packed, artifacts), (api, live), may_log) = match settings.package {
        // No zip file is looked for on AWS, so they may be packed meanwhile.
        Package::Zip => tokio::try_join!(async { packing.await? }, look(&nothing), may_log)?,
        Package::Image => {
            let packed = packing.await??;
            let (found, may_log) = tokio::try_join!(look(&packed.0), may_log)?;
            (packed, found, may_log)
        }
    };
    let mut settings = settings.clone();
    settings.watch.access_logs &= may_log;
    let mut desired = stack::desired(&settings, &aws.place, &names, &packed);
    stack::know_roles(&mut desired, &live);
    stack::keep_stopped(&mut desired, &live);
    let plan = refuse(plan::plan(&desired, &live, &names))?;
    let on_trial = |(id, is): (&Id, &Resource)| match (id, is) {
        (Id::Alias(function), Resource::Alias(alias)) if alias.on_trial.0 => Some(*function),
        _ => None,
    };
    let to_try = live.iter().filter_map(on_trial).collect();
    Ok(Compared { plan, names, api, artifacts, to_try })
}

fn refuse(plan: Result<Plan, Vec<plan::Refusal>>) -> anyhow::Result<Plan> {
    plan.map_err(|refusals| {
        let lines: Vec<String> = refusals.iter().map(|refusal| format!("  {refusal}")).collect();
        anyhow::anyhow!("nothing was changed, because:\n{}", lines.join("\n"))
    })
}

/// The record of a stack whose state file is gone, found by the tag on its bucket.
async fn lost(aws: &Aws, env: &str) -> anyhow::Result<Option<Record>> {
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
    Ok(suffixes.pop().map(|suffix| Record::new(env, &aws.place, suffix)))
}

/// The stack's record from the state file or, where that is gone, from its bucket's tag; a new one
/// with the suffix given, and `false`, where there is no bucket yet.
async fn recorded(
    aws: &Aws,
    store: &Store,
    env: &str,
    suffix: impl FnOnce() -> String,
) -> anyhow::Result<(Record, bool)> {
    let known = match store.load().await? {
        Some(record) => Some(record),
        None => lost(aws, env).await?,
    };
    let drawn = known.is_some();
    let record = known.unwrap_or_else(|| Record::new(env, &aws.place, suffix()));
    record.check_place(&aws.place, &store.place())?;
    Ok((record, drawn))
}

async fn guard_images(aws: &Aws, names: &Names, images: Images) -> anyhow::Result<()> {
    const ENOUGH: usize = 10_000;
    let count = s3::objects::count_images(aws, names, ENOUGH).await?;
    if count == 0 || images == Images::Delete {
        return Ok(());
    }
    let (count, more) = (count.min(ENOUGH), if count >= ENOUGH { " or more" } else { "" });
    bail!(
        "images in the bucket {}: {count}{more}; delete them too with --delete-images (make destroy \
         DELETE_IMAGES=1), or keep bucket and table with --keep-images (make destroy KEEP_IMAGES=1)",
        names.bucket
    )
}
