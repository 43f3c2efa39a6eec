//! The health of a stack.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use console::{measure_text_width, style};
use contract::Function;
use serde_json::{Value, json};

use super::{KIND, heading, out};
use crate::aws::cloudwatch::Hour;
use crate::stack::id::Id;
use crate::stack::place::{Names, Place};

/// A resource, and how it is.
pub struct Row {
    pub id: Id,
    health: String,
    well: bool,
}

impl Row {
    /// `health` is `None` where the resource is missing; else what it says, and whether that is well.
    pub fn of(id: Id, health: Option<(String, bool)>) -> Row {
        let (health, well) = health.unwrap_or_else(|| ("MISSING".to_owned(), false));
        Row { id, health, well }
    }
}

/// Shows the health of a stack, and returns whether all is well.
pub fn status(
    rows: &[Row],
    hours: &BTreeMap<Function, Hour>,
    names: &Names,
    place: &Place,
    json: bool,
) -> anyhow::Result<bool> {
    let well = rows.iter().all(|row| row.well);
    let text = if json {
        format!("{:#}\n", as_json(rows, hours, names, well))
    } else {
        as_text(rows, hours, names, place)
    };
    out(&text)?;
    Ok(well)
}

pub(super) fn as_json(rows: &[Row], hours: &BTreeMap<Function, Hour>, names: &Names, well: bool) -> Value {
    let row = |row: &Row| {
        json!({
            "resource": row.id.kind(), "name": names.of(row.id), "health": row.health, "well": row.well,
        })
    };
    let hours: BTreeMap<&str, &Hour> = hours.iter().map(|(function, hour)| (function.name(), hour)).collect();
    let rows: Vec<Value> = rows.iter().map(row).collect();
    json!({ "stack": names.stack, "well": well, "resources": rows, "lastHour": hours })
}

pub(super) fn as_text(
    rows: &[Row],
    hours: &BTreeMap<Function, Hour>,
    names: &Names,
    place: &Place,
) -> String {
    // Names longer than this would push the health off a screen of 80 columns.
    const WIDE: usize = 34;
    let widths = rows.iter().map(|row| measure_text_width(&names.of(row.id)));
    let width = widths.filter(|width| *width <= WIDE).max().unwrap_or_default();
    let mut text = heading(names, place);
    for Row { id, health, well } in rows {
        let health = if *well { style(health) } else { style(health).red() };
        let _ = writeln!(text, "  {:KIND$}  {:width$}  {health}", id.kind(), names.of(*id));
    }
    if !hours.is_empty() {
        text.push_str("\n  last hour      requests   errors   throttles   p99 (ms)\n");
    }
    for (function, Hour { requests, errors, throttles, p99 }) in hours {
        let p99 = p99.map_or_else(|| "-".to_owned(), |p99| format!("{p99:.0}"));
        let _ =
            writeln!(text, "  {:<13}{requests:>10} {errors:>8} {throttles:>11} {p99:>10}", function.name());
    }
    text
}
