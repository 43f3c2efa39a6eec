//! How long a process takes from its start to its first request for an event, beside one of a function
//! that does nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use contract::Function as Name;
use serde::Serialize;

use crate::function::{Endpoint, Function, Program};

/// Starts of each, in turns, so that whatever else this machine does falls on all.
const STARTS: usize = 20;
/// The binary that is compared with.
const EMPTY: &str = "empty";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Start {
    pub(crate) name: &'static str,
    /// Median.
    pub(crate) init_ms: f64,
    /// To the median of the empty function.
    pub(crate) ratio: f64,
}

pub(crate) fn measure(folder: &Path, aws: &Endpoint) -> anyhow::Result<Vec<Start>> {
    let names: Vec<&'static str> = Name::ALL.into_iter().map(Name::name).chain([EMPTY]).collect();
    let mut inits = vec![Vec::with_capacity(STARTS); names.len()];
    for _ in 0..STARTS {
        for (name, inits) in names.iter().zip(&mut inits) {
            let program = Program { file: folder.join(name), ..Program::default() };
            let function = Function::start(&program, aws);
            inits.push(function.with_context(|| format!("start the function {name}"))?.init);
        }
    }
    let medians: Vec<f64> = inits.into_iter().map(median_ms).collect();
    let empty = medians.last().copied().context("the empty function was not measured")?;
    let start = |(name, init_ms): (&'static str, f64)| Start { name, init_ms, ratio: init_ms / empty };
    Ok(names.into_iter().zip(medians).map(start).collect())
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    let middle = times.len() / 2;
    let upper = times[middle];
    let lower = times[middle.saturating_sub(1 - times.len() % 2)];
    (lower + upper).as_secs_f64() * 500.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let ms = |times: &[u64]| median_ms(times.iter().map(|&ms| Duration::from_millis(ms)).collect());
        assert!((ms(&[9, 1, 5]) - 5.0).abs() < 1e-9);
        assert!((ms(&[1, 2, 4, 9]) - 3.0).abs() < 1e-9);
    }
}
