//! The resources of a stack by their kinds, and which of them needs which others.

use contract::Function;

use super::function::{Trigger, profile};

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
}
