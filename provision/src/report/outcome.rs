//! What came of `destroy` and `adopt`.

use serde_json::json;

use super::{done_json, out, talk};
use crate::apply::Done;
use crate::plan::Plan;
use crate::stack::place::Names;

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
