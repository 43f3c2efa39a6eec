//! What people and scripts see: the plan, the progress, the outcome.
//!
//! Standard output is data, standard error is talk. Without a terminal there is no colour and no
//! moving line; nothing needs colour to be understood.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use anyhow::{Context, bail, ensure};
use console::style;

use crate::outputs::Outputs;
use crate::settings::Auth;
use crate::stack::place::{Names, Place};

/// Width of the longest kind of resource, so that names stand in one column.
const KIND: usize = 17;

fn out(text: &str) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("write to standard output")
}

/// Data that is text already.
pub fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(bytes).context("write to standard output")
}

/// A lock whose holder ended without letting go.
pub fn taken_over(holder: &str) {
    talk(&format!("the last run was broken off ({holder}); this one goes on from there\n"));
}

fn talk(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// An error with its causes, outermost first, each on its own line.
pub fn error(error: &anyhow::Error) {
    let mut text = format!("{} {error}\n", style("error:").for_stderr().red().bold());
    for cause in error.chain().skip(1) {
        let _ = writeln!(text, "  {}", cause.to_string().replace('\n', "\n  "));
    }
    talk(&text);
}

fn heading(names: &Names, place: &Place) -> String {
    format!("{}  (account {}, region {})\n", names.stack, place.account, place.region)
}

/// Whether there is a person to ask.
pub fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on a terminal. Where there is nobody to ask, the error names `flag`, which says yes beforehand.
pub fn confirm(question: &str, flag: &str) -> anyhow::Result<()> {
    ensure!(is_attended(), "nobody is there to confirm; pass {flag} (make: YES=1) to go on without asking");
    talk(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("read the answer")?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("nothing was changed");
    }
    Ok(())
}

pub fn next_steps(Outputs { env, auth, sign_in, .. }: &Outputs) {
    let env = if env == "default" { String::new() } else { format!(" --env {env}") };
    let curl = format!("provision outputs{env} --curl IMAGE");
    talk(&match (auth, sign_in.as_ref().is_some_and(|it| it.url.is_some())) {
        (Auth::Users, true) => format!("the first user: provision users add EMAIL{env}\n"),
        (Auth::Users, false) => format!("a key for programs: provision keys create SUB{env} --name NAME\n"),
        _ => format!("the API key, and two curl lines to try it: {curl}\n"),
    });
}

/// A word on what takes long.
pub fn note(text: &str) {
    talk(&format!("{text}\n"));
}

fn outputs_text(outputs: &Outputs) -> String {
    let sign_in = outputs.sign_in.as_ref();
    let functions: Vec<&str> = outputs.functions.values().map(String::as_str).collect();
    let rows = [
        ("API URL", outputs.api_url.clone().unwrap_or_else(|| "(none yet)".to_owned())),
        ("API key", outputs.api_key.clone().unwrap_or_default()),
        ("sign-in", sign_in.and_then(|it| it.url.clone()).unwrap_or_default()),
        ("issuer", sign_in.and_then(|it| it.issuer.clone()).unwrap_or_default()),
        ("client id", sign_in.and_then(|it| it.client_id.clone()).unwrap_or_default()),
        ("bucket", outputs.bucket.clone()),
        ("table", outputs.table.clone()),
        ("functions", functions.join(", ")),
        ("region", outputs.region.clone()),
        ("account", outputs.account.clone()),
    ];
    let rows = rows.iter().filter(|(_, value)| !value.is_empty());
    rows.map(|(label, value)| format!("{label:9}  {value}\n")).collect()
}

pub fn outputs(outputs: &Outputs, curl: Option<&[String; 2]>, json: bool) -> anyhow::Result<()> {
    if json {
        return out(&format!("{}\n", serde_json::to_string_pretty(outputs)?));
    }
    let mut text = outputs_text(outputs);
    if let Some([upload, list]) = curl {
        let _ = write!(text, "\nUpload a picture, then list it:\n\n{upload}\n\n{list}\n");
    }
    out(&text)
}

mod checkup;
mod cost;
mod log;
mod outcome;
mod plan;
mod progress;
mod release;
mod repair;
mod status;
mod users;

pub use checkup::{checkup, policy};
pub use cost::cost;
pub use log::log_line;
pub use outcome::{adopted, applied, destroyed, timings};
pub use plan::{plan, plan_to_person};
pub use progress::Progress;
pub use release::{deployed, rolled_back, versions};
pub use repair::{Backfilling, backfilled, redriven, redriving, reindexed, reindexing};
pub use status::{Row, status};
pub use users::{key_made, key_revoked, keys, user_added, user_removed, users};

#[cfg(test)]
mod tests;
