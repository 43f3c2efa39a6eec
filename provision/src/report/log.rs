//! A line of a function's log, for a person: what the function writes as JSON, in columns.

use console::style;
use serde_json::{Value, json};

use super::out;
use crate::aws::logs::LogLine;

/// As JSON, the line is what the function wrote, with the moment beside it.
pub fn log_line(line: &LogLine, json: bool) -> anyhow::Result<()> {
    let LogLine { at, text, .. } = line;
    let parsed: Option<Value> = serde_json::from_str(text).ok().filter(Value::is_object);
    if json {
        let answer =
            json!({ "at": format!("{at:.3}"), "line": parsed.unwrap_or_else(|| text.as_str().into()) });
        return out(&format!("{answer}\n"));
    }
    out(&format!("{}\n", columns(&format!("{at:.3}"), text, parsed.as_ref())))
}

fn columns(at: &str, text: &str, line: Option<&Value>) -> String {
    let Some(line) = line else { return format!("{at}  {text}") };
    let field = |name: &str| line[name].as_str().unwrap_or_default();
    let Some(status) = line["status"].as_u64() else {
        return format!("{at}  {}  {}", level(field("level")), line["message"].as_str().unwrap_or(text));
    };
    let route = line["route"].as_str().unwrap_or("-");
    let milliseconds = line["totalMs"].as_f64().unwrap_or_default();
    let rest = [field("imageId"), field("Reason"), field("requestId")];
    let mut columns =
        format!("{at}  {}  {status}  {milliseconds:>8.1} ms  {route:<24}", level(field("level")));
    for text in rest.into_iter().filter(|text| !text.is_empty()) {
        columns.push_str("  ");
        columns.push_str(text);
    }
    for cause in line["causes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        columns.push_str("\n    ");
        columns.push_str(cause);
    }
    columns
}

fn level(level: &str) -> String {
    let padded = format!("{level:<5}");
    if level == "ERROR" { style(padded).red().to_string() } else { padded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_row_and_its_causes_are_below_it() {
        let line = json!({
            "level": "ERROR", "requestId": "7", "route": "GET /list", "status": 503, "totalMs": 12.345,
            "Reason": "unavailable", "causes": ["query images: Throttled"],
        });
        let found = columns("2026-11-23T04:05:06.789Z", "", Some(&line));
        let expected = "2026-11-23T04:05:06.789Z  ERROR  503      12.3 ms  GET /list                 unavailable  7\n    \
                        query images: Throttled";
        assert_eq!(console::strip_ansi_codes(&found), expected);
    }

    #[test]
    fn other_lines_are_shown_as_they_are() {
        assert_eq!(columns("T", "INIT_START", None), "T  INIT_START");
        let message = json!({ "level": "INFO", "message": "hello" });
        assert_eq!(columns("T", "", Some(&message)), "T  INFO   hello");
    }
}
