//! Where the stack lives, and what everything in it is called.
//!
//! Names and ARNs are computed here, from the environment, the account and the drawn suffix. What AWS invents is
//! written as a placeholder, such as [`API_ID`], so that desired and live can be compared before it is known.

use contract::Function;

use super::function::{Trouble, profile, takers};
use super::id::Id;
use super::resource::Tags;

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

    /// The queue of the events that `process` failed at.
    pub fn queue(&self) -> String {
        format!("{}-dead-letters", self.function(Function::Process))
    }

    /// The log group of the requests to the API.
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

    /// The names of every alarm that the stack can have.
    pub fn alarms(&self) -> Vec<String> {
        let of_each = Function::ALL.into_iter().flat_map(|function| {
            profile(function).alarms.iter().map(move |trouble| self.alarm(function, *trouble))
        });
        of_each.chain([self.api_alarm(), self.queue()]).chain(takers().map(|f| self.bytes_alarm(f))).collect()
    }

    pub fn alarm(&self, function: Function, trouble: Trouble) -> String {
        format!("{}-{}", self.function(function), word(trouble))
    }

    pub fn bytes_alarm(&self, function: Function) -> String {
        format!("{}-bytes", self.function(function))
    }

    pub fn api_alarm(&self) -> String {
        format!("{}-api-errors", self.stack)
    }
}

/// What ends the name of an alarm.
fn word(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Errors => "errors",
        Trouble::Throttles => "throttles",
        Trouble::Slow => "slow",
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

#[cfg(test)]
mod tests {
    use super::*;

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
