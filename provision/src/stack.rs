//! What CloudPix is made of: settings in, desired resources out. Pure; knows no AWS client.
//!
//! A [`Stack`] is both what should exist and what does: `live` reads one from AWS, `plan` takes the
//! difference of two, and destroying is planning towards the empty one.

use std::collections::{BTreeMap, BTreeSet};

use contract::Function;
use serde_json::json;

use function::{Profile, Trigger, profile};
use id::{Id, Purpose};
use place::{API_ID, CLIENT_ID, Names, POOL_ID, Place, ROLE_ID, STAGE};
use resource::Resource;
use resource::api::{ApiKey, Integration, Method, Stage, UsagePlan};
use resource::lambda::{Alias, Code, Configuration, ContainerImage, Lambda, OnTrial, Repository, Role};
use resource::watch::LogGroup;

use crate::settings::thumbnails::Thumbnails;
use crate::settings::{Auth, Package, Settings};

pub mod function;
pub mod id;
pub mod place;
pub mod resource;

mod api;
pub mod policy;
mod sign_in;
mod storage;
pub mod watch;

/// What exists, or what should. Iterates in an order that satisfies [`Id::needs`].
pub type Stack = BTreeMap<Id, Resource>;

/// Everything that should exist.
pub fn desired(settings: &Settings, place: &Place, names: &Names, code: &BTreeMap<Function, Code>) -> Stack {
    let mut resources = vec![
        Resource::Bucket(storage::bucket(settings, place, names)),
        Resource::Table(Purpose::Metadata, storage::table(names, Purpose::Metadata)),
        Resource::Queue(storage::queue(place, names)),
    ];
    if settings.has_users() {
        resources.push(Resource::Table(Purpose::Access, storage::table(names, Purpose::Access)));
    }
    if settings.has_pool() {
        resources.push(Resource::UserPool(sign_in::user_pool(settings, names)));
        resources.push(Resource::AppClient(sign_in::app_client(settings, place)));
    }
    for (&function, code) in code {
        resources.extend(of_function(settings, place, names, function, code));
    }
    resources.extend(of_api(settings, place, names));
    if settings.alarms.enabled {
        resources.push(Resource::Alarms(watch::alarms(settings, names)));
    }
    if settings.dashboard {
        resources.push(Resource::Dashboard(watch::dashboard(settings, place, names)));
    }
    resources.into_iter().map(|resource| (resource.id(), resource)).collect()
}

fn log_group(settings: &Settings, names: &Names) -> LogGroup {
    LogGroup { tags: names.tags(), retention: Some(settings.log_retention_days) }
}

/// What each function has of its own.
fn of_function(
    settings: &Settings,
    place: &Place,
    names: &Names,
    function: Function,
    code: &Code,
) -> Vec<Resource> {
    let lambda = lambda(settings, place, names, function, code);
    let configuration = lambda.configuration.clone();
    let alias = Alias { configuration, weights: BTreeMap::new(), on_trial: OnTrial::default() };
    let mut resources = vec![
        Resource::LogGroup(function, log_group(settings, names)),
        Resource::Role(function, policy::role(settings, place, names, function)),
        Resource::Repository(function, repository(place, names, function)),
        Resource::Function(function, lambda),
        Resource::Alias(function, alias),
        Resource::Permission(function, policy::permission(settings, place, names, function)),
    ];
    if code.package == Package::Image {
        resources.push(Resource::Image(function, ContainerImage { digest: code.digest.clone() }));
    }
    if function == Function::Process {
        resources.push(Resource::Notification(storage::notification(place, names)));
    }
    resources
}

/// The API and what stands between it and its callers.
fn of_api(settings: &Settings, place: &Place, names: &Names) -> Vec<Resource> {
    let api = api::api(settings, place, names);
    let stage = Stage {
        tags: names.tags(),
        serves: api::fingerprint(&api),
        stale_deployments: 0,
        throttle_rate: settings.throttle.rate,
        throttle_burst: settings.throttle.burst,
        tracing: settings.tracing,
        access_log: settings.access_logs.then(|| api::access_log(settings, place, names)),
    };
    let mut resources = vec![Resource::Api(api), Resource::Stage(stage)];
    if settings.access_logs {
        resources.push(Resource::AccessLog(log_group(settings, names)));
    }
    if settings.auth == Auth::ApiKey {
        let plan = UsagePlan {
            tags: names.tags(),
            stages: BTreeSet::from([format!("{API_ID}:{STAGE}")]),
            keys: BTreeSet::from([names.stack.clone()]),
            quota: settings.quota,
        };
        resources.push(Resource::ApiKey(ApiKey { tags: names.tags(), enabled: true }));
        resources.push(Resource::UsagePlan(plan));
    }
    resources
}

