//! One process of a function, from its start to its end.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use contract::variable;
use tempfile::NamedTempFile;

use crate::runtime::{Runtime, Step};

/// What is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) file: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: Vec<(&'static str, OsString)>,
}

/// Where AWS is to be found.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    /// A PEM file, for TLS.
    pub(crate) roots: Option<PathBuf>,
}

pub(crate) struct Function {
    process: Child,
    runtime: Runtime,
    log: NamedTempFile,
    /// From the start of the process to its first request for an event.
    pub(crate) init: Duration,
}

impl Function {
    /// Starts a function, with nothing in its environment but what Lambda would tell it.
    pub(crate) fn start(program: &Program, aws: &Endpoint) -> anyhow::Result<Function> {
        let runtime = Runtime::serve()?;
        let log = NamedTempFile::new().context("make a log file")?;
        let mut command = Command::new(&program.file);
        command.args(&program.arguments);
        command.env_clear().envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            // As long as Lambda's.
            ("AWS_SESSION_TOKEN", &"SessionToken".repeat(70)),
            ("AWS_ENDPOINT_URL", &aws.url),
            (variable::BUCKET, "cloudpix-images-bench"),
            (variable::TABLE, "cloudpix-metadata"),
        ]);
        command.envs(aws.roots.as_ref().map(|roots| ("AWS_CA_BUNDLE", roots)));
        command.envs(program.variables.iter().map(|(name, value)| (name, value)));
        command.stdout(log.reopen()?).stderr(log.reopen()?);
        let started = Instant::now();
        let process = command.spawn().with_context(|| format!("start {}", program.file.display()))?;
        let mut function = Function { process, runtime, log, init: Duration::ZERO };
        function.init = function.waiting().map_err(|error| function.explain(error))? - started;
        Ok(function)
    }

    /// The answer to an event, and how long it took. Returns only once the function is idle again.
    pub(crate) fn answer(&self, event: &[u8]) -> anyhow::Result<(Duration, Vec<u8>)> {
        self.exchange(event).map_err(|error| self.explain(error))
    }

    fn exchange(&self, event: &[u8]) -> anyhow::Result<(Duration, Vec<u8>)> {
        self.runtime.hand_over(event)?;
        let (Step::Handed(handed), Step::Answered(answered, answer)) =
            (self.runtime.step()?, self.runtime.step()?)
        else {
            bail!("the function asked for two events at once");
        };
        self.waiting()?;
        Ok((answered - handed, answer))
    }

    fn waiting(&self) -> anyhow::Result<Instant> {
        match self.runtime.step()? {
            Step::Waiting(moment) => Ok(moment),
            other => bail!("the function did not ask for an event but {other:?}"),
        }
    }

    /// The most memory the process ever had, in bytes; only Linux tells.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    /// The CPU time that the process took so far, its children's too where they have ended; only
    /// Linux tells, in hundredths of a second.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        // The second field is a name in parentheses, which may hold anything. utime and stime are
        // the fields 14 and 15: <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
        let (_, fields) = stat.rsplit_once(") ")?;
        let ticks: u64 =
            fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Some(Duration::from_millis(ticks * 10))
    }

    /// Adds what the function wrote to its log, which is where it says what is wrong.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let log = File::open(self.log.path()).and_then(io::read_to_string).unwrap_or_default();
        if log.is_empty() { error } else { error.context(format!("the function's log:\n{log}")) }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // One that is gone already is fine.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
