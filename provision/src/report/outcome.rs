//! What came of `destroy`, `adopt` and `reindex`.

use serde_json::json;

use super::{done_json, out, talk};
use crate::apply::Done;
use crate::plan::Plan;
use crate::reindex::Outcome;
use crate::stack::Names;

pub fn destroyed(
    plan: &Plan,
    done: &[Done<'_>],
    names: &Names,
    kept: bool,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        let report = json!({"applied": done_json(done, names), "unchanged": plan.unchanged.len()});
        return out(&format!("{report:#}\n"));
    }
    let (stack, left) = (&names.stack, if kept { " but its bucket and table" } else { "" });
    talk(&match done.len() {
        0 => format!("there is nothing of the stack {stack}{left}\n"),
        count => format!("{count} deleted; nothing of the stack {stack}{left} is left\n"),
    });
    Ok(())
}

/// A line for each thousand objects: a large bucket takes a while.
pub fn reindexing(outcome: &Outcome) {
    talk(&format!("objects read: {}, records written: {}\n", outcome.objects, outcome.written));
}

pub fn reindexed(outcome: &Outcome, names: &Names, json: bool) -> anyhow::Result<()> {
    if json {
        return out(&format!("{}\n", serde_json::to_string_pretty(outcome)?));
    }
    let Outcome { objects, written, present, unclear } = outcome;
    out(&format!(
        "{}: {objects} objects, {written} records written, {present} there already, {} objects that do not say enough\n",
        names.table(),
        unclear.len()
    ))?;
    for key in unclear {
        talk(&format!("  {key}\n"));
    }
    Ok(())
}

pub fn adopted(plan: &Plan, done: &[Done<'_>], names: &Names, json: bool) -> anyhow::Result<()> {
    if json {
        let report = json!({"applied": done_json(done, names), "unchanged": plan.unchanged.len()});
        return out(&format!("{report:#}\n"));
    }
    talk(&match done.len() {
        0 => format!("everything with a name of the stack {} is part of it already\n", names.stack),
        count => format!(
            "{count} now part of the stack {}; `provision plan` shows what they should be\n",
            names.stack
        ),
    });
    Ok(())
}