/// Who may call a stack that is there, as far as can be told by its API.
pub fn auth_of(live: &Stack) -> Option<Auth> {
    let Some(Resource::Api(api)) = live.get(&Id::Api) else { return None };
    let lambda = |method: &&Method| matches!(method.integration, Integration::Lambda(_));
    let mut served = api.methods.values().filter(lambda).peekable();
    // The authorizer is there before any method.
    if api.authorizer.is_some() {
        Some(Auth::Users)
    } else if live.contains_key(&Id::ApiKey) || served.clone().any(|method| method.api_key_required) {
        Some(Auth::ApiKey)
    } else {
        served.peek().map(|_| Auth::None)
    }
}

/// Fills in what AWS invented of the roles that there are.
pub fn know_roles(desired: &mut Stack, live: &Stack) {
    for function in Function::ALL {
        let Some(Resource::Role(_, Role { id: Some(role_id), .. })) = live.get(&Id::Role(function)) else {
            continue;
        };
        for id in [Id::Role(function), Id::Function(function), Id::Alias(function)] {
            match desired.get_mut(&id) {
                Some(Resource::Role(_, role)) => role.id = Some(role_id.clone()),
                Some(Resource::Function(_, lambda)) => lambda.configuration.role_id.clone_from(role_id),
                Some(Resource::Alias(_, alias)) => alias.configuration.role_id.clone_from(role_id),
                _ => (),
            }
        }
    }
}

/// Fills in what AWS invented of the pool of users and of its client, where they are there.
pub fn know_sign_in(desired: &mut Stack, live: &Stack) {
    let (mut pool_id, mut client_id) = (None, None);
    if let Some(Resource::UserPool(live)) = live.get(&Id::UserPool) {
        pool_id.clone_from(&live.id);
    }
    if let Some(Resource::AppClient(live)) = live.get(&Id::AppClient) {
        client_id.clone_from(&live.id);
    }
    for wanted in desired.values_mut() {
        match wanted {
            Resource::UserPool(pool) => pool.id.clone_from(&pool_id),
            Resource::AppClient(client) => client.id.clone_from(&client_id),
            Resource::Function(_, Lambda { configuration, .. })
            | Resource::Alias(_, Alias { configuration, .. }) => {
                configuration.fill_in(POOL_ID, pool_id.as_deref());
                configuration.fill_in(CLIENT_ID, client_id.as_deref());
            }
            _ => (),
        }
    }
}

/// Somebody has stopped a function by hand, as Lambda's console does ("Throttle"): no call of it is let in. It is
/// theirs to start it again, and not the next run's.
pub fn keep_stopped(desired: &mut Stack, live: &Stack) {
    for function in Function::ALL {
        let id = Id::Function(function);
        if let (Some(Resource::Function(_, is)), Some(Resource::Function(_, wanted))) =
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

/// What a function is told. The one that authorizes has to do with no image, and is told of none.
fn environment(
    settings: &Settings,
    place: &Place,
    names: &Names,
    function: Function,
) -> BTreeMap<&'static str, String> {
    use contract::variable;
    let mut environment = BTreeMap::new();
    if settings.has_users() {
        environment.insert(variable::AUTH, "users".to_owned());
        environment.insert(variable::ACCESS_TABLE, names.table(Purpose::Access));
    }
    let Profile { trigger, makes_thumbnails, .. } = profile(function);
    if *trigger == Trigger::Authorization {
        environment.extend(sign_in::variables(settings, place));
        return environment;
    }
    environment.extend([
        (variable::BUCKET, names.bucket.clone()),
        (variable::TABLE, names.table(Purpose::Metadata)),
        (variable::ALLOW_ORIGIN, settings.allow_origin.clone()),
        (variable::MAX_PIXELS, settings.max_pixels.to_string()),
        (variable::MAX_UPLOAD_BYTES, settings.max_upload_bytes.to_string()),
    ]);
    if *makes_thumbnails {
        let Thumbnails { sizes, format, quality } = &settings.thumbnails;
        let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
        environment.extend([
            (variable::THUMBNAIL_SIZES, sizes.join(",")),
            (variable::THUMBNAIL_FORMAT, format.name().to_owned()),
            (variable::THUMBNAIL_QUALITY, quality.to_string()),
        ]);
    }
    environment
}

fn lambda(settings: &Settings, place: &Place, names: &Names, function: Function, code: &Code) -> Lambda {
    let sizing = settings.functions[&function];
    let environment = environment(settings, place, names, function);
    let trigger = profile(function).trigger;
    let configuration = Configuration {
        code: code.clone(),
        role: policy::role_arn(place, names, function),
        role_id: ROLE_ID.to_owned(),
        memory: sizing.memory,
        timeout: sizing.timeout,
        tracing: settings.tracing,
        dead_letters: (trigger == Trigger::Objects).then(|| policy::queue_arn(place, names)),
        environment: environment.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    };
    Lambda { tags: names.tags(), concurrency: sizing.concurrency, configuration }
}

#[cfg(test)]
mod tests;
