//! Judges one request: by a key, which is looked up each time, or by a token, for which nothing needs to be asked once
//! the provider's keys are there.

use std::time::Duration;

use anyhow::anyhow;
use catalog::access::Access;
use catalog::failure::Failure;
use catalog::log::Line;
use image::digest::Sha256;
use jiff::Timestamp;
use keys::scopes::{Scopes, can_be_granted};
use keys::secret::Secret;

use crate::credential::{Credential, Token};
use crate::event::Event;
use crate::jwks::Jwks;
use crate::policy::{Grant, USER};
use crate::refusal::Refusal;
use crate::token::Verifier;

/// How long a request may wait until the use of its key is noted.
const NOTE_TIME: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Authorizer {
    pub verifier: Verifier,
    pub jwks: Jwks,
    pub access: Access,
}

impl Authorizer {
    /// Opens the connections and fetches the keys that the first request would wait for.
    pub async fn warm(&self, now: Timestamp) {
        tokio::join!(self.access.warm(), self.jwks.warm(now));
    }

    /// Whose request it is, or why it is nobody's. What fails here is our failure, and never the request's.
    pub async fn judge(
        &self,
        event: &Event,
        line: &Line,
        now: Timestamp,
    ) -> Result<Result<Grant, Refusal>, Failure> {
        match Credential::parse(event.authorization()) {
            Ok(Credential::Key(secret)) => self.by_key(&secret, line, now).await,
            Ok(Credential::Token(token)) => self.by_token(&token, line, now).await,
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn by_key(
        &self,
        secret: &Secret,
        line: &Line,
        now: Timestamp,
    ) -> Result<Result<Grant, Refusal>, Failure> {
        let digest = secret.digest();
        let Some(key) = line.timed("dynamodbGetMs", self.access.get(&digest)).await? else {
            return Ok(Err(Refusal::UnknownKey));
        };
        if key.is_expired(now) {
            return Ok(Err(Refusal::ExpiredKey));
        }
        if key.is_use_news(now) {
            self.note_use(&digest, line, now).await;
        }
        let scopes: Scopes = key.scopes.iter().filter(|scope| can_be_granted(*scope)).collect();
        Ok(Ok(Grant { owner: key.owner, by: key.key_id.to_string(), scopes }))
    }

    /// The key counts all the same if this fails, and nobody waits long for it.
    async fn note_use(&self, digest: &Sha256, line: &Line, now: Timestamp) {
        let noted = tokio::time::timeout(NOTE_TIME, self.access.touch(digest, now));
        match line.timed("dynamodbUpdateMs", noted).await {
            Ok(Ok(())) => (),
            Ok(Err(failure)) => line.cause(failure.cause()),
            Err(_) => line.cause(&anyhow!("note the use of a key: it took too long")),
        }
    }

    async fn by_token(
        &self,
        token: &Token,
        line: &Line,
        now: Timestamp,
    ) -> Result<Result<Grant, Refusal>, Failure> {
        let signer = match Verifier::signer(token) {
            Ok(signer) => signer,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(key) = self.jwks.find(&signer, line, now).await? else {
            return Ok(Err(Refusal::UnknownSigner));
        };
        let owner = self.verifier.verify(token, &key);
        Ok(owner.map(|owner| Grant { owner, by: USER.to_owned(), scopes: Scopes::all() }))
    }
}

#[cfg(test)]
pub(crate) mod tests;
