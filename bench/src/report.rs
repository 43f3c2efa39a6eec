//! What people and scripts see. Standard output is data, standard error is talk.

#![expect(clippy::cast_precision_loss, reason = "what is shown has three digits")]

use std::io::Write;

use serde::Serialize;

use crate::cold::Start;
use crate::distant::FirstRequest;
use crate::languages::Throughput;
use crate::measure::{Binary, Comparison, Figures};
use crate::scale::PageCost;

#[derive(Default, Serialize)]
pub(crate) struct Report {
    pub(crate) binaries: Vec<Binary>,
    pub(crate) scenarios: Vec<Comparison>,
    pub(crate) distant: Vec<FirstRequest>,
    pub(crate) scale: Vec<PageCost>,
    pub(crate) languages: Vec<Throughput>,
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
    if !report.languages.is_empty() {
        return languages(&report.languages);
    }
    let titles = ["warm ms", "p95 ms", "first ms", "init ms", "peak MB"].map(str::to_owned);
    let head = row("scenario", "", &titles);
    let scenarios = report.scenarios.iter().map(rows);
    let distant = report.distant.iter().map(|FirstRequest { scenario, init_ms, first_ms, warm_ms }| {
        let ratio = first_ms / warm_ms;
        format!("{scenario:<25} {warm_ms:>9.2} {first_ms:>9.2} {ratio:>8.2}x {init_ms:>9.2}\n")
    });
    let distant_head = format!(
        "\n{:<25} {:>9} {:>9} {:>9} {:>9}\n",
        "TLS, 20 ms away", "warm ms", "first ms", "ratio", "init ms"
    );
    let binaries = format!("\n{:<25} {:>9} {:>9}\n", "binary", "MB", "zip MB");
    let weights = report.binaries.iter().map(|Binary { name, bytes, zip_bytes }| {
        format!("{name:<25} {:>9} {:>9}\n", megabytes(*bytes), megabytes(*zip_bytes))
    });
    let scale_head = format!(
        "\n{:<25} {:>9} {:>9} {:>9} {:>9}\n",
        "a page of 50 out of", "a day has", "warm ms", "RCU", "items"
    );
    let scale_head = (!report.scale.is_empty()).then_some(scale_head);
    let scale =
        report.scale.iter().map(|PageCost { images, per_day, asked, warm_ms, read_units, items_read }| {
            let what = format!("{images}, {asked}");
            format!("{what:<25} {per_day:>9} {warm_ms:>9.2} {read_units:>9.1} {items_read:>9.1}\n")
        });
    let tables = std::iter::once(head).chain(scenarios).chain([distant_head]).chain(distant);
    tables.chain(scale_head).chain(scale).chain([binaries]).chain(weights).collect()
}

fn languages(throughputs: &[Throughput]) -> String {
    let head = format!(
        "{:<17} {:>9} {:>9} {:>9}   requests per CPU second\n",
        "scenario", "cloudpix", "Python", "Node"
    );
    let line = |Throughput { scenario, cloudpix, python, node }: &Throughput| {
        let (to_python, to_node) = (cloudpix / python, cloudpix / node);
        format!(
            "{scenario:<17} {cloudpix:>9.0} {python:>9.0} {node:>9.0}   \
             {to_python:.1}x Python, {to_node:.1}x Node\n"
        )
    };
    std::iter::once(head).chain(throughputs.iter().map(line)).collect()
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
