//! A provider for tests: it signs tokens, as Cognito would and as nobody should.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use serde_json::{Value, json};

/// As Cognito writes it.
pub const ISSUER: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI";
pub const APPLICATION: &str = "3n4b5urk1ft4fl3mg5e62d9ado";
pub const SUB: &str = "4f8c7a52-1b0e-4d8a-9c55-0f1e2d3c4b5a";
/// The id of the provider's key.
pub const KEY_ID: &str = "abcdefghijklmnopqrsexample=";

/// Somebody with a private key, made for these tests and used nowhere else.
pub struct Signer(RsaKeyPair);

/// The provider itself.
pub fn provider() -> Signer {
    signer(include_str!("testing/provider.pem"))
}

/// Somebody who would like to be the provider.
pub fn stranger() -> Signer {
    signer(include_str!("testing/stranger.pem"))
}

fn signer(pem: &str) -> Signer {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(base64).expect("the file is base64");
    Signer(RsaKeyPair::from_pkcs8(&der).expect("the file holds a key"))
}

impl Signer {
    /// The public key as a provider publishes it.
    pub fn jwk(&self, key_id: &str) -> Value {
        let public: RsaPublicKeyComponents<Vec<u8>> = self.0.public_key().into();
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id,
            "n": BASE64URL.encode(public.n),
            "e": BASE64URL.encode(public.e),
        })
    }

    /// A set of this key alone.
    pub fn jwks(&self, key_id: &str) -> Value {
        json!({ "keys": [self.jwk(key_id)] })
    }

    /// A token with this header and these claims, whatever they say.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let mut signature = vec![0; self.0.public().modulus_len()];
        let done = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        done.expect("a key of 2048 bits signs anything");
        format!("{signed}.{}", BASE64URL.encode(signature))
    }
}

/// Header and claims of a token, without its signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()))
}

pub fn header() -> Value {
    json!({ "kid": KEY_ID, "alg": "RS256" })
}

/// The claims of an access token of Cognito that was made now and counts for an hour, with these changes; one that is
/// null is left out.
pub fn claims(changes: &Value) -> Value {
    let now = Timestamp::now().as_second();
    let mut claims: BTreeMap<String, Value> = BTreeMap::new();
    let usual = json!({
        "sub": SUB,
        "iss": ISSUER,
        "client_id": APPLICATION,
        "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "token_use": "access",
        "scope": "openid email",
        "auth_time": now,
        "exp": now + 3600,
        "iat": now,
        "jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "username": SUB,
    });
    for (name, value) in [&usual, changes].into_iter().filter_map(Value::as_object).flatten() {
        claims.insert(name.clone(), value.clone());
    }
    claims.retain(|_, value| !value.is_null());
    json!(claims)
}

/// A good token.
pub fn token() -> String {
    provider().sign(&header(), &claims(&json!({})))
}
