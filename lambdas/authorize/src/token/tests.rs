//! Tokens as the provider makes them, and as others would like to.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use super::*;
use crate::credential::Credential;
use crate::jwks;
use crate::testing::{
    APPLICATION, ISSUER, KEY_ID, SUB, claims, header as good, provider, stranger, token, unsigned,
};

fn key() -> DecodingKey {
    let keys = jwks::parse(provider().jwks(KEY_ID).to_string().as_bytes()).unwrap();
    keys[KEY_ID].clone()
}

/// Judges a token as a request would bring it.
fn judge(token: &str) -> Result<String, Refusal> {
    let Credential::Token(token) = Credential::parse([format!("Bearer {token}").as_str()])? else {
        panic!("this is a key")
    };
    Verifier::signer(&token)?;
    let owner = Verifier::new(ISSUER, APPLICATION).verify(&token, &key())?;
    Ok(owner.to_string())
}

fn signed(header: &Value, changes: &Value) -> Result<String, Refusal> {
    judge(&provider().sign(header, &claims(changes)))
}

fn with(changes: &Value) -> Result<String, Refusal> {
    signed(&good(), changes)
}

#[test]
fn an_access_token_of_the_provider_is_its_users() {
    assert_eq!(judge(&token()), Ok(SUB.to_owned()));
    assert_eq!(
        with(&json!({ "aud": ["https://other.example"] })),
        Ok(SUB.to_owned()),
        "Cognito names a resource here"
    );
}

#[test]
fn what_the_provider_did_not_sign_is_refused() {
    let forged = stranger().sign(&good(), &claims(&json!({})));
    assert_eq!(judge(&forged), Err(Refusal::Forged));
    // Somebody else's name under a good signature.
    let (_, signature) = token().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let other = unsigned(&good(), &claims(&json!({ "sub": "bob" })));
    assert_eq!(judge(&format!("{other}.{signature}")), Err(Refusal::Forged));
    assert_eq!(judge(&format!("{other}.AAAA")), Err(Refusal::Forged));
    let token = token();
    let (rest, _) = token.split_at(token.len() - 10);
    assert_eq!(judge(rest), Err(Refusal::Forged));
}

#[test]
fn a_token_that_is_not_signed_is_refused() {
    for none in ["none", "None", "NONE", ""] {
        let unsigned = unsigned(&json!({ "alg": none, "kid": KEY_ID }), &claims(&json!({})));
        for signature in ["", "AA"] {
            assert_eq!(judge(&format!("{unsigned}.{signature}")), Err(Refusal::Malformed), "{none}");
        }
    }
}

/// The public key is known to everybody, and would be a secret that everybody knows.
#[test]
fn a_token_that_is_signed_with_the_public_key_as_a_secret_is_refused() {
    let jwk = provider().jwk(KEY_ID);
    let modulus = BASE64URL.decode(jwk["n"].as_str().unwrap()).unwrap();
    for secret in [jwk["n"].as_str().unwrap().as_bytes(), &modulus, jwk.to_string().as_bytes(), b""] {
        let unsigned = unsigned(&json!({ "alg": "HS256", "kid": KEY_ID }), &claims(&json!({})));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), unsigned.as_bytes());
        let token = format!("{unsigned}.{}", BASE64URL.encode(tag));
        assert_eq!(judge(&token), Err(Refusal::Algorithm));
    }
}

#[test]
fn no_other_algorithm_counts() {
    for algorithm in ["HS384", "HS512", "RS384", "RS512", "PS256", "ES256", "EdDSA"] {
        let header = json!({ "alg": algorithm, "kid": KEY_ID });
        assert_eq!(signed(&header, &json!({})), Err(Refusal::Algorithm), "{algorithm}");
    }
    for header in
        [json!({}), json!({ "alg": 7 }), json!({ "alg": "rs256" }), json!([]), json!("RS256"), json!(null)]
    {
        assert_eq!(signed(&header, &json!({})), Err(Refusal::Malformed), "{header}");
    }
}

#[test]
fn a_header_that_asks_for_more_is_refused() {
    let header = |more: Value| {
        let mut header = good();
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signed(&header, &json!({}))
    };
    assert_eq!(header(json!({ "typ": "JWT" })), Ok(SUB.to_owned()));
    assert_eq!(header(json!({ "typ": "at+jwt" })), Ok(SUB.to_owned()));
    // A key that the token brings along is not looked at, and neither is a URL of one.
    let own = json!({ "jku": "https://stranger.example/jwks.json", "x5u": "https://stranger.example/", "unknown": {} });
    assert_eq!(header(own), Ok(SUB.to_owned()));
    let mut brought = good();
    brought["jwk"] = stranger().jwk("own");
    assert_eq!(judge(&stranger().sign(&brought, &claims(&json!({})))), Err(Refusal::Forged));
    assert_eq!(header(json!({ "crit": ["b64"], "b64": false })), Err(Refusal::Malformed));
    for kind in ["logout+jwt", "dpop+jwt", "id_token"] {
        assert_eq!(header(json!({ "typ": kind })), Err(Refusal::NoAccessToken), "{kind}");
    }
    assert_eq!(signed(&json!({ "alg": "RS256" }), &json!({})), Err(Refusal::UnknownSigner));
}

