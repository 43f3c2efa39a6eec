//! Judges an access token: a JWT that the provider signed, by RS256, for this application.
//!
//! What a token is not: an ID token, which says who somebody is and lets nobody do anything; a token for another
//! application of the same provider; one that the provider signed for another purpose than access.

use std::collections::HashSet;

use image::owner::Owner;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::credential::Token;
use crate::provider;
use crate::refusal::Refusal;

/// How far the provider's clock and ours may be apart, in seconds.
const LEEWAY: u64 = 60;

#[derive(Clone, Debug)]
pub struct Verifier {
    validation: Validation,
    application: String,
}

/// What is read of a token beside what `jsonwebtoken` looks at itself.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Cognito's: `access` or `id`.
    token_use: Option<String>,
    client_id: Option<String>,
    aud: Option<Audience>,
    scope: Option<IgnoredAny>,
    /// What some providers call `scope`.
    scp: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Audience::One(one) => one == wanted,
            Audience::Several(several) => several.iter().any(|one| one == wanted),
        }
    }
}

impl Verifier {
    /// Takes tokens of this issuer for this application.
    pub fn new(issuer: &str, application: &str) -> Verifier {
        provider::install();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // A claim of another type than it should be counts as missing, and these must be there.
        validation.required_spec_claims = HashSet::from(["exp", "iss", "sub"].map(str::to_owned));
        validation.set_issuer(&[issuer]);
        // Which claim names the application depends on the provider.
        validation.validate_aud = false;
        Verifier { validation, application: application.to_owned() }
    }

    /// The id of the key that a token says it is signed by, of a token that could be one of ours. Nothing of it is
    /// proven yet.
    pub fn signer(token: &Token) -> Result<String, Refusal> {
        let header = header(token)?;
        header.kid.ok_or(Refusal::UnknownSigner)
    }

    /// Whose token it is, if it is signed by this key and counts now.
    pub fn verify(&self, token: &Token, key: &DecodingKey) -> Result<Owner, Refusal> {
        let header = header(token)?;
        let decoded = decode::<Claims>(token.as_str(), key, &self.validation);
        let claims = decoded.map_err(|error| refusal(error.kind()))?.claims;
        self.check_purpose(&header, &claims)?;
        Owner::user(&claims.sub).ok_or(Refusal::Subject)
    }

    /// Cognito says in each token what it is for. Of other providers' tokens, those are taken that are marked as
    /// access tokens (RFC 9068), or have scopes, as ID tokens have not.
    fn check_purpose(&self, header: &Header, claims: &Claims) -> Result<(), Refusal> {
        let (is_access, is_ours) = match &claims.token_use {
            Some(purpose) => (purpose == "access", claims.client_id.as_ref() == Some(&self.application)),
            None => (
                is_marked(header) || claims.scope.is_some() || claims.scp.is_some(),
                claims.aud.as_ref().is_some_and(|audience| audience.contains(&self.application)),
            ),
        };
        match (is_access, is_ours) {
            (false, _) => Err(Refusal::NoAccessToken),
            (true, false) => Err(Refusal::Application),
            (true, true) => Ok(()),
        }
    }
}

/// The header of a token, if it is one that is understood.
fn header(token: &Token) -> Result<Header, Refusal> {
    let header = decode_header(token.as_str()).map_err(|error| refusal(error.kind()))?;
    if header.alg != Algorithm::RS256 {
        return Err(Refusal::Algorithm);
    }
    // Whatever it names as critical has to be understood, and nothing of it is.
    if header.crit.is_some() {
        return Err(Refusal::Malformed);
    }
    // Tokens for logging out, for proving the possession of a key and others say so here.
    let is_plain = header.typ.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case("JWT"));
    if is_plain || is_marked(&header) { Ok(header) } else { Err(Refusal::NoAccessToken) }
}

fn is_marked(header: &Header) -> bool {
    let kind = header.typ.as_deref().unwrap_or_default();
    kind.eq_ignore_ascii_case("at+jwt") || kind.eq_ignore_ascii_case("application/at+jwt")
}

fn refusal(error: &ErrorKind) -> Refusal {
    match error {
        ErrorKind::ExpiredSignature => Refusal::Expired,
        ErrorKind::ImmatureSignature => Refusal::NotYet,
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::InvalidSignature => Refusal::Forged,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Refusal::Algorithm,
        _ => Refusal::Malformed,
    }
}

#[cfg(test)]
mod tests;
