//! A plan, as text and as JSON.

use std::fmt::Write as _;

use console::Style;
use serde_json::{Value, json};

use super::{KIND, heading, out, talk};
use crate::plan::{Action, Change, Plan, Step};
use crate::stack::place::{Names, Place};

pub(super) fn symbol(action: &Action) -> &'static str {
    match action {
        Action::Create(_) => "+",
        Action::Update { .. } => "~",
        Action::Replace { .. } => "±",
        Action::Delete(_) => "-",
    }
}

pub(super) fn colour(action: &Action) -> Style {
    match action {
        Action::Create(_) => Style::new().green(),
        Action::Update { .. } => Style::new().yellow(),
        Action::Replace { .. } | Action::Delete(_) => Style::new().red(),
    }
}

pub(super) fn plan_text(plan: &Plan, names: &Names, place: &Place) -> String {
    let mut text = heading(names, place);
    for Step { id, action } in &plan.steps {
        let (symbol, kind, name) = (colour(action).apply_to(symbol(action)), id.kind(), names.of(*id));
        let _ = writeln!(text, "  {symbol} {kind:KIND$}  {name}");
        for Change { field, from, to } in action.changes() {
            let _ = writeln!(text, "      {field}: {} → {}", short(from), short(to));
        }
    }
    let count = |of: &str| plan.steps.iter().filter(|step| symbol(&step.action) == of).count();
    let parts = [("to create", "+"), ("to change", "~"), ("to replace", "±"), ("to delete", "-")];
    let parts = parts.map(|(words, symbol)| (words, count(symbol)));
    let mut parts: Vec<String> = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(words, count)| format!("{count} {words}"))
        .collect();
    parts.push(format!("{} unchanged", plan.unchanged.len()));
    let _ = writeln!(text, "  = {}", parts.join(", "));
    text
}

/// A value on one line, cut where it is long.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    console::truncate_str(&text, 60, "…").into_owned()
}

pub(super) fn plan_json(plan: &Plan, names: &Names, place: &Place) -> Value {
    let change = |Step { id, action }: &Step| json!({"action": action.verb(), "resource": id.kind(), "name": names.of(*id), "fields": action.changes()});
    json!({
        "stack": names.stack,
        "env": names.env,
        "account": place.account,
        "region": place.region,
        "changes": plan.steps.iter().map(change).collect::<Vec<_>>(),
        "unchanged": plan.unchanged.len(),
    })
}

pub fn plan(plan: &Plan, names: &Names, place: &Place, json: bool) -> anyhow::Result<()> {
    if json {
        out(&format!("{:#}\n", plan_json(plan, names, place)))
    } else {
        out(&plan_text(plan, names, place))
    }
}

/// The plan as talk, before it is applied.
pub fn plan_to_person(plan: &Plan, names: &Names, place: &Place) {
    talk(&plan_text(plan, names, place));
}
