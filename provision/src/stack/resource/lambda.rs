//! A function: its code, its role, its repository, its versions, and who may call it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Tags;
use crate::settings::Package;

/// What a function's code is: enough to say whether AWS runs the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Code {
    pub package: Package,
    /// The digest of an image's manifest (`sha256:…`), or the SHA-256 of a zip file in base64.
    pub digest: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Role {
    /// IAM's own id of the role, `AROA…`, which a role that is made anew under its name does not have.
    #[serde(skip)]
    pub id: Option<String>,
    pub tags: Tags,
    pub trust: Value,
    /// The inline policy named [`super::super::place::ROLE_POLICY`].
    pub policy: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Repository {
    pub tags: Tags,
    pub immutable_tags: bool,
    pub scan_on_push: bool,
    /// The statement [`super::super::place::PULL_STATEMENT`] of the repository's policy.
    pub pull_policy: Value,
    pub lifecycle: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerImage {
    /// Digest of the manifest, `sha256:…`.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lambda {
    pub tags: Tags,
    /// How many may run at once, of all its versions, and are kept free for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i32>,
    #[serde(flatten)]
    pub configuration: Configuration,
}

/// What the alias [`super::super::place::LIVE`] serves: the configuration of the published version that it names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alias {
    #[serde(flatten)]
    pub configuration: Configuration,
    /// Shares of the calls, 0 to 1, that go to other versions; none by our doing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    #[serde(skip)]
    pub on_trial: OnTrial,
}

/// Whether what an alias serves still has to stand its test. That is known of what is, and no part of what
/// should be, so any two are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnTrial(pub bool);

impl PartialEq for OnTrial {
    fn eq(&self, _: &OnTrial) -> bool {
        true
    }
}

/// What a function runs and how; publishing a version freezes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Configuration {
    #[serde(flatten)]
    pub code: Code,
    /// ARN.
    pub role: String,
    /// [`Role::id`] as it was when the role was set. Lambda's grant is to that id and not to the name.
    pub role_id: String,
    /// MiB.
    pub memory: i32,
    /// Seconds.
    pub timeout: i32,
    /// Whether Lambda sends traces to X-Ray.
    pub tracing: bool,
    /// ARN of the queue that gets what failed when nobody waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<String>,
    pub environment: BTreeMap<String, String>,
}

impl Configuration {
    /// Puts what AWS invented in place of what stands for it among the variables, where it is known.
    pub fn fill_in(&mut self, placeholder: &str, known: Option<&str>) {
        let Some(known) = known else { return };
        for value in self.environment.values_mut() {
            *value = value.replace(placeholder, known);
        }
    }

    /// Whether something of AWS's is still to be filled in.
    pub fn lacks(&self, placeholder: &str) -> bool {
        self.environment.values().any(|value| value.contains(placeholder))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Permission {
    /// Who may call the function's alias, by statement id: the ARN of one method of our API, or of our bucket.
    pub callers: BTreeMap<String, String>,
    /// Who may call the function past its alias, which nothing of ours does: nobody.
    pub unqualified: BTreeMap<String, String>,
}
