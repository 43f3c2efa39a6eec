//! What a request shows of itself: `Authorization: Bearer …`, a token or a key. All of it is a stranger's.

use contract::API_TOKEN_PREFIX;
use keys::secret::Secret;

use crate::refusal::Refusal;

/// A token of Cognito has 1 to 1.5 KB, and more with many groups. API Gateway takes 10,240 bytes of all headers.
const LONGEST: usize = 8 << 10;

const SCHEME: &str = "Bearer";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A key for programs.
    Key(Secret),
    /// Three parts in base64url, whatever they hold.
    Token(Token),
}

/// A token in the compact form of RFC 7515, of which nothing is known yet but its form.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Credential {
    /// Reads the values of all `Authorization` headers that there are. Of two, no one can say which counts.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Credential, Refusal> {
        let mut values = values.into_iter();
        let value = values.next().ok_or(Refusal::Missing)?;
        if values.next().is_some() {
            return Err(Refusal::Doubled);
        }
        if value.len() > LONGEST {
            return Err(Refusal::TooLong);
        }
        // Names of schemes are in any case: <https://www.rfc-editor.org/rfc/rfc9110#section-11.1>.
        let (scheme, rest) = value.split_once(' ').ok_or(Refusal::NoBearer)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(Refusal::NoBearer);
        }
        let text = rest.trim_matches(' ');
        if text.starts_with(API_TOKEN_PREFIX) {
            return Secret::parse(text).map(Credential::Key).ok_or(Refusal::Misspelt);
        }
        Token::parse(text).map(Credential::Token).ok_or(Refusal::Malformed)
    }
}

impl Token {
    fn parse(text: &str) -> Option<Token> {
        let is_base64url = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let is_token = text.split('.').count() == 3 && text.split('.').all(is_base64url);
        is_token.then(|| Token(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// No log may hold a token.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(value: &str) -> Result<Credential, Refusal> {
        Credential::parse([value])
    }

    #[test]
    fn a_key_and_a_token_are_told_apart() {
        let secret = Secret::draw().unwrap();
        for value in [
            format!("Bearer {}", secret.text()),
            format!("bearer {}", secret.text()),
            format!("BEARER  {} ", secret.text()),
        ] {
            assert_eq!(parse(&value), Ok(Credential::Key(secret.clone())));
        }
        let token = parse("Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln").unwrap();
        assert_eq!(token, Credential::Token(Token("eyJhbGciOiJSUzI1NiJ9.e30.c2ln".to_owned())));
        assert_eq!(format!("{token:?}"), "Token(Token)");
    }

    #[test]
    fn what_is_neither_is_refused() {
        let long = format!("Bearer e30.e30.{}", "a".repeat(10_000));
        for (value, refusal) in [
            ("", Refusal::NoBearer),
            ("Bearer", Refusal::NoBearer),
            ("Basic dXNlcjpwYXNzd29yZA==", Refusal::NoBearer),
            ("cpx_", Refusal::NoBearer),
            ("e30.e30.e30", Refusal::NoBearer),
            ("Bearer ", Refusal::Malformed),
            ("Bearer e30.e30", Refusal::Malformed),
            ("Bearer e30.e30.", Refusal::Malformed),
            ("Bearer e30..e30", Refusal::Malformed),
            ("Bearer e30.e30.e30.e30", Refusal::Malformed),
            ("Bearer e30.e30.e30=", Refusal::Malformed),
            ("Bearer e30.e30.e+/0", Refusal::Malformed),
            ("Bearer e30.e30.e30, Bearer e30.e30.e30", Refusal::Malformed),
            ("Bearer\te30.e30.e30", Refusal::NoBearer),
            ("Bearer e30.e30.é", Refusal::Malformed),
            ("Bearer cpx_", Refusal::Misspelt),
            ("Bearer cpx_AAAA", Refusal::Misspelt),
            ("Bearer CPX_AAAA", Refusal::Malformed),
            (&long, Refusal::TooLong),
        ] {
            assert_eq!(parse(value), Err(refusal), "{value}");
        }
        assert_eq!(Credential::parse([]), Err(Refusal::Missing));
        let good = "Bearer e30.e30.e30";
        assert_eq!(Credential::parse([good, good]), Err(Refusal::Doubled));
    }

    proptest! {
        #[test]
        fn any_text_is_a_credential_or_is_refused(value: String, rest in "[Bb]earer [A-Za-z0-9_.=-]{0,60}") {
            parse(&value).ok();
            if let Ok(Credential::Token(token)) = parse(&rest) {
                prop_assert!(rest.ends_with(token.as_str()));
            }
        }
    }
}
