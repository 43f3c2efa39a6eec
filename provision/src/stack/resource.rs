//! Each kind of resource, with the fields that the stack manages and no others.
//!
//! A field that is not here is not compared and not touched. Serialised, a resource is what a plan
//! compares and shows, so field names are what users read.

use std::collections::BTreeMap;

use contract::Function;
use serde::{Serialize, Serializer};

use self::api::{Api, ApiKey, Stage, UsagePlan};
use self::lambda::{Alias, ContainerImage, Lambda, Permission, Repository, Role};
use self::sign_in::{AppClient, UserPool};
use self::storage::{Bucket, Notification, Queue, Table};
use self::watch::{Alarms, Dashboard, LogGroup};
use super::id::{Id, Purpose};

pub mod api;
pub mod lambda;
pub mod sign_in;
pub mod storage;
pub mod watch;

pub type Tags = BTreeMap<String, String>;

/// Those of a resource's tags that the stack manages. Everybody else's are left alone.
pub fn managed_tags(tags: impl IntoIterator<Item = (String, String)>) -> Tags {
    tags.into_iter().filter(|(key, _)| key.starts_with("cloudpix:")).collect()
}

/// A resource, which knows its own [`Id`]: of the kinds that every function has one of, it says which function's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Resource {
    Bucket(Bucket),
    #[serde(serialize_with = "fields")]
    Table(Purpose, Table),
    Queue(Queue),
    #[serde(serialize_with = "fields")]
    LogGroup(Function, LogGroup),
    AccessLog(LogGroup),
    #[serde(serialize_with = "fields")]
    Role(Function, Role),
    #[serde(serialize_with = "fields")]
    Repository(Function, Repository),
    #[serde(serialize_with = "fields")]
    Image(Function, ContainerImage),
    #[serde(serialize_with = "fields")]
    Function(Function, Lambda),
    #[serde(serialize_with = "fields")]
    Alias(Function, Alias),
    UserPool(UserPool),
    Api(Api),
    AppClient(AppClient),
    ApiKey(ApiKey),
    #[serde(serialize_with = "fields")]
    Permission(Function, Permission),
    Notification(Notification),
    Stage(Stage),
    UsagePlan(UsagePlan),
    Alarms(Alarms),
    Dashboard(Dashboard),
}

/// A resource is compared and shown by its fields alone, whichever function or purpose it is of.
fn fields<K, T: Serialize, S: Serializer>(_: &K, fields: &T, serializer: S) -> Result<S::Ok, S::Error> {
    fields.serialize(serializer)
}

impl Resource {
    pub fn id(&self) -> Id {
        match self {
            Resource::Bucket(_) => Id::Bucket,
            Resource::Table(purpose, _) => Id::Table(*purpose),
            Resource::Queue(_) => Id::Queue,
            Resource::LogGroup(f, _) => Id::LogGroup(*f),
            Resource::AccessLog(_) => Id::AccessLog,
            Resource::Role(f, _) => Id::Role(*f),
            Resource::Repository(f, _) => Id::Repository(*f),
            Resource::Image(f, _) => Id::Image(*f),
            Resource::Function(f, _) => Id::Function(*f),
            Resource::Alias(f, _) => Id::Alias(*f),
            Resource::UserPool(_) => Id::UserPool,
            Resource::Api(_) => Id::Api,
            Resource::AppClient(_) => Id::AppClient,
            Resource::ApiKey(_) => Id::ApiKey,
            Resource::Permission(f, _) => Id::Permission(*f),
            Resource::Notification(_) => Id::Notification,
            Resource::Stage(_) => Id::Stage,
            Resource::UsagePlan(_) => Id::UsagePlan,
            Resource::Alarms(_) => Id::Alarms,
            Resource::Dashboard(_) => Id::Dashboard,
        }
    }

    /// The managed tags, of a resource that AWS can tag.
    pub fn tags(&self) -> Option<&Tags> {
        match self {
            Resource::Bucket(r) => Some(&r.tags),
            Resource::Table(_, r) => Some(&r.tags),
            Resource::Queue(r) => Some(&r.tags),
            Resource::LogGroup(_, r) | Resource::AccessLog(r) => Some(&r.tags),
            Resource::Role(_, r) => Some(&r.tags),
            Resource::Repository(_, r) => Some(&r.tags),
            Resource::Function(_, r) => Some(&r.tags),
            Resource::UserPool(r) => Some(&r.tags),
            Resource::Api(r) => Some(&r.tags),
            Resource::ApiKey(r) => Some(&r.tags),
            Resource::Stage(r) => Some(&r.tags),
            Resource::UsagePlan(r) => Some(&r.tags),
            Resource::Alarms(r) => Some(&r.tags),
            Resource::Dashboard(r) => Some(&r.tags),
            Resource::Image(..)
            | Resource::Alias(..)
            | Resource::AppClient(_)
            | Resource::Permission(..)
            | Resource::Notification(_) => None,
        }
    }

    /// The same with these tags beside its own.
    #[must_use]
    pub fn tagged(mut self, more: &Tags) -> Resource {
        let tags = match &mut self {
            Resource::Bucket(r) => &mut r.tags,
            Resource::Table(_, r) => &mut r.tags,
            Resource::Queue(r) => &mut r.tags,
            Resource::LogGroup(_, r) | Resource::AccessLog(r) => &mut r.tags,
            Resource::Role(_, r) => &mut r.tags,
            Resource::Repository(_, r) => &mut r.tags,
            Resource::Function(_, r) => &mut r.tags,
            Resource::UserPool(r) => &mut r.tags,
            Resource::Api(r) => &mut r.tags,
            Resource::ApiKey(r) => &mut r.tags,
            Resource::Stage(r) => &mut r.tags,
            Resource::UsagePlan(r) => &mut r.tags,
            Resource::Alarms(r) => &mut r.tags,
            Resource::Dashboard(r) => &mut r.tags,
            Resource::Image(..)
            | Resource::Alias(..)
            | Resource::AppClient(_)
            | Resource::Permission(..)
            | Resource::Notification(_) => {
                return self;
            }
        };
        tags.extend(more.clone());
        self
    }
}