#[test]
fn a_token_of_another_provider_application_or_purpose_is_refused() {
    for (changes, refusal) in [
        (json!({ "iss": format!("{ISSUER}x") }), Refusal::Issuer),
        (json!({ "iss": format!("{ISSUER}/") }), Refusal::Issuer),
        (json!({ "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other" }), Refusal::Issuer),
        (json!({ "iss": null }), Refusal::Malformed),
        (json!({ "iss": 7 }), Refusal::Malformed),
        (json!({ "client_id": "other" }), Refusal::Application),
        (json!({ "client_id": null }), Refusal::Application),
        (json!({ "client_id": null, "aud": APPLICATION }), Refusal::Application),
        (json!({ "client_id": [APPLICATION] }), Refusal::Malformed),
        (json!({ "token_use": "id" }), Refusal::NoAccessToken),
        (
            json!({ "token_use": "id", "aud": APPLICATION, "client_id": null, "scope": null }),
            Refusal::NoAccessToken,
        ),
        (json!({ "token_use": "refresh" }), Refusal::NoAccessToken),
        (json!({ "token_use": "" }), Refusal::NoAccessToken),
        (json!({ "token_use": true }), Refusal::Malformed),
        (json!({ "sub": null }), Refusal::Malformed),
        (json!({ "sub": 7 }), Refusal::Malformed),
        (json!({ "sub": "" }), Refusal::Subject),
        (json!({ "sub": "public" }), Refusal::Subject),
        (json!({ "sub": "#deleting" }), Refusal::Subject),
        (json!({ "sub": "a\r\nx: y" }), Refusal::Subject),
    ] {
        assert_eq!(with(&changes), Err(refusal), "{changes}");
    }
}

#[test]
fn a_token_of_a_provider_that_is_not_cognito_names_the_application_in_aud() {
    let plain = |changes: Value| {
        let mut all = json!({ "token_use": null, "client_id": null });
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        all
    };
    for changes in [json!({ "aud": APPLICATION }), json!({ "aud": ["other", APPLICATION] })] {
        assert_eq!(with(&plain(changes)), Ok(SUB.to_owned()));
    }
    let marked = json!({ "kid": KEY_ID, "alg": "RS256", "typ": "at+JWT" });
    let without_scope = plain(json!({ "aud": APPLICATION, "scope": null }));
    assert_eq!(signed(&marked, &without_scope), Ok(SUB.to_owned()));
    // An ID token is for the application, too, and is no access token all the same.
    assert_eq!(with(&without_scope), Err(Refusal::NoAccessToken));
    for aud in [json!(null), json!("other"), json!([]), json!(["other"]), json!(format!("{APPLICATION} x"))] {
        assert_eq!(with(&plain(json!({ "aud": aud }))), Err(Refusal::Application), "{aud}");
    }
    assert_eq!(with(&plain(json!({ "aud": 7 }))), Err(Refusal::Malformed));
}

#[test]
fn clocks_may_be_a_minute_apart() {
    let now = Timestamp::now().as_second();
    for (changes, expected) in [
        (json!({ "exp": now - 30 }), Ok(SUB.to_owned())),
        (json!({ "exp": now - 90 }), Err(Refusal::Expired)),
        (json!({ "exp": 0 }), Err(Refusal::Expired)),
        (json!({ "exp": now + 3600, "nbf": now + 30 }), Ok(SUB.to_owned())),
        (json!({ "exp": now + 3600, "nbf": now + 90 }), Err(Refusal::NotYet)),
        (json!({ "exp": now - 90, "nbf": now - 3600 }), Err(Refusal::Expired)),
        // Providers may say it with a fraction.
        (json!({ "exp": 1e11 + 0.5 }), Ok(SUB.to_owned())),
    ] {
        assert_eq!(with(&changes), expected, "{changes}");
    }
    for strange in
        [json!(null), json!("tomorrow"), json!(format!("{now}")), json!(-1), json!({}), json!([now])]
    {
        assert_eq!(with(&json!({ "exp": strange })), Err(Refusal::Malformed), "{strange}");
    }
    for strange in [json!("tomorrow"), json!(-1), json!({})] {
        assert_eq!(with(&json!({ "nbf": strange })), Err(Refusal::Malformed), "{strange}");
    }
}

#[test]
fn what_is_broken_is_refused() {
    let token = token();
    let [header, body, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let text = |text: &str| BASE64URL.encode(text);
    for broken in [
        format!("{header}.{body}"),
        format!("{header}.{body}.{signature}.{signature}"),
        format!("{}.{body}.{signature}", text("{")),
        format!("{}.{body}.{signature}", text("null")),
        format!("A.{body}.{signature}"),
        format!("{header}.{body}.{signature}="),
    ] {
        assert_eq!(judge(&broken), Err(Refusal::Malformed), "{broken}");
    }
    // What is signed need not be claims, even if it is the provider who signs.
    for claims in [json!(null), json!([]), json!("a"), json!(7), json!({})] {
        assert_eq!(judge(&provider().sign(&good(), &claims)), Err(Refusal::Malformed), "{claims}");
    }
    let groups: Vec<_> = (0..600).map(|number| format!("group-{number}")).collect();
    assert_eq!(with(&json!({ "cognito:groups": groups[..200] })), Ok(SUB.to_owned()));
    assert_eq!(with(&json!({ "cognito:groups": groups })), Err(Refusal::TooLong));
}
