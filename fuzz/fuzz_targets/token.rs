//! Whatever a request shows of itself is judged, and a provider's answers are read or refused. Nobody is let in by
//! what the provider did not sign, and by what it signed only who it says.

#![no_main]

use std::sync::LazyLock;

use authorize::credential::{Credential, Token};
use authorize::event::Event;
use authorize::jwks::{self, KeySet};
use authorize::testing::{APPLICATION, ISSUER, KEY_ID, Signer, provider};
use authorize::token::Verifier;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static PROVIDER: LazyLock<Signer> = LazyLock::new(provider);
static KEYS: LazyLock<KeySet> =
    LazyLock::new(|| jwks::parse(PROVIDER.jwks(KEY_ID).to_string().as_bytes()).unwrap());
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::new(ISSUER, APPLICATION));

fuzz_target!(|bytes: &[u8]| {
    let _ = jwks::parse(bytes);
    let _ = jwks::keys_url(bytes, ISSUER);
    if let Ok(event) = serde_json::from_slice::<Event>(bytes) {
        let _ = event.stage();
        let _ = Credential::parse(event.authorization());
    }
    let text = String::from_utf8_lossy(bytes);
    let shown = [format!("Bearer {text}"), text.clone().into_owned()];
    for value in &shown {
        match Credential::parse([value.as_str()]) {
            Ok(Credential::Key(secret)) => assert!(value.contains(secret.text())),
            Ok(Credential::Token(token)) => assert_eq!(judge(&token), None, "nobody signed this"),
            Err(_) => (),
        }
    }
    // The provider signs a stranger's header and claims.
    let Some((header, claims)) = text.split_once('\n') else { return };
    let (Ok(header), Ok(claims)) = (read(header), read(claims)) else { return };
    let signed = format!("Bearer {}", PROVIDER.sign(&header, &claims));
    let Ok(Credential::Token(token)) = Credential::parse([signed.as_str()]) else { return };
    if let Some(owner) = judge(&token) {
        assert_eq!((&claims["sub"], &header["alg"]), (&owner.into(), &"RS256".into()));
        assert!(claims["iss"] == ISSUER || claims["iss"].is_array());
        assert!(claims["token_use"] == "access" || claims["token_use"].is_null());
    }
});

fn read(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

/// Whose token it is, as a request with it would be told.
fn judge(token: &Token) -> Option<String> {
    let key = KEYS.get(&Verifier::signer(token).ok()?)?;
    VERIFIER.verify(token, key).ok().map(|owner| owner.to_string())
}
