//! Turns scenarios into figures. The two contenders take turns, request by request, so that whatever
//! else this machine does falls on both.

use std::io::{Cursor, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use contract::Function as Name;
use serde::Serialize;
use zip::write::SimpleFileOptions;

use crate::function::{Endpoint, Function, Program};
use crate::scenario::Scenario;

/// A process starts only once, so its Init and first request are measured on several.
pub(crate) const STARTS: usize = 10;

/// The file that is compared with, which answers for both functions.
const PLAIN: &str = "plain";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comparison {
    pub(crate) scenario: &'static str,
    pub(crate) event_bytes: usize,
    pub(crate) runs: usize,
    pub(crate) cloudpix: Figures,
    pub(crate) plain: Figures,
}

/// What one contender needs, medians but for `p95_ms`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(crate) warm_ms: f64,
    pub(crate) p95_ms: f64,
    /// The first request of a process.
    pub(crate) first_ms: f64,
    /// From the start of the process to its first request for an event.
    pub(crate) init_ms: f64,
    pub(crate) peak_bytes: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Binary {
    pub(crate) name: &'static str,
    pub(crate) bytes: usize,
    pub(crate) zip_bytes: usize,
}

pub(crate) fn binaries(folder: &Path) -> anyhow::Result<Vec<Binary>> {
    let names = Name::ALL.into_iter().map(Name::name).chain([PLAIN]);
    names.map(|name| weigh(name, folder)).collect()
}

fn weigh(name: &'static str, folder: &Path) -> anyhow::Result<Binary> {
    let path = folder.join(name);
    let binary = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    // As `provision` packs it.
    let options = SimpleFileOptions::default().compression_level(Some(6));
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("bootstrap", options).context("zip a binary")?;
    archive.write_all(&binary).context("zip a binary")?;
    let archive = archive.finish().context("zip a binary")?.into_inner();
    Ok(Binary { name, bytes: binary.len(), zip_bytes: archive.len() })
}

pub(crate) fn compare(scenario: &Scenario, folder: &Path, aws: &Endpoint) -> anyhow::Result<Comparison> {
    let contender = |name: &str| {
        let program = Program { file: folder.join(name), ..Program::default() };
        Contender::start(program, scenario, aws)
    };
    let (mut cloudpix, mut plain) = (contender(scenario.function.name())?, contender(PLAIN)?);
    for _ in 1..STARTS {
        cloudpix.restart()?;
        plain.restart()?;
    }
    for run in 0..scenario.runs {
        let turns = if run % 2 == 0 { [&mut cloudpix, &mut plain] } else { [&mut plain, &mut cloudpix] };
        for contender in turns {
            let took = contender.request()?;
            contender.warm.push(took);
        }
    }
    Ok(Comparison {
        scenario: scenario.name,
        event_bytes: scenario.event.len(),
        runs: scenario.runs,
        cloudpix: cloudpix.figures(),
        plain: plain.figures(),
    })
}

struct Contender<'a> {
    program: Program,
    scenario: &'a Scenario,
    aws: &'a Endpoint,
    function: Function,
    init: Vec<Duration>,
    first: Vec<Duration>,
    warm: Vec<Duration>,
}

impl<'a> Contender<'a> {
    fn start(program: Program, scenario: &'a Scenario, aws: &'a Endpoint) -> anyhow::Result<Contender<'a>> {
        let function = Function::start(&program, aws)?;
        let (init, first, warm) = (Vec::new(), Vec::new(), Vec::new());
        let mut contender = Contender { program, scenario, aws, function, init, first, warm };
        contender.greet()?;
        Ok(contender)
    }

    fn restart(&mut self) -> anyhow::Result<()> {
        self.function = Function::start(&self.program, self.aws)?;
        self.greet()
    }

    fn greet(&mut self) -> anyhow::Result<()> {
        self.init.push(self.function.init);
        let took = self.request()?;
        self.first.push(took);
        Ok(())
    }

    fn request(&self) -> anyhow::Result<Duration> {
        let ask = || -> anyhow::Result<Duration> {
            let (took, answer) = self.function.answer(&self.scenario.event)?;
            self.scenario.check(&answer)?;
            Ok(took)
        };
        ask().with_context(|| format!("ask {}", self.program.file.display()))
    }

    fn figures(mut self) -> Figures {
        Figures {
            warm_ms: median_ms(&mut self.warm),
            p95_ms: quantile(&mut self.warm, 95).as_secs_f64() * 1000.0,
            first_ms: median_ms(&mut self.first),
            init_ms: median_ms(&mut self.init),
            peak_bytes: self.function.peak_memory(),
        }
    }
}

/// In milliseconds.
pub(crate) fn median_ms(times: &mut [Duration]) -> f64 {
    quantile(times, 50).as_secs_f64() * 1000.0
}

/// The time that so many of a hundred stay within.
fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let mut times: Vec<_> = (1..=20).rev().map(Duration::from_millis).collect();
        let found = [5, 50, 95, 100].map(|percent| quantile(&mut times, percent));
        assert_eq!(found, [1, 10, 19, 20].map(Duration::from_millis));
    }
}
