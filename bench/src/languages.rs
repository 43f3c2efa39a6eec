//! The same handler in Python and in JavaScript: how many requests each serves for a second of CPU
//! time, which is what Lambda bills.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::function::{Endpoint, Function, Program};
use crate::scenario::Scenario;

/// The kernel counts CPU time in hundredths of a second, so a language is asked for this long.
const ENOUGH: Duration = Duration::from_secs(2);
/// Requests before anything is counted, for just-in-time compilers and caches.
const WARM_UP: usize = 20;

/// Requests for a second of CPU time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Throughput {
    pub(crate) scenario: &'static str,
    pub(crate) cloudpix: f64,
    pub(crate) python: f64,
    pub(crate) node: f64,
}

/// `installed` is the folder that `make bench-languages` fills.
pub(crate) fn compare(
    scenario: &Scenario,
    folder: &Path,
    installed: &Path,
    aws: &Endpoint,
) -> anyhow::Result<Throughput> {
    let ours = Program { file: folder.join(scenario.function.name()), ..Program::default() };
    let python = Program {
        file: installed.join("python/bin/python"),
        arguments: ["-m", "awslambdaric", "app.handler"].map(Into::into).to_vec(),
        variables: vec![("PYTHONPATH", installed.join("python-app").into_os_string())],
    };
    let node = Program {
        file: installed.join("node/node"),
        arguments: vec![installed.join("node/runtime.mjs").into_os_string()],
        ..Program::default()
    };
    let throughput = |program: &Program| {
        throughput(program, scenario, aws).with_context(|| format!("ask {}", program.file.display()))
    };
    Ok(Throughput {
        scenario: scenario.name,
        cloudpix: throughput(&ours)?,
        python: throughput(&python)?,
        node: throughput(&node)?,
    })
}

fn throughput(program: &Program, scenario: &Scenario, aws: &Endpoint) -> anyhow::Result<f64> {
    let function = Function::start(program, aws)?;
    let ask = || -> anyhow::Result<()> {
        let (_, answer) = function.answer(&scenario.event)?;
        scenario.check(&answer)
    };
    (0..WARM_UP).try_for_each(|_| ask())?;
    let cpu_time = || function.cpu_time().context("read the CPU time of a process; only Linux tells");
    let began = cpu_time()?;
    let mut requests = 0.0;
    loop {
        ask()?;
        requests += 1.0;
        let spent = cpu_time()?.saturating_sub(began);
        if spent >= ENOUGH {
            return Ok(requests / spent.as_secs_f64());
        }
    }
}
