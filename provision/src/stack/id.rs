//! The resources of a stack by their kinds, and which of them needs which others.

use contract::Function;

use super::function::{Trigger, profile};

/// What a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// The images' records.
    Metadata,
    /// Keys and users, where users sign in.
    Access,
}

impl Purpose {
    pub const ALL: [Purpose; 2] = [Purpose::Metadata, Purpose::Access];

    /// What ends the table's name.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Metadata => "metadata",
            Purpose::Access => "access",
        }
    }
}

/// One resource of the stack. The declaration order puts what is needed before what needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    Bucket,
    Table(Purpose),
    /// What `process` failed at.
    Queue,
    LogGroup(Function),
    /// The log group of the API's requests.
    AccessLog,
    Role(Function),
    Repository(Function),
    Image(Function),
    /// Who may sign in, and the pages where they do.
    UserPool,
    Api,
    /// What the pool of users knows the gallery as.
    AppClient,
    Function(Function),
    Alias(Function),
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
            .chain(Purpose::ALL.map(Id::Table))
            .chain([Id::Bucket, Id::Queue])
            .collect();
        ids.extend([
            Id::Notification,
            Id::AccessLog,
            Id::UserPool,
            Id::Api,
            Id::AppClient,
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
            | Id::Table(_)
            | Id::Queue
            | Id::LogGroup(_)
            | Id::AccessLog
            | Id::Role(_)
            | Id::Repository(_)
            | Id::UserPool
            | Id::Api
            | Id::ApiKey
            | Id::Alarms
            | Id::Dashboard => {
                vec![]
            }
            Id::Image(f) => vec![Id::Repository(f)],
            Id::Function(f) => {
                let own = [Id::Role(f), Id::LogGroup(f), Id::Image(f)];
                let more = match profile(f).trigger {
                    Trigger::Requests => None,
                    Trigger::Objects => Some(Id::Queue),
                    // It is told whose tokens count, and which client they must be for.
                    Trigger::Authorization => Some(Id::AppClient),
                };
                own.into_iter().chain(more).collect()
            }
            // It leads back to the API, once somebody has signed in.
            Id::AppClient => vec![Id::UserPool, Id::Api],
            Id::Alias(f) => vec![Id::Function(f)],
            Id::Permission(f) => match profile(f).trigger {
                Trigger::Objects => vec![Id::Alias(f), Id::Bucket],
                Trigger::Requests | Trigger::Authorization => vec![Id::Alias(f), Id::Api],
            },
            Id::Notification => vec![Id::Bucket, Id::Permission(Function::Process)],
            Id::Stage => Function::ALL
                .into_iter()
                .map(Id::Permission)
                .chain(Purpose::ALL.map(Id::Table))
                .chain([Id::Bucket, Id::Notification, Id::AccessLog, Id::Api])
                .collect(),
            Id::UsagePlan => vec![Id::Stage, Id::ApiKey],
        }
    }

    /// The function that it is a part of.
    pub fn function(self) -> Option<Function> {
        match self {
            Id::LogGroup(f)
            | Id::Role(f)
            | Id::Repository(f)
            | Id::Image(f)
            | Id::Function(f)
            | Id::Alias(f)
            | Id::Permission(f) => Some(f),
            _ => None,
        }
    }

    /// What kind of resource it is, in AWS's words.
    pub fn kind(self) -> &'static str {
        match self {
            Id::Bucket => "S3 bucket",
            Id::Table(_) => "DynamoDB table",
            Id::Queue => "SQS queue",
            Id::Notification => "S3 notification",
            Id::LogGroup(_) | Id::AccessLog => "log group",
            Id::Role(_) => "IAM role",
            Id::Repository(_) => "ECR repository",
            Id::Image(_) => "container image",
            Id::Function(_) => "Lambda function",
            Id::Alias(_) => "Lambda alias",
            Id::UserPool => "user pool",
            Id::AppClient => "app client",
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
