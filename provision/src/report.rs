//! What people and scripts see: the plan, the progress, the outcome.
//!
//! Standard output is data, standard error is talk. Without a terminal there is no colour and no
//! moving line; nothing needs colour to be understood.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use console::{Style, style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::apply::{Done, Event};
use crate::outputs::Outputs;
use crate::plan::{Action, Change, Plan, Step};
use crate::stack::id::Id;
use crate::stack::place::{Names, Place};

fn symbol(action: &Action) -> &'static str {
    match action {
        Action::Create(_) => "+",
        Action::Update { .. } => "~",
        Action::Replace { .. } => "±",
        Action::Delete(_) => "-",
    }
}

fn colour(action: &Action) -> Style {
    match action {
        Action::Create(_) => Style::new().green(),
        Action::Update { .. } => Style::new().yellow(),
        Action::Replace { .. } | Action::Delete(_) => Style::new().red(),
    }
}

/// "creating", and "created".
fn participles(action: &Action) -> (&'static str, &'static str) {
    match action {
        Action::Create(_) => ("creating", "created"),
        Action::Update { .. } => ("updating", "updated"),
        Action::Replace { .. } => ("replacing", "replaced"),
        Action::Delete(_) => ("deleting", "deleted"),
    }
}

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

fn plan_text(plan: &Plan, names: &Names, place: &Place) -> String {
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

fn plan_json(plan: &Plan, names: &Names, place: &Place) -> Value {
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

/// Whether there is a person to ask.
pub fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on a terminal; where there is nobody to ask, `flag` is the answer that is missing.
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

/// Shows steps as they run: on a terminal a line each with its elapsed time, in a pipe plain lines.
pub struct Progress<'a> {
    names: &'a Names,
    bars: MultiProgress,
    running: RefCell<BTreeMap<Id, ProgressBar>>,
}

impl<'a> Progress<'a> {
    pub fn new(names: &'a Names) -> Progress<'a> {
        Progress { names, bars: MultiProgress::new(), running: RefCell::new(BTreeMap::new()) }
    }

    pub fn show(&self, event: &Event<'_>) {
        if console::user_attended_stderr() {
            match event {
                Event::Started(step) => {
                    let (doing, _) = participles(&step.action);
                    let bar = self.bar(&format!("{doing} {}", self.subject(step)));
                    self.running.borrow_mut().insert(step.id, bar);
                }
                Event::Progress(step, text) => {
                    if let Some(bar) = self.running.borrow().get(&step.id) {
                        bar.set_message(format!("{}: {text}", self.subject(step)));
                        return;
                    }
                }
                Event::Finished(step, _) | Event::Failed(step, _) => {
                    if let Some(bar) = self.running.borrow_mut().remove(&step.id) {
                        bar.finish_and_clear();
                    }
                }
                Event::Stopping | Event::Lost(_) => (),
            }
        }
        if let Some(line) = self.line(event) {
            self.say(&line);
        }
    }

    /// What stays on the screen, and all that a pipe gets.
    fn line(&self, event: &Event<'_>) -> Option<String> {
        match event {
            Event::Started(_) => None,
            Event::Progress(step, text) => Some(format!("  {}: {text}", self.subject(step))),
            Event::Finished(step, elapsed) => {
                let (_, done) = participles(&step.action);
                let symbol = colour(&step.action).for_stderr().apply_to(symbol(&step.action));
                Some(format!("  {symbol} {done} {} ({})", self.subject(step), seconds(*elapsed)))
            }
            Event::Failed(step, error) => {
                let symbol = style("✗").for_stderr().red();
                Some(format!("  {symbol} {}: {}", self.subject(step), error.root_cause()))
            }
            Event::Stopping => {
                Some("finishing what is under way; press Ctrl-C again to stop at once".to_owned())
            }
            Event::Lost(lost) => Some(format!("{lost}\nfinishing what is under way")),
        }
    }

    /// A word on what takes long.
    pub fn note(&self, text: &str) {
        self.say(&format!("  {text}"));
    }

    fn say(&self, line: &str) {
        self.bars.suspend(|| talk(&format!("{line}\n")));
    }

    /// Runs `future` under a line that says what is waited for.
    pub async fn wait<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let bar = console::user_attended_stderr().then(|| self.bar(&format!("waiting for {what}")));
        let result = future.await;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        result
    }

    fn subject(&self, step: &Step) -> String {
        format!("{:KIND$}  {}", step.id.kind(), self.names.of(step.id))
    }

    fn bar(&self, line: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        // The template is a constant; were it wrong, the default style would show.
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(line.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

fn round(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn done_json(done: &[Done<'_>], names: &Names) -> Vec<Value> {
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

pub fn next_steps(env: &str) {
    let env = if env == "default" { String::new() } else { format!(" --env {env}") };
    talk(&format!("the API key, and two curl lines to try it: provision outputs{env} --curl IMAGE\n"));
}

/// A word on what takes long.
pub fn note(text: &str) {
    talk(&format!("{text}\n"));
}

fn outputs_text(outputs: &Outputs) -> String {
    let functions: Vec<&str> = outputs.functions.values().map(String::as_str).collect();
    let rows = [
        ("API URL", outputs.api_url.clone().unwrap_or_else(|| "(none yet)".to_owned())),
        ("API key", outputs.api_key.clone().unwrap_or_default()),
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
mod release;
mod repair;
mod status;

pub use checkup::{checkup, policy};
pub use cost::cost;
pub use log::log_line;
pub use outcome::{adopted, destroyed};
pub use release::{deployed, rolled_back, versions};
pub use repair::{Backfilling, backfilled, redriven, redriving, reindexed, reindexing};
pub use status::{Row, status};

#[cfg(test)]
mod tests;
