//! `[defaults.sign-in]`: who the users are, where `auth = "users"`.

use anyhow::ensure;
use serde::Deserialize;

use super::none_where_empty;

/// What Amazon Cognito has of features, and takes for a user and month.
///
/// <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-sign-in-feature-plans.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Has passkeys, and pages in light and dark.
    #[default]
    Essentials,
    /// Has passwords and the older pages.
    Lite,
}

impl Tier {
    /// As Cognito writes it.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Essentials => "ESSENTIALS",
            Tier::Lite => "LITE",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct SignIn {
    pub tier: Tier,
    /// An OpenID provider whose users are ours; `None` makes a pool of users of the stack's own.
    #[serde(deserialize_with = "none_where_empty")]
    pub issuer: Option<String>,
    /// What that provider knows the gallery as; there exactly where there is an issuer.
    #[serde(deserialize_with = "none_where_empty")]
    pub client_id: Option<String>,
    /// Where else than to the API signing in may lead back to.
    pub callback_urls: Vec<String>,
}

impl SignIn {
    /// The provider that is not ours, with what it knows us as.
    pub fn provider(&self) -> Option<(&str, &str)> {
        self.issuer.as_deref().zip(self.client_id.as_deref())
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let SignIn { issuer, client_id, callback_urls, .. } = self;
        ensure!(
            issuer.is_some() == client_id.is_some(),
            "sign-in.issuer and sign-in.client-id: an OpenID provider needs both, and a pool of users neither"
        );
        if let Some(issuer) = issuer {
            // OpenID Connect Discovery 1.0, section 3: no query and no fragment.
            ensure!(
                is_safe(issuer) && !issuer.contains(['?', '#']) && !issuer.ends_with('/'),
                "sign-in.issuer = {issuer:?}: must be the provider's URL as its tokens have it in `iss`, such as \
                 \"https://login.example.com/realm\", with no query, and no slash at its end"
            );
        }
        if let Some(client_id) = client_id {
            let legal = |c: char| c.is_ascii_graphic();
            ensure!(
                client_id.len() <= 256 && client_id.chars().all(legal),
                "sign-in.client-id = {client_id:?}: must be 256 printable characters at most"
            );
        }
        // One of Cognito's hundred is the API's own.
        ensure!(callback_urls.len() < 100, "sign-in.callback-urls: Cognito takes 100, with that of the API");
        for url in callback_urls {
            ensure!(
                is_safe(url) && !url.contains('#'),
                "sign-in.callback-urls: {url:?} must begin with https:// or http://localhost, and have no fragment"
            );
        }
        Ok(())
    }
}

/// Whether nobody on the way can read what is sent there: it goes by TLS, or does not leave the machine.
fn is_safe(url: &str) -> bool {
    let host = |rest: &str| rest.split(['/', '?']).next().is_some_and(|host| !host.is_empty());
    let local = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    let fits = url.len() <= 1024 && url.chars().all(|c| c.is_ascii_graphic() && !"'\"\\<>".contains(c));
    fits && (url.strip_prefix("https://").is_some_and(host)
        || url.strip_prefix("http://localhost").is_some_and(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_safe_with_tls_or_on_this_machine() {
        for safe in
            ["https://a.example", "https://a.example/x?y=1", "http://localhost", "http://localhost:3000/x"]
        {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_ in [
            "",
            "https://",
            "http://a.example",
            "http://localhost.example",
            "app://x",
            "https://a b",
            "https://a'",
        ] {
            assert!(!is_safe(unsafe_), "{unsafe_}");
        }
    }
}
