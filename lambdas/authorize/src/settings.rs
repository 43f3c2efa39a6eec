//! What this function alone is told by its environment.

use anyhow::{Context, bail};
use catalog::access::Access;
use catalog::aws::{Aws, https};
use catalog::environment::{AwsEnvironment, value_of};
use contract::variable;

use crate::authorizer::Authorizer;
use crate::fetch::{Address, Fetch};
use crate::jwks::{Jwks, Place, Source};
use crate::roots;
use crate::token::Verifier;

pub struct Settings {
    access_table: String,
    issuer: String,
    application: String,
    keys: Place,
}

impl Settings {
    pub fn read(environment: &AwsEnvironment) -> anyhow::Result<Settings> {
        Settings::parse(allows_http(environment), value_of)
    }

    fn parse(allow_http: bool, lookup: impl Fn(&str) -> Option<String>) -> anyhow::Result<Settings> {
        let required = |name: &str| match lookup(name) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => bail!("{name} is not set"),
        };
        let issuer = required(variable::ISSUER)?;
        let keys = match lookup(variable::JWKS_URL).filter(|url| !url.is_empty()) {
            Some(url) => Place::Keys(Address::parse(&url, allow_http).context(variable::JWKS_URL)?),
            None => {
                let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                let address = Address::parse(&url, allow_http).context(variable::ISSUER)?;
                Place::Configuration { address, issuer: issuer.clone() }
            }
        };
        Ok(Settings {
            access_table: required(variable::ACCESS_TABLE)?,
            application: required(variable::CLIENT_ID)?,
            issuer,
            keys,
        })
    }

    /// What requests are judged with.
    pub fn authorizer(self, environment: &AwsEnvironment) -> anyhow::Result<Authorizer> {
        let aws = Aws::new(environment)?;
        let host = match &self.keys {
            Place::Keys(address) | Place::Configuration { address, .. } => address.host(),
        };
        let is_aws = environment.endpoint.is_some()
            || host.ends_with(&format!(".{}", contract::domain(&environment.region)));
        let http = if is_aws { aws.http.clone() } else { https(environment, &roots::public())? };
        let fetch = Fetch::new(http, allows_http(environment));
        Ok(Authorizer {
            verifier: Verifier::new(&self.issuer, &self.application),
            jwks: Jwks::new(Source { fetch, place: self.keys }),
            access: Access::new(&aws, &self.access_table),
        })
    }
}

/// Where AWS itself is an emulator on plain HTTP, its user pools are there too.
fn allows_http(environment: &AwsEnvironment) -> bool {
    environment.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        ("CLOUDPIX_ACCESS_TABLE", "access"),
        ("CLOUDPIX_ISSUER", "https://login.example/tenant/"),
        ("CLOUDPIX_CLIENT_ID", "gallery"),
        ("CLOUDPIX_JWKS_URL", "https://keys.example/jwks.json"),
    ];

    fn with(allow_http: bool, changes: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let find = |pairs: &[(&str, &str)], name: &str| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::parse(allow_http, |name| find(changes, name).or_else(|| find(&COMPLETE, name)))
    }

    #[test]
    fn keys_are_where_they_are_said_to_be_or_where_the_issuer_says() {
        let place = |changes: &[(&str, &str)]| match with(false, changes).unwrap().keys {
            Place::Keys(address) => address.to_string(),
            Place::Configuration { address, issuer } => format!("{issuer} {address}"),
        };
        assert_eq!(place(&[]), "https://keys.example/jwks.json");
        assert_eq!(
            place(&[("CLOUDPIX_JWKS_URL", "")]),
            "https://login.example/tenant/ https://login.example/tenant/.well-known/openid-configuration"
        );
    }

    #[test]
    fn what_is_missing_is_named_and_no_keys_come_in_the_clear() {
        for name in ["CLOUDPIX_ACCESS_TABLE", "CLOUDPIX_ISSUER", "CLOUDPIX_CLIENT_ID"] {
            let error = with(false, &[(name, "")]).err().unwrap();
            assert_eq!(error.to_string(), format!("{name} is not set"));
        }
        let local = [("CLOUDPIX_JWKS_URL", "http://localhost:4566/pool/.well-known/jwks.json")];
        assert_eq!(with(false, &local).err().unwrap().to_string(), "CLOUDPIX_JWKS_URL");
        assert!(with(true, &local).is_ok());
    }
}
