//! What came of a run: its steps with their times, and the last words of `apply`, `destroy` and `adopt`.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::{KIND, out, outputs_text, talk};
use crate::apply::Done;
use crate::outputs::Outputs;
use crate::plan::{Plan, Step};
use crate::stack::place::Names;

fn round(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

pub(super) fn done_json(done: &[Done<'_>], names: &Names) -> Vec<Value> {
    let step = |Done { step: Step { id, action }, start, took }: &Done<'_>| {
        json!({
            "action": action.verb(),
            "resource": id.kind(),
            "name": names.of(*id),
            "start": round(*start),
            "seconds": round(*took),
        })
    };
    done.iter().map(step).collect()
}

/// Each step with its place in time, and the chain that decided how long the run took.
pub fn timings(plan: &Plan, done: &[Done<'_>], names: &Names) {
    let wall = done.iter().map(|done| done.start + done.took).max().unwrap_or_default();
    let took = |index: usize| {
        let step = done.iter().find(|done| done.step.id == plan.steps[index].id);
        step.map_or(Duration::ZERO, |done| done.took)
    };
    let path = plan.critical_path(took);
    let critical: Duration = path.iter().copied().map(took).sum();
    let mut text = "  start    took\n".to_owned();
    for Done { step, start, took } in done {
        let on = path.iter().any(|&index| step.id == plan.steps[index].id);
        let (start, took) = (start.as_secs_f64(), took.as_secs_f64());
        let (mark, kind, name) = (if on { "*" } else { " " }, step.id.kind(), names.of(step.id));
        let _ = writeln!(text, "{start:7.3} {took:7.3} {mark} {kind:KIND$}  {name}");
    }
    let ratio = if critical.is_zero() { 1.0 } else { wall.as_secs_f64() / critical.as_secs_f64() };
    let (wall, critical) = (wall.as_secs_f64(), critical.as_secs_f64());
    let _ = writeln!(text, "wall {wall:.3} s, critical path (*) {critical:.3} s, ratio {ratio:.2}");
    talk(&text);
}

pub fn applied(
    plan: &Plan,
    done: &[Done<'_>],
    names: &Names,
    outputs: &Outputs,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        let report =
            json!({"applied": done_json(done, names), "unchanged": plan.unchanged.len(), "outputs": outputs});
        return out(&format!("{report:#}\n"));
    }
    talk(&match done.len() {
        0 => "nothing to change\n".to_owned(),
        count => format!("{count} done, {} unchanged\n", plan.unchanged.len()),
    });
    out(&outputs_text(outputs))
}

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
