//! What came of `reindex`, `redrive` and `backfill`.

use std::cell::Cell;
use std::fmt::Write as _;
use std::time::Duration;

use super::{out, talk};
use crate::stack::id::Purpose;
use crate::stack::place::Names;
use crate::{backfill, redrive, reindex};

/// A line for each thousand objects: a large bucket takes a while.
pub fn reindexing(outcome: &reindex::Outcome) {
    talk(&format!("objects read: {}, records written: {}\n", outcome.objects, outcome.written));
}

pub fn reindexed(outcome: &reindex::Outcome, names: &Names, json: bool) -> anyhow::Result<()> {
    if json {
        return out(&format!("{}\n", serde_json::to_string_pretty(outcome)?));
    }
    let reindex::Outcome { objects, written, present, unclear } = outcome;
    out(&format!(
        "{}: {objects} objects, {written} records written, {present} there already, {} objects that do not say enough\n",
        names.table(Purpose::Metadata),
        unclear.len()
    ))?;
    for key in unclear {
        talk(&format!("  {key}\n"));
    }
    if !unclear.is_empty() {
        talk("hint: `provision backfill` has those looked at, and gives each a record that can have one\n");
    }
    Ok(())
}

pub fn redriving(outcome: &redrive::Outcome) {
    talk(&format!("events sent again: {}\n", outcome.sent));
}

pub fn redriven(outcome: &redrive::Outcome, names: &Names, json: bool) -> anyhow::Result<()> {
    if json {
        return out(&format!("{}\n", serde_json::to_string_pretty(outcome)?));
    }
    let redrive::Outcome { sent, refused, later } = outcome;
    let mut text = format!("{}: {sent} events sent again", names.queue());
    if *refused > 0 {
        let _ = write!(text, ", {refused} messages that are no events and stay there");
    }
    if *later > 0 {
        let _ = write!(text, ", {later} that came since and stay there");
    }
    out(&format!("{text}\n"))
}

/// A line every few seconds, in a pipe as on a terminal.
#[derive(Default)]
pub struct Backfilling {
    /// When the last line was written, from the start.
    said: Cell<Duration>,
}

impl Backfilling {
    pub fn show(&self, outcome: &backfill::Outcome) {
        const PAUSE: Duration = Duration::from_secs(2);
        if outcome.took >= self.said.get() + PAUSE {
            self.said.set(outcome.took);
            talk(&format!("{}\n", counts(outcome)));
        }
    }
}

pub fn backfilled(outcome: &backfill::Outcome, json: bool) -> anyhow::Result<()> {
    if json {
        return out(&format!("{}\n", serde_json::to_string_pretty(outcome)?));
    }
    for (key, why) in &outcome.failed {
        talk(&format!("  {key}: {why}\n"));
    }
    out(&format!("{}\n", counts(outcome)))
}

fn counts(outcome: &backfill::Outcome) -> String {
    let backfill::Outcome { objects, deletions, skipped, processed, failed, took } = outcome;
    let mut text = format!("{objects} objects, {skipped} finished before");
    if *deletions > 0 {
        let _ = write!(text, ", {deletions} deletions that broke off");
    }
    for (what, count) in processed {
        let _ = write!(text, ", {count} {what}");
    }
    if !failed.is_empty() {
        let _ = write!(text, ", {} FAILED", failed.len());
    }
    let _ = write!(text, " ({:.1} s)", took.as_secs_f64());
    text
}
