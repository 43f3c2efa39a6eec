//! What CloudPix is made of: settings in, desired resources out. Pure; knows no AWS client.
//!
//! A [`Stack`] is both what should exist and what does: `live` reads one from AWS, `plan` takes the
//! difference of two, and destroying is planning towards the empty one. Names and ARNs are computed
//! here, from the environment, the account and the drawn suffix. What AWS invents (the id of the REST
//! API) is written as the placeholder [`API_ID`], so that desired and live can be compared before it
//! is known.

use std::collections::{BTreeMap, BTreeSet};

use contract::Function;
use serde_json::json;

use function::{Profile, Trigger, profile};
use resource::{
    Alias, ApiKey, Code, Configuration, Image, Lambda, LogGroup, OnTrial, Repository, Resource, Role, Stage,
    Tags, UsagePlan,
};

use crate::settings::{Auth, Package, Settings, Thumbnails};

mod api;
pub mod function;
pub mod policy;
pub mod resource;
mod storage;
pub mod watch;

/// Stands for the REST API's id wherever an ARN or a stage names it.
pub const API_ID: &str = "{api}";
/// Stands for the id of a role that is still to be made.
pub const ROLE_ID: &str = "{role}";
/// The one stage of the API, and the last part of its URL on AWS.
pub const STAGE: &str = "v1";
/// Tag that says which stack a resource belongs to. Without it `provision` touches nothing.
pub const STACK_TAG: &str = "cloudpix:stack";
/// The alias of each function that the API calls. It names a published version.
pub const LIVE: &str = "live";
/// Id of our statement in a repository's policy.
pub const PULL_STATEMENT: &str = "CloudpixLambdaPulls";
/// Name of the inline policy on each role.
pub const ROLE_POLICY: &str = "cloudpix";

/// What exists, or what should. Iterates in an order that satisfies [`Id::needs`].
pub type Stack = BTreeMap<Id, Resource>;

/// One resource of the stack. The declaration order puts what is needed before what needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    Bucket,
    Table,
    /// What `process` failed at.
    Queue,
    LogGroup(Function),
    /// The log group of the API's requests.
    AccessLog,
    Role(Function),
    Repository(Function),
    Image(Function),
    Function(Function),
    Alias(Function),
    Api,
    ApiKey,
    Permission(Function),
    /// What the bucket starts.
    Notification,
    Stage,
    UsagePlan,
    Alarms,
    Dashboard,
}

impl Id {
    /// Every resource there can be, wanted or not.
    pub fn all() -> Vec<Id> {
        let per_function: [fn(Function) -> Id; 7] =
            [Id::LogGroup, Id::Role, Id::Repository, Id::Image, Id::Function, Id::Alias, Id::Permission];
        let mut ids: Vec<Id> = per_function
            .iter()
            .flat_map(|id| Function::ALL.map(id))
            .chain([Id::Bucket, Id::Table, Id::Queue])
            .collect();
        ids.extend([
            Id::Notification,
            Id::AccessLog,
            Id::Api,
            Id::ApiKey,
            Id::Stage,
            Id::UsagePlan,
            Id::Alarms,
            Id::Dashboard,
        ]);
        ids.sort();
        ids
    }

    /// What must be done before this one is created or changed, and outlives it when deleted.
    ///
    /// The API needs no function: API Gateway takes the ARN of a function that is still being made,
    /// so both take their time side by side. The stage, which puts the API before its callers, waits
    /// for everything.
    pub fn needs(self) -> Vec<Id> {
        match self {
            Id::Bucket
            | Id::Table
            | Id::Queue
            | Id::LogGroup(_)
            | Id::AccessLog
            | Id::Role(_)
            | Id::Repository(_)
            | Id::Api
            | Id::ApiKey
            | Id::Alarms
            | Id::Dashboard => {
                vec![]
            }
            Id::Image(f) => vec![Id::Repository(f)],
            Id::Function(f) => {
                let own = [Id::Role(f), Id::LogGroup(f), Id::Image(f)];
                let queue = (profile(f).trigger == Trigger::Objects).then_some(Id::Queue);
                own.into_iter().chain(queue).collect()
            }
            Id::Alias(f) => vec![Id::Function(f)],
            Id::Permission(f) => match profile(f).trigger {
                Trigger::Objects => vec![Id::Alias(f), Id::Bucket],
                Trigger::Requests => vec![Id::Alias(f), Id::Api],
            },
            Id::Notification => vec![Id::Bucket, Id::Permission(Function::Process)],
            Id::Stage => Function::ALL
                .into_iter()
                .map(Id::Permission)
                .chain([Id::Bucket, Id::Table, Id::Notification, Id::AccessLog, Id::Api])
                .collect(),
            Id::UsagePlan => vec![Id::Stage, Id::ApiKey],
        }
    }

