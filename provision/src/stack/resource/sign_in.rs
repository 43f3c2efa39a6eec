//! The pool of users, and what it knows the gallery as.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Tags;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UserPool {
    /// Cognito's own id of it, such as `eu-west-1_AbCdEf123`.
    #[serde(skip)]
    pub id: Option<String>,
    pub tags: Tags,
    /// `ESSENTIALS` or `LITE`.
    pub tier: String,
    /// Whether administrators alone make users.
    pub invitation_only: bool,
    pub deletion_protection: bool,
    /// Cognito changes nothing of it once there is a pool.
    pub names: UserNames,
    /// What a user has to show to be theirs: `email`.
    pub verified: BTreeSet<String>,
    /// What the host of its pages begins with.
    pub domain: Option<String>,
    /// 1 are the older pages, 2 is managed login.
    pub pages: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UserNames {
    /// What a user signs in with: `email`.
    pub of: BTreeSet<String>,
    /// Whether `Ann@example.com` is another than `ann@example.com`.
    pub case_sensitive: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of Cognito's")]
pub struct AppClient {
    /// What tokens say that they are for.
    #[serde(skip)]
    pub id: Option<String>,
    /// Whether it has a secret, which no web page can keep.
    pub secret: bool,
    /// Where signing in, and out, leads back to.
    pub callbacks: BTreeSet<String>,
    /// `code`: none is handed over in a URL but one that is good once, for whoever asked for it (PKCE).
    pub grants: BTreeSet<String>,
    pub scopes: BTreeSet<String>,
    /// Where users may be from: `COGNITO` is the pool itself.
    pub providers: BTreeSet<String>,
    /// How they may sign in past the pages.
    pub flows: BTreeSet<String>,
    pub access_token_minutes: Option<i32>,
    pub refresh_token_days: i32,
    /// Whether each refresh token is good once.
    pub rotation: bool,
    /// Whether a token can be taken back.
    pub revocation: bool,
    /// Whether nobody hears who is a user and who is not.
    pub discreet: bool,
    /// Whether managed login has a style for it, without which it shows no page.
    pub style: bool,
}
