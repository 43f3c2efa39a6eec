//! Whose image it is.

use std::fmt;

use contract::PUBLIC_OWNER;

/// OpenID Connect allows no longer `sub`: <https://openid.net/specs/openid-connect-core-1_0.html#IDToken>.
/// Beside the longest file name, that still fits the 2 KB that S3 gives to all user metadata of an object.
pub const LONGEST: usize = 255;

/// The name that a sign-in has for a user, or `public` where nobody signs in. It is fit to be metadata of an
/// object and to stand before a `#` in a key of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner(String);

impl Owner {
    /// The owner of what is everybody's.
    pub fn public() -> Owner {
        Owner(PUBLIC_OWNER.to_owned())
    }

    /// Takes visible ASCII without `#`, which parts an owner from what follows in a key.
    pub fn parse(text: &str) -> Option<Owner> {
        let is_fit = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        is_fit.then(|| Owner(text.to_owned()))
    }

    /// One who has signed in, and so is not everybody.
    pub fn user(text: &str) -> Option<Owner> {
        Owner::parse(text).filter(|owner| !owner.is_public())
    }

    pub fn is_public(&self) -> bool {
        self.0 == PUBLIC_OWNER
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use contract::DELETING_OWNER;

    use super::*;

    #[test]
    fn an_owner_is_what_sign_ins_call_people() {
        let longest = "x".repeat(LONGEST);
        for text in
            ["4f8c7a52-1b0e-4d8a-9c55-0f1e2d3c4b5a", "auth0|5f7c8ec7", "jane@example.com", "7", &longest]
        {
            assert_eq!(Owner::parse(text).unwrap().as_str(), text);
            assert_eq!(Owner::user(text), Owner::parse(text));
        }
        assert_eq!(Owner::parse("public"), Some(Owner::public()));
    }

    #[test]
    fn nobody_is_called_what_breaks_a_key_or_a_header() {
        let too_long = "x".repeat(LONGEST + 1);
        for text in ["", " ", "a b", "a#b", DELETING_OWNER, "a\n", "a\r\nx: y", "\u{7f}", "花子", &too_long]
        {
            assert_eq!(Owner::parse(text), None, "{text:?}");
        }
        assert_eq!(Owner::user("public"), None, "no user is everybody");
    }
}
