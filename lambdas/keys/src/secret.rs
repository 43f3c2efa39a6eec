//! The text of a key. Its owner sees it once, and the table has only its hash: who reads the table can use no key.
//!
//! It is 256 bits of chance, so a plain SHA-256 is enough. What makes the hashing of passwords slow is there because
//! people choose passwords that can be guessed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use contract::API_TOKEN_PREFIX;
use image::digest::Sha256;

/// Bytes of chance in a key.
const LENGTH: usize = 32;

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a new key, of the system's randomness.
    pub fn draw() -> Result<Secret, getrandom::Error> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes)?;
        Ok(Secret::of(bytes))
    }

    fn of(bytes: [u8; LENGTH]) -> Secret {
        Secret(format!("{API_TOKEN_PREFIX}{}", BASE64.encode(bytes)))
    }

    /// Reads what is written as a key. A key has one spelling only, since it is found by the hash of its text.
    pub fn parse(text: &str) -> Option<Secret> {
        let bytes = BASE64.decode(text.strip_prefix(API_TOKEN_PREFIX)?).ok()?;
        bytes.try_into().ok().map(Secret::of)
    }

    /// The key itself, for its owner's eyes.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The hash that the table knows it by.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }
}

/// No log may hold a key.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_43_characters_behind_a_prefix_that_scanners_know() {
        let (one, other) = (Secret::draw().unwrap(), Secret::draw().unwrap());
        assert_ne!(one, other);
        for secret in [one, other] {
            assert!(secret.text().starts_with("cpx_"));
            assert_eq!(secret.text().len(), 47);
            assert_eq!(Secret::parse(secret.text()), Some(secret.clone()));
            assert_eq!(format!("{secret:?}"), "Secret");
        }
    }

    #[test]
    fn the_hash_is_of_the_whole_text() {
        let secret = Secret::of([0; LENGTH]);
        assert_eq!(secret.text(), format!("cpx_{}", "A".repeat(43)));
        assert_eq!(secret.digest(), Sha256::of(secret.text().as_bytes()));
    }

    #[test]
    fn what_is_written_otherwise_is_no_key() {
        let whole = Secret::of([7; LENGTH]).text().to_owned();
        let body = &whole[4..];
        for text in [
            "",
            "cpx_",
            body,
            &format!("CPX_{body}"),
            &format!("{whole}="),
            &format!(" {whole}"),
            &whole[..46],
            &format!("{whole}A"),
            &whole.replace('c', "č"),
            // The last character has two bits that no byte has.
            &format!("cpx_{}B", "A".repeat(42)),
            &format!("cpx_{}", "+".repeat(43)),
        ] {
            assert_eq!(Secret::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_as_a_key_is_written_as_it_was(text in "(cpx_)?[A-Za-z0-9_=-]{0,50}") {
            if let Some(secret) = Secret::parse(&text) {
                prop_assert_eq!(secret.text(), text);
            }
        }
    }
}
