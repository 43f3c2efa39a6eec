//! The steps of a run as they go on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::plan::{colour, symbol};
use super::{KIND, talk};
use crate::apply::Event;
use crate::plan::{Action, Step};
use crate::stack::id::Id;
use crate::stack::place::Names;

/// "creating", and "created".
fn participles(action: &Action) -> (&'static str, &'static str) {
    match action {
        Action::Create(_) => ("creating", "created"),
        Action::Update { .. } => ("updating", "updated"),
        Action::Replace { .. } => ("replacing", "replaced"),
        Action::Delete(_) => ("deleting", "deleted"),
    }
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
    pub(super) fn line(&self, event: &Event<'_>) -> Option<String> {
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