    /// What kind of resource it is, in AWS's words.
    pub fn kind(self) -> &'static str {
        match self {
            Id::Bucket => "S3 bucket",
            Id::Table => "DynamoDB table",
            Id::Queue => "SQS queue",
            Id::Notification => "S3 notification",
            Id::LogGroup(_) | Id::AccessLog => "log group",
            Id::Role(_) => "IAM role",
            Id::Repository(_) => "ECR repository",
            Id::Image(_) => "container image",
            Id::Function(_) => "Lambda function",
            Id::Alias(_) => "Lambda alias",
            Id::Api => "REST API",
            Id::ApiKey => "API key",
            Id::Permission(_) => "Lambda permission",
            Id::Stage => "API stage",
            Id::UsagePlan => "usage plan",
            Id::Alarms => "alarms",
            Id::Dashboard => "dashboard",
        }
    }
}

/// Where the stack lives. All of it is in every ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Twelve digits.
    pub account: String,
    pub region: String,
    /// An emulator on this machine, reached without TLS; never AWS.
    pub plain_http: bool,
}

impl Place {
    /// `arn:{partition}:{service}:{region}:{account}:{resource}`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Place { partition, account, region, .. } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// The name of every resource of one environment.
#[derive(Clone, Debug)]
pub struct Names {
    /// The name of the stack: `cloudpix`, or `cloudpix-{env}` outside the default environment.
    pub stack: String,
    pub env: String,
    pub bucket: String,
    region: String,
}

impl Names {
    pub fn new(env: &str, region: &str, suffix: &str) -> Names {
        let stack = stack_name(env);
        let bucket = format!("{}{suffix}", bucket_prefix(env));
        Names { stack, env: env.to_owned(), bucket, region: region.to_owned() }
    }

    pub fn table(&self) -> String {
        format!("{}-metadata", self.stack)
    }

    /// Name of the function, its repository and, behind `/aws/lambda/`, its log group.
    pub fn function(&self, function: Function) -> String {
        format!("{}-{}", self.stack, function.name())
    }

    /// IAM knows no regions, so a role's name holds one: a stack in each region is fine.
    pub fn role(&self, function: Function) -> String {
        format!("{}-{}", self.function(function), self.region)
    }

    /// Of the queue of what `process` failed at.
    pub fn queue(&self) -> String {
        format!("{}-dead-letters", self.function(Function::Process))
    }

    /// Of the requests to the API.
    pub fn access_log(&self) -> String {
        format!("/aws/apigateway/{}", self.stack)
    }

    pub fn log_group(&self, function: Function) -> String {
        format!("/aws/lambda/{}", self.function(function))
    }

    pub fn of(&self, id: Id) -> String {
        match id {
            Id::Bucket | Id::Notification => self.bucket.clone(),
            Id::Table => self.table(),
            Id::Queue => self.queue(),
            Id::LogGroup(f) => self.log_group(f),
            Id::AccessLog => self.access_log(),
            Id::Role(f) => self.role(f),
            Id::Repository(f) | Id::Image(f) | Id::Function(f) | Id::Permission(f) => self.function(f),
            Id::Alias(f) => format!("{}:{LIVE}", self.function(f)),
            Id::Api | Id::ApiKey | Id::UsagePlan | Id::Dashboard => self.stack.clone(),
            Id::Alarms => format!("{}-*", self.stack),
            Id::Stage => format!("{}/{STAGE}", self.stack),
        }
    }

    pub fn tags(&self) -> Tags {
        let tags = [
            (STACK_TAG, self.stack.as_str()),
            ("cloudpix:env", &self.env),
            ("cloudpix:managed-by", "provision"),
        ];
        tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

pub fn stack_name(env: &str) -> String {
    match env {
        "default" => contract::PROJECT.to_owned(),
        env => format!("{}-{env}", contract::PROJECT),
    }
}

/// What the bucket's name starts with; the drawn suffix follows.
pub fn bucket_prefix(env: &str) -> String {
    format!("{}-images-", stack_name(env))
}

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
            stack.insert(Id::Image(function), Resource::Image(Image { digest: code.digest.clone() }));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_resource_needs_comes_before_it() {
        for id in Id::all() {
            for need in id.needs() {
                assert!(need < id, "{id:?} needs {need:?}, which is declared after it");
            }
        }
    }

    #[test]
    fn only_the_default_environment_has_bare_names() {
        let names = Names::new("default", "eu-west-1", "ab12");
        assert_eq!(names.of(Id::Bucket), "cloudpix-images-ab12");
        assert_eq!(names.of(Id::Table), "cloudpix-metadata");
        assert_eq!(names.of(Id::Role(Function::List)), "cloudpix-list-eu-west-1");
        assert_eq!(names.of(Id::Queue), "cloudpix-process-dead-letters");
        let names = Names::new("staging", "eu-west-1", "ab12");
        assert_eq!(names.of(Id::Bucket), "cloudpix-staging-images-ab12");
        assert_eq!(names.of(Id::Function(Function::Upload)), "cloudpix-staging-upload");
    }
}
