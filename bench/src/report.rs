//! What people and scripts see. Standard output is data, standard error is talk.

#![expect(clippy::cast_precision_loss, reason = "what is shown has three digits")]

use std::io::Write;

use serde::Serialize;

use crate::cold::Start;
use crate::measure::{Binary, Comparison, Figures};

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) binaries: Vec<Binary>,
    pub(crate) scenarios: Vec<Comparison>,
}

pub(crate) fn print(report: &Report, json: bool) {
    let text =
        if json { serde_json::to_string_pretty(report).unwrap_or_default() + "\n" } else { tables(report) };
    // Whoever closes the output has read enough.
    std::io::stdout().lock().write_all(text.as_bytes()).ok();
}

/// Of each function the median of its starts, and how much that is of the empty one's.
pub(crate) fn starts(starts: &[Start], json: bool) {
    let line = |Start { name, init_ms, ratio }: &Start| format!("{name:<16} {init_ms:>9.2} {ratio:>9.2}\n");
    let text = if json {
        serde_json::to_string_pretty(starts).unwrap_or_default() + "\n"
    } else {
        let head = format!("{:<16} {:>9} {:>9}\n", "function", "init ms", "to empty");
        head + &starts.iter().map(line).collect::<String>()
    };
    std::io::stdout().lock().write_all(text.as_bytes()).ok();
}

pub(crate) fn progress(scenario: &str) {
    writeln!(std::io::stderr(), "measuring: {scenario}").ok();
}

pub(crate) fn error(error: &anyhow::Error) {
    writeln!(std::io::stderr(), "error: {error:#}").ok();
}

fn tables(report: &Report) -> String {
    let titles = ["warm ms", "p95 ms", "first ms", "init ms", "peak MB"].map(str::to_owned);
    let head = row("scenario", "", &titles);
    let scenarios = report.scenarios.iter().map(rows);
    let binaries = format!("\n{:<25} {:>9} {:>9}\n", "binary", "MB", "zip MB");
    let weights = report.binaries.iter().map(|Binary { name, bytes, zip_bytes }| {
        format!("{name:<25} {:>9} {:>9}\n", megabytes(*bytes), megabytes(*zip_bytes))
    });
    std::iter::once(head).chain(scenarios).chain([binaries]).chain(weights).collect()
}

fn rows(comparison: &Comparison) -> String {
    let Comparison { scenario, cloudpix, plain, .. } = comparison;
    let (ours, theirs) = (numbers(cloudpix), numbers(plain));
    let ratio = |place: usize| match (ours[place], theirs[place]) {
        (Some(ours), Some(theirs)) => format!("{:.2}x", theirs / ours),
        _ => "-".to_owned(),
    };
    [
        row(scenario, "cloudpix", &cells(ours)),
        row("", "plain", &cells(theirs)),
        row("", "plain is", &std::array::from_fn(ratio)),
    ]
    .concat()
}

fn numbers(figures: &Figures) -> [Option<f64>; 5] {
    let Figures { warm_ms, p95_ms, first_ms, init_ms, peak_bytes } = figures;
    let peak = peak_bytes.map(|bytes| bytes as f64 / 1e6);
    [Some(*warm_ms), Some(*p95_ms), Some(*first_ms), Some(*init_ms), peak]
}

fn cells(numbers: [Option<f64>; 5]) -> [String; 5] {
    numbers.map(|number| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.2}")))
}

fn row(scenario: &str, binary: &str, [warm, p95, first, init, peak]: &[String; 5]) -> String {
    format!("{scenario:<16} {binary:<8} {warm:>9} {p95:>9} {first:>9} {init:>9} {peak:>8}\n")
}

fn megabytes(bytes: usize) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}
