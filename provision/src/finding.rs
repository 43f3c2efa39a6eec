//! What `provision doctor` finds: one entry for each thing that was looked at.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Ok,
    /// `apply` will work, but not all may be well.
    Warning,
    /// `apply` would fail.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub what: &'static str,
    pub severity: Severity,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    pub fn ok(what: &'static str, detail: impl Into<String>) -> Finding {
        Finding { what, severity: Severity::Ok, detail: detail.into(), advice: None }
    }

    pub fn warning(what: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { what, severity: Severity::Warning, detail: detail.into(), advice: Some(advice.into()) }
    }

    pub fn error(what: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { what, severity: Severity::Error, detail: detail.into(), advice: Some(advice.into()) }
    }
}
