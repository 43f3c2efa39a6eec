//! What its owner calls a key.

/// Characters that a name may have.
pub const LONGEST: usize = 100;

/// A name that shows something, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyName {
    #[error("the name is empty")]
    Empty,
    #[error("the name has more than {LONGEST} characters")]
    TooLong,
    #[error("the name has a control character in it")]
    Control,
}

impl KeyName {
    pub fn parse(text: &str) -> Result<KeyName, BadKeyName> {
        if text.chars().any(char::is_control) {
            return Err(BadKeyName::Control);
        }
        if text.chars().all(char::is_whitespace) {
            return Err(BadKeyName::Empty);
        }
        if text.chars().count() > LONGEST {
            return Err(BadKeyName::TooLong);
        }
        Ok(KeyName(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_any_script_and_shows_something() {
        for text in ["backup", "週末のバックアップ", " a b ", &"猫".repeat(100)] {
            assert_eq!(KeyName::parse(text).unwrap().as_str(), text);
        }
        for (text, bad) in [
            ("", BadKeyName::Empty),
            (" \u{3000}", BadKeyName::Empty),
            ("a\nb", BadKeyName::Control),
            ("\u{1b}[31m", BadKeyName::Control),
            ("\u{85}", BadKeyName::Control),
            (&"猫".repeat(101), BadKeyName::TooLong),
        ] {
            assert_eq!(KeyName::parse(text), Err(bad), "{text:?}");
        }
    }
}
