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
        write!(f, "{} on {}, process {}, since {}", self.user, self.host, self.process, self.since)
    }
}
