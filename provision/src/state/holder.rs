//! Who holds a lock, for those who have to wait.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    user: String,
    host: String,
    process: u32,
    /// RFC 3339, in UTC.
    since: String,
}

impl Holder {
    /// This process, from now on.
    pub(super) fn this() -> Holder {
        let user = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        Holder {
            user: user.unwrap_or_else(|| "somebody".to_owned()),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            process: std::process::id(),
            since: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Somebody else wrote it, and it goes to a terminal.
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(64).collect::<String>();
        let (user, host, since) = (plain(&self.user), plain(&self.host), plain(&self.since));
        write!(f, "{user} on {host}, process {}, since {since}", self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_the_terminal_it_is_shown_on() {
        let text = r#"{"user":"\u001b[2Jaoi\n","host":"desk\r","process":7,"since":"now"}"#;
        let holder: Holder = serde_json::from_str(text).unwrap();
        assert_eq!(holder.to_string(), "[2Jaoi on desk, process 7, since now");
    }
}
