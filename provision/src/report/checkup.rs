//! What `doctor` found.

use std::fmt::Write as _;

use console::style;
use serde_json::{Value, json};

use super::out;
use crate::finding::{Finding, Severity};

/// Whether nothing is wrong.
pub fn checkup(findings: &[Finding], json: bool) -> anyhow::Result<bool> {
    let well = findings.iter().all(|finding| finding.severity != Severity::Error);
    if json {
        out(&format!("{:#}\n", json!({ "well": well, "findings": findings })))?;
        return Ok(well);
    }
    let mut text = String::new();
    for Finding { what, severity, detail, advice } in findings {
        let word = match severity {
            Severity::Ok => style("ok     ").green(),
            Severity::Warning => style("warning").yellow(),
            Severity::Error => style("ERROR  ").red(),
        };
        let _ = writeln!(text, "  {word}  {what:<13} {detail}");
        if let Some(advice) = advice {
            let _ = writeln!(text, "           {:<13} -> {advice}", "");
        }
    }
    out(&text)?;
    Ok(well)
}

pub fn policy(policy: &Value) -> anyhow::Result<()> {
    out(&format!("{policy:#}\n"))
}
