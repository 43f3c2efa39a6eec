//! Lines for a shell: what is in them may be anything, and stays one word.

/// In quotes, so that a POSIX shell takes it as it is.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_gets_back_what_was_quoted() {
        for text in ["", "plain", "it's", "'; id; '", "$(id) `id` \\ \" *?~", "two\nlines", "-n"] {
            let line = format!("printf %s {}", quote(text));
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
