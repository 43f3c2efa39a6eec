//! Where the stack lives, and what everything in it is called.
//!
//! Names and ARNs are computed here, from the environment, the account and the drawn suffix. What AWS invents is
//! written as a placeholder, such as [`API_ID`], so that desired and live can be compared before it is known.

use contract::Function;

use super::function::{Trouble, profile, takers};
use super::id::{Id, Purpose};
use super::resource::Tags;

/// Stands for the REST API's id wherever an ARN or a stage names it.
pub const API_ID: &str = "{api}";
/// Stands for the id of the pool of users that is still to be made, and of the client of it.
pub const POOL_ID: &str = "{pool}";
pub const CLIENT_ID: &str = "{client}";
/// The name of the API's authorizer.
pub const AUTHORIZER: &str = "cloudpix";
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
    /// The URL that stands for AWS's own, from `AWS_ENDPOINT_URL` or the profile: an emulator's.
    pub endpoint: Option<String>,
}

impl Place {
    /// An emulator on this machine, reached without TLS; never AWS.
    pub fn plain_http(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|url| url.starts_with("http://"))
    }

    /// Where the API of this id is.
    pub fn api_url(&self, id: &str) -> String {
        api_url(&self.region, self.endpoint.as_deref(), id)
    }

    /// Where signing in leads back to.
    pub fn callback(&self, id: &str) -> String {
        callback(&self.api_url(id))
    }

    /// The `iss` of the tokens of a pool of users. An emulator writes AWS's own.
    pub fn issuer(&self, pool: &str) -> String {
        let region = &self.region;
        format!("https://cognito-idp.{region}.{}/{pool}", contract::domain(region))
    }

    /// Where a pool of users publishes its public keys.
    pub fn jwks_url(&self, pool: &str) -> String {
        let base = self.endpoint.as_ref().map_or_else(|| self.issuer(pool), |url| format!("{url}/{pool}"));
        format!("{base}/.well-known/jwks.json")
    }

    /// `arn:{partition}:{service}:{region}:{account}:{resource}`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Place { partition, account, region, .. } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// Where the API of this id is, without a slash at the end.
pub fn api_url(region: &str, endpoint: Option<&str>, id: &str) -> String {
    match endpoint {
        Some(endpoint) => format!("{endpoint}/restapis/{id}/{STAGE}/_user_request_"),
        None => format!("https://{id}.execute-api.{region}.{}/{STAGE}", contract::domain(region)),
    }
}

/// Where signing in leads back to, by the API's URL. Without TLS, Cognito takes this machine by its name alone.
pub fn callback(api_url: &str) -> String {
    format!("{}/", api_url.replacen("http://127.0.0.1:", "http://localhost:", 1))
}

/// Where people sign in, by the prefix of the pool's domain. The pages of an emulator have no domain.
/// <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html>
pub fn sign_in_url(region: &str, endpoint: Option<&str>, domain: &str) -> String {
    let auth = if region.starts_with("us-gov-") { "auth-fips" } else { "auth" };
    let url = || format!("https://{domain}.{auth}.{region}.amazoncognito.com");
    endpoint.map_or_else(url, str::to_owned)
}

/// The name of every resource of one environment.
#[derive(Clone, Debug)]
pub struct Names {
    /// The name of the stack: `cloudpix`, or `cloudpix-{env}` outside the default environment.
    pub stack: String,
    pub env: String,
    pub bucket: String,
    /// What is drawn once for a stack, and is in names that must be like no other's.
    suffix: String,
    region: String,
}

impl Names {
    pub fn new(env: &str, region: &str, suffix: &str) -> Names {
        let stack = stack_name(env);
        let bucket = format!("{}{suffix}", bucket_prefix(env));
        let (env, suffix, region) = (env.to_owned(), suffix.to_owned(), region.to_owned());
        Names { stack, env, bucket, suffix, region }
    }

    pub fn table(&self, purpose: Purpose) -> String {
        format!("{}-{}", self.stack, purpose.name())
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

    /// What the host of the pages begins with where people sign in. Cognito takes none that has one of these words
    /// in it, which an environment, or what was drawn, may well have.
    /// <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolDomain.html>
    pub fn sign_in_domain(&self) -> String {
        let mut name = format!("{}-{}", self.stack, self.suffix);
        for (reserved, written) in [("aws", "a-ws"), ("amazon", "ama-zon"), ("cognito", "cog-nito")] {
            name = name.replace(reserved, written);
        }
        name
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
            Id::Table(purpose) => self.table(purpose),
            Id::Queue => self.queue(),
            Id::LogGroup(f) => self.log_group(f),
            Id::AccessLog => self.access_log(),
            Id::Role(f) => self.role(f),
            Id::Repository(f) | Id::Image(f) | Id::Function(f) | Id::Permission(f) => self.function(f),
            Id::Alias(f) => format!("{}:{LIVE}", self.function(f)),
            Id::UserPool | Id::AppClient | Id::Api | Id::ApiKey | Id::UsagePlan | Id::Dashboard => {
                self.stack.clone()
            }
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
    fn a_domain_of_the_sign_in_has_no_word_that_is_cognitos() {
        let domain = |env: &str, suffix| Names::new(env, "eu-west-1", suffix).sign_in_domain();
        assert_eq!(domain("default", "abcd1234"), "cloudpix-abcd1234");
        assert_eq!(domain("staging", "xawsaws1"), "cloudpix-staging-xa-wsa-ws1");
        for word in ["aws", "amazon", "cognito"] {
            let domain = domain(&format!("x{word}"), "amazon12");
            assert!(!domain.contains(word) && domain.len() <= 63, "{domain}");
        }
    }

    #[test]
    fn only_the_default_environment_has_bare_names() {
        let names = Names::new("default", "eu-west-1", "ab12");
        assert_eq!(names.of(Id::Bucket), "cloudpix-images-ab12");
        assert_eq!(names.of(Id::Table(Purpose::Metadata)), "cloudpix-metadata");
        assert_eq!(names.of(Id::Table(Purpose::Access)), "cloudpix-access");
        assert_eq!(names.of(Id::Role(Function::List)), "cloudpix-list-eu-west-1");
        assert_eq!(names.of(Id::Queue), "cloudpix-process-dead-letters");
        let names = Names::new("staging", "eu-west-1", "ab12");
        assert_eq!(names.of(Id::Bucket), "cloudpix-staging-images-ab12");
        assert_eq!(names.of(Id::Function(Function::Upload)), "cloudpix-staging-upload");
    }
}
