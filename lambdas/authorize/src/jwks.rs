//! The provider's public keys (RFC 7517). They are fetched when the function starts, and once more where a token names
//! a key that is not among them, as after the provider changed keys; but never more than once a minute, since anybody
//! can name a key that nobody has.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use catalog::failure::Failure;
use catalog::log::{self, Line};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::fetch::{Address, Fetch};

/// Between two fetches, whatever is asked for.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// How long the start of the function may take for them.
const WARM_TIME: Duration = Duration::from_secs(4);

/// Public keys for RS256, by their ids.
pub type KeySet = BTreeMap<String, DecodingKey>;

/// Where keys are fetched from.
#[derive(Debug)]
pub struct Source {
    pub fetch: Fetch,
    pub place: Place,
}

#[derive(Clone, Debug)]
pub enum Place {
    Keys(Address),
    /// The provider's configuration, which says where: OpenID Connect Discovery 1.0.
    Configuration {
        address: Address,
        issuer: String,
    },
}

#[derive(Debug)]
pub struct Jwks {
    source: Source,
    known: RefCell<KeySet>,
    asked_at: Cell<Option<Timestamp>>,
    /// Whether the last fetch failed: then a key that is not known may be there all the same.
    failed: Cell<bool>,
}

impl Jwks {
    pub fn new(source: Source) -> Jwks {
        Jwks { source, known: RefCell::default(), asked_at: Cell::default(), failed: Cell::default() }
    }

    /// Fetches the keys before the first request. It is tried twice, because a start that fails here makes requests
    /// fail for a minute. There is no request yet, so nobody can cause it.
    pub async fn warm(&self, now: Timestamp) {
        let twice = async {
            if let Err(first) = self.fetch(now).await {
                log::failure(&first.context("fetch the provider's keys, which is tried once more"));
                if let Err(second) = self.fetch(now).await {
                    log::failure(&second.context("fetch the provider's keys"));
                }
            }
        };
        tokio::time::timeout(WARM_TIME, twice).await.ok();
    }

    /// The key with this id, if the provider has one.
    pub async fn find(&self, id: &str, line: &Line, now: Timestamp) -> Result<Option<DecodingKey>, Failure> {
        let known = |id: &str| self.known.borrow().get(id).cloned();
        if let Some(key) = known(id) {
            return Ok(Some(key));
        }
        if self.may_ask(now) {
            line.timed("jwksMs", self.fetch(now)).await.map_err(Failure::Busy)?;
        }
        match known(id) {
            None if self.failed.get() => {
                Err(Failure::Busy(anyhow!("the provider's keys could not be fetched a moment ago")))
            }
            key => Ok(key),
        }
    }

    /// A clock that was set back makes nobody wait longer.
    fn may_ask(&self, now: Timestamp) -> bool {
        self.asked_at.get().is_none_or(|asked_at| now.duration_since(asked_at).abs() >= PAUSE)
    }

    /// Where it fails, the keys that are known stay known.
    async fn fetch(&self, now: Timestamp) -> anyhow::Result<()> {
        self.asked_at.set(Some(now));
        // One that is cut short has failed.
        self.failed.set(true);
        let keys = self.source.keys().await?;
        self.known.replace(keys);
        self.failed.set(false);
        Ok(())
    }
}

impl Source {
    async fn keys(&self) -> anyhow::Result<KeySet> {
        let address = match &self.place {
            Place::Keys(address) => address.clone(),
            Place::Configuration { address, issuer } => {
                let configuration = self.fetch.get(address).await?;
                Address::parse(&keys_url(&configuration, issuer)?, self.fetch.allows_http())?
            }
        };
        let keys = parse(&self.fetch.get(&address).await?)?;
        ensure!(!keys.is_empty(), "the provider has no key for RS256");
        Ok(keys)
    }
}

/// Where a provider's configuration says that its keys are. One that is of another issuer says nothing.
pub fn keys_url(configuration: &[u8], issuer: &str) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Configuration {
        issuer: String,
        jwks_uri: String,
    }
    let configuration: Configuration =
        serde_json::from_slice(configuration).context("read the provider's configuration")?;
    ensure!(configuration.issuer == issuer, "the configuration is of another issuer than {issuer}");
    Ok(configuration.jwks_uri)
}

/// Reads a set of keys. Those that are for something else than RS256 are left out.
pub fn parse(json: &[u8]) -> anyhow::Result<KeySet> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    #[derive(Deserialize)]
    struct Key {
        kty: String,
        kid: String,
        r#use: Option<String>,
        alg: Option<String>,
        n: String,
        e: String,
    }
    let set: Set = serde_json::from_slice(json).context("read the provider's keys")?;
    let usable = |key: Value| {
        let Key { kty, kid, r#use, alg, n, e } = serde_json::from_value(key).ok()?;
        let is_for_this = kty == "RSA"
            && r#use.is_none_or(|purpose| purpose == "sig")
            && alg.is_none_or(|algorithm| algorithm == "RS256");
        let key = DecodingKey::from_rsa_components(&n, &e).ok()?;
        is_for_this.then_some((kid, key))
    };
    Ok(set.keys.into_iter().filter_map(usable).collect())
}

#[cfg(test)]
mod tests;
