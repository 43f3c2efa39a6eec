//! What a page of the list costs in tables of very different sizes. The table is a stub that finds its
//! place at once, however many images there are, and notes what DynamoDB would have read, so that what
//! is seen is what the function asks for and what it makes of the answer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::function::{Endpoint, Function, Program};
use crate::measure::median_ms;
use crate::table::Table;
use crate::{aws, event, scenario};

/// Requests to each table; they take turns.
const RUNS: usize = 200;
/// A page of 50.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageCost {
    pub(crate) images: usize,
    /// How many images each day has.
    pub(crate) per_day: f64,
    /// `all` or `a day`.
    pub(crate) asked: &'static str,
    /// Median of warm requests.
    pub(crate) warm_ms: f64,
    /// Of one request, as DynamoDB would bill them.
    pub(crate) read_units: f64,
    pub(crate) items_read: f64,
}

struct Case {
    images: usize,
    per_day: f64,
    asked: &'static str,
    event: Vec<u8>,
    function: Function,
    table: Arc<Table>,
    read_units: f64,
    items_read: usize,
    times: Vec<Duration>,
}

pub(crate) fn measure(folder: &Path) -> anyhow::Result<Vec<PageCost>> {
    let mut cases = Vec::new();
    for images in [1_000, 200_000] {
        for per_day in [1_000.0, 0.25] {
            let table = Arc::new(Table::new(images, per_day));
            let endpoint =
                Endpoint { url: format!("http://{}", aws::serve(Arc::clone(&table))?), roots: None };
            // A quarter of an image is no page.
            let days = if per_day > 1.0 {
                vec![Value::Null, json!({ "date": table.last_day })]
            } else {
                vec![Value::Null]
            };
            for queries in days {
                let program = Program { file: folder.join("list"), ..Program::default() };
                cases.push(Case {
                    images,
                    per_day,
                    asked: if queries.is_null() { "all" } else { "a day" },
                    event: event::listing(&queries),
                    function: Function::start(&program, &endpoint)?,
                    table: Arc::clone(&table),
                    read_units: 0.0,
                    items_read: 0,
                    times: Vec::new(),
                });
            }
        }
    }
    let check = scenario::listing();
    for run in 0..=RUNS {
        for case in &mut cases {
            case.table.forget();
            let (took, answer) = case.function.answer(&case.event)?;
            check.check(&answer)?;
            // The first one is not warm yet.
            if run > 0 {
                let (units, items) = case.table.read();
                case.read_units += units;
                case.items_read += items;
                case.times.push(took);
            }
        }
    }
    Ok(cases.into_iter().map(Case::cost).collect())
}

impl Case {
    #[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
    fn cost(mut self) -> PageCost {
        PageCost {
            images: self.images,
            per_day: self.per_day,
            asked: self.asked,
            warm_ms: median_ms(&mut self.times),
            read_units: self.read_units / RUNS as f64,
            items_read: self.items_read as f64 / RUNS as f64,
        }
    }
}
