//! What CloudPix is made of: settings in, desired resources out. Pure; knows no AWS client.
//!
//! A [`Stack`] is both what should exist and what does: `live` reads one from AWS, `plan` takes the
//! difference of two, and destroying is planning towards the empty one.

use std::collections::{BTreeMap, BTreeSet};

use contract::Function;
use serde_json::json;

use function::{Profile, Trigger, profile};
use id::Id;
use place::{API_ID, Names, Place, ROLE_ID, STAGE};
use resource::{
    Alias, ApiKey, Code, Configuration, ContainerImage, Lambda, LogGroup, OnTrial, Repository, Resource,
    Role, Stage, UsagePlan,
};

use crate::settings::{Auth, Package, Settings, Thumbnails};

pub mod function;
pub mod id;
pub mod place;
pub mod resource;

mod api;
pub mod policy;
mod storage;
pub mod watch;

/// What exists, or what should. Iterates in an order that satisfies [`Id::needs`].
pub type Stack = BTreeMap<Id, Resource>;

/// Everything that should exist.
pub fn desired(settings: &Settings, place: &Place, names: &Names, code: &BTreeMap<Function, Code>) -> Stack {
    let tags = names.tags();
    let mut stack = Stack::from([
        (Id::Bucket, Resource::Bucket(storage::bucket(settings, place, names))),
        (Id::Table, Resource::Table(storage::table(names))),
        (Id::Queue, Resource::Queue(storage::queue(place, names))),
    ]);
    for (&function, code) in code {
        let lambda = lambda(settings, place, names, function, code);
        let retention = Some(settings.log_retention_days);
        stack.insert(Id::LogGroup(function), Resource::LogGroup(LogGroup { tags: tags.clone(), retention }));
        stack.insert(Id::Role(function), Resource::Role(policy::role(settings, place, names, function)));
        let repository = repository(place, names, function);
        stack.insert(Id::Repository(function), Resource::Repository(repository));
        if code.package == Package::Image {
            stack
                .insert(Id::Image(function), Resource::Image(ContainerImage { digest: code.digest.clone() }));
        }
        let configuration = lambda.configuration.clone();
        let alias = Alias { configuration, weights: BTreeMap::new(), on_trial: OnTrial::default() };
        stack.insert(Id::Function(function), Resource::Function(lambda));
        stack.insert(Id::Alias(function), Resource::Alias(alias));
        stack.insert(
            Id::Permission(function),
            Resource::Permission(policy::permission(place, names, function)),
        );
        if function == Function::Process {
            let notification = storage::notification(place, names);
            stack.insert(Id::Notification, Resource::Notification(notification));
        }
    }
    let api = api::api(settings, place, names);
    let stage = Stage {
        tags: tags.clone(),
        serves: api::fingerprint(&api),
        stale_deployments: 0,
        throttle_rate: settings.throttle.rate,
        throttle_burst: settings.throttle.burst,
        tracing: settings.watch.tracing,
        access_log: settings.watch.access_logs.then(|| api::access_log(settings, place, names)),
    };
    if settings.watch.access_logs {
        let retention = Some(settings.log_retention_days);
        stack.insert(Id::AccessLog, Resource::LogGroup(LogGroup { tags: tags.clone(), retention }));
    }
    stack.insert(Id::Api, Resource::Api(api));
    stack.insert(Id::Stage, Resource::Stage(stage));
    if settings.auth == Auth::ApiKey {
        let plan = UsagePlan {
            tags: tags.clone(),
            stages: BTreeSet::from([format!("{API_ID}:{STAGE}")]),
            keys: BTreeSet::from([names.stack.clone()]),
            quota: settings.quota,
        };
        stack.insert(Id::ApiKey, Resource::ApiKey(ApiKey { tags, enabled: true }));
        stack.insert(Id::UsagePlan, Resource::UsagePlan(plan));
    }
    if let Some(alarms) = &settings.watch.alarms {
        stack.insert(Id::Alarms, Resource::Alarms(watch::alarms(alarms, names)));
    }
    if settings.watch.dashboard {
        stack.insert(Id::Dashboard, Resource::Dashboard(watch::dashboard(place, names)));
    }
    stack
}

/// Fills in what AWS invented of the roles that there are.
pub fn know_roles(desired: &mut Stack, live: &Stack) {
    for function in Function::ALL {
        let Some(Resource::Role(Role { id: Some(role_id), .. })) = live.get(&Id::Role(function)) else {
            continue;
        };
        for id in [Id::Role(function), Id::Function(function), Id::Alias(function)] {
            match desired.get_mut(&id) {
                Some(Resource::Role(role)) => role.id = Some(role_id.clone()),
                Some(Resource::Function(lambda)) => lambda.configuration.role_id.clone_from(role_id),
                Some(Resource::Alias(alias)) => alias.configuration.role_id.clone_from(role_id),
                _ => (),
            }
        }
    }
}

/// Somebody has stopped a function by hand, as Lambda's console does ("Throttle"): no call of it is let in. It is
/// theirs to start it again, and not the next run's.
pub fn keep_stopped(desired: &mut Stack, live: &Stack) {
    for function in Function::ALL {
        let id = Id::Function(function);
        if let (Some(Resource::Function(is)), Some(Resource::Function(wanted))) =
            (live.get(&id), desired.get_mut(&id))
            && is.concurrency == Some(0)
            && wanted.concurrency.is_none()
        {
            wanted.concurrency = Some(0);
        }
    }
}

/// Untagged images are never ours. Of ours, ECR does not know which ones a version still uses, so
/// `release` prunes those.
fn repository(place: &Place, names: &Names, function: Function) -> Repository {
    let lifecycle = json!({"rules": [{
        "rulePriority": 1,
        "description": "untagged images go after a week",
        "selection": {
            "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7},
        "action": {"type": "expire"},
    }]});
    let pull_policy = policy::pull(place, names, function);
    Repository { tags: names.tags(), immutable_tags: true, scan_on_push: true, pull_policy, lifecycle }
}

fn lambda(settings: &Settings, place: &Place, names: &Names, function: Function, code: &Code) -> Lambda {
    let sizing = settings.functions[&function];
    let mut environment = vec![
        (contract::variable::BUCKET, names.bucket.clone()),
        (contract::variable::TABLE, names.table()),
        (contract::variable::ALLOW_ORIGIN, settings.allow_origin.clone()),
        (contract::variable::MAX_PIXELS, settings.max_pixels.to_string()),
        (contract::variable::MAX_UPLOAD_BYTES, settings.max_upload_bytes.to_string()),
    ];
    let Profile { trigger, makes_thumbnails, .. } = profile(function);
    if *makes_thumbnails {
        let Thumbnails { sizes, format, quality } = &settings.thumbnails;
        let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
        environment.extend([
            (contract::variable::THUMBNAIL_SIZES, sizes.join(",")),
            (contract::variable::THUMBNAIL_FORMAT, format.name().to_owned()),
            (contract::variable::THUMBNAIL_QUALITY, quality.to_string()),
        ]);
    }
    let configuration = Configuration {
        code: code.clone(),
        role: policy::role_arn(place, names, function),
        role_id: ROLE_ID.to_owned(),
        memory: sizing.memory,
        timeout: sizing.timeout,
        tracing: settings.watch.tracing,
        dead_letters: (*trigger == Trigger::Objects).then(|| policy::queue_arn(place, names)),
        environment: environment.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    };
    Lambda { tags: names.tags(), concurrency: sizing.concurrency, configuration }
}
