//! SHA-256 of an image's bytes, and its two spellings: hexadecimal in records and answers, base64 in
//! S3's checksum header.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{
    STANDARD, STANDARD_PAD_INDIFFERENT as BASE64, URL_SAFE_PAD_INDIFFERENT as URL_SAFE,
};
use sha2::Digest;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    pub fn of(bytes: &[u8]) -> Sha256 {
        Sha256(sha2::Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits, or base64 of either alphabet, padded or not.
    pub fn parse(text: &str) -> Option<Sha256> {
        let bytes = match text.len() {
            64 => from_hex(text)?,
            _ => BASE64.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?,
        };
        bytes.try_into().ok().map(Sha256)
    }

    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The first bytes, for a checksum against accidents.
    pub fn truncated<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        const { assert!(LENGTH <= 32) };
        std::array::from_fn(|index| self.0[index])
    }
}

/// Hashes what comes in pieces.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn every_spelling_is_read_as_the_same_digest() {
        let digest = Sha256::of(b"abc");
        assert_eq!(digest.to_string(), HEX);
        assert_eq!(digest.base64(), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        for text in [
            HEX,
            &HEX.to_uppercase(),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
        ] {
            assert_eq!(Sha256::parse(text), Some(digest), "{text}");
        }
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "abc", &HEX[1..], &HEX.replace('b', "g"), "あ", &"あ".repeat(22), "ungWv48Bz+pB"] {
            assert_eq!(Sha256::parse(text), None, "{text}");
        }
    }
}
