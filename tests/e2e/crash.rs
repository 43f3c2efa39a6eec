//! Killed before and after every call to AWS, or left without its answer: the next run converges, with
//! one of each resource and nothing besides, as boto3 counts them.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use contract::Function;
use serde_json::{Value, json};

use crate::cloud::{Emulator, Stack, skipped};
use crate::proxy::{Call, Proxy, Verdict};

/// An emulator of its own behind a proxy, and a witness that stays.
pub struct Lab {
    pub stack: Stack,
    pub proxy: Proxy,
    functions: tempfile::TempDir,
    /// Settings other than those of most tests.
    settings: Option<PathBuf>,
    witness: (Child, ChildStdin, BufReader<ChildStdout>),
}

impl Lab {
    pub fn new(env: &'static str) -> Lab {
        let folder = tempfile::Builder::new().prefix("cloudpix-e2e-").tempdir().unwrap().keep();
        let emulator: &'static Emulator = Box::leak(Box::new(Emulator::start(&folder, 0)));
        Lab::on(emulator, env)
    }

    /// A lab on the emulator that disturbed stacks share. Their many calls would push those of other tests out of the
    /// record of calls, which has room for so many, so they are not on the emulator that those share.
    pub fn shared(env: &'static str) -> Lab {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        let folder = || tempfile::Builder::new().prefix("cloudpix-e2e-").tempdir().unwrap().keep();
        Lab::on(SHARED.get_or_init(|| Emulator::start(&folder(), 0)), env)
    }

    /// With settings of its own.
    fn with(mut self, settings: &str) -> Lab {
        let path = self.functions.path().join("cloudpix.toml");
        std::fs::write(&path, settings).unwrap();
        self.settings = Some(path);
        self
    }

    fn on(emulator: &'static Emulator, env: &'static str) -> Lab {
        let functions = tempfile::tempdir().unwrap();
        for function in Function::ALL {
            std::fs::write(functions.path().join(function.name()), smallest_elf()).unwrap();
        }
        let mut child =
            emulator.witness_command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let witness = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Lab {
            stack: Stack { emulator, env, state: tempfile::tempdir().unwrap() },
            proxy: Proxy::start(&emulator.endpoint),
            functions,
            settings: None,
            witness: (child, witness.0, witness.1),
        }
    }

    pub fn ask(&mut self, question: &[&str]) -> Value {
        writeln!(self.witness.1, "{}", json!(question)).unwrap();
        let mut answer = String::new();
        self.witness.2.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("witness {question:?}: {answer}"))
    }

    pub fn census(&mut self) -> Value {
        self.ask(&["census", &format!("cloudpix-{}", self.stack.env)])
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stack.provision(arguments);
        command.env("CLOUDPIX_FUNCTIONS", self.functions.path());
        command.args(self.settings.iter().flat_map(|path| ["--config".as_ref(), path.as_os_str()]));
        command
    }

    /// Runs what must succeed, undisturbed.
    pub fn passes(&self, arguments: &[&str]) {
        self.proxy.judge(|_| Verdict::Pass);
        let (status, said) = self.proxy.run(&mut self.command(arguments));
        assert!(status.success(), "{arguments:?}: {status}\n{said}");
    }

    /// Disturbs the `n`th of the calls that `which` picks. Answers whether there was one.
    fn disturbed(&self, arguments: &[&str], verdict: &Verdict, n: usize, which: fn(&Call) -> bool) -> bool {
        let (seen, verdict) = (AtomicUsize::new(0), verdict.clone());
        self.proxy.judge(move |call| {
            let hit = which(call) && seen.fetch_add(1, Ordering::SeqCst) == n;
            if hit { verdict.clone() } else { Verdict::Pass }
        });
        let (status, said) = self.proxy.run(&mut self.command(arguments));
        let calls = self.proxy.calls();
        let hit = calls.iter().filter(|call| which(call)).count() > n;
        let killed = status.signal() == Some(9);
        assert!(killed || status.success(), "{arguments:?}, call {n}: {status}\n{said}\n{calls:#?}");
        hit
    }

    /// Disturbs every call of `apply` and of `destroy`, one a run, and answers how many there were.
    fn disturb_all(&mut self, verdict: &Verdict, which: fn(&Call) -> bool, stride: usize) -> (usize, usize) {
        self.passes(APPLY);
        let whole = self.census();
        self.passes(DESTROY);
        assert_eq!(self.census(), json!([]));
        let mut counts = (None, None);
        for n in (0..).step_by(stride) {
            if counts.0.is_some() && counts.1.is_some() {
                break;
            }
            if counts.0.is_none() && !self.disturbed(APPLY, verdict, n, which) {
                counts.0 = Some(n);
            }
            self.passes(APPLY);
            assert_eq!(self.census(), whole, "after {verdict:?} at call {n} of apply");
            if counts.1.is_none() && !self.disturbed(DESTROY, verdict, n, which) {
                counts.1 = Some(n);
            }
            self.passes(DESTROY);
            assert_eq!(self.census(), json!([]), "after {verdict:?} at call {n} of destroy");
            assert!(!self.stack.state_file().exists(), "a state file is left");
        }
        (counts.0.unwrap(), counts.1.unwrap())
    }
}

/// A static ELF binary that does nothing, since nothing runs it: a header and one segment.
/// What is packed and pushed in no time leaves the time to the calls.
fn smallest_elf() -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    file.extend([0u64, 64, 0].map(u64::to_le_bytes).concat());
    file.extend([0, 0, 64, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
    file.extend(1u32.to_le_bytes());
    file.resize(64 + 56, 0);
    file
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.witness.0.kill();
        let _ = self.witness.0.wait();
    }
}

pub const APPLY: &[&str] = &["apply", "--yes", "--package", "image"];
pub const DESTROY: &[&str] = &["destroy", "--yes"];

/// Then neither file nor tag says what the suffix was, and what is saved on the way must still be a record.
#[test]
fn destroy_without_state_and_bucket_can_be_killed_and_run_again() {
    if skipped() {
        return;
    }
    let mut lab = Lab::shared("bare");
    lab.passes(APPLY);
    std::fs::remove_file(lab.stack.state_file()).unwrap();
    lab.ask(&["drop_buckets", "cloudpix-bare-images-"]);
    // Roles go when the API, whose id is in the record, is gone.
    let hit = lab.disturbed(DESTROY, &Verdict::KillBefore, 0, |call| call.operation == "DeleteRole");
    assert!(hit && lab.stack.state_file().exists());
    lab.passes(DESTROY);
    assert_eq!(lab.census(), json!([]));
}

/// A kill at a read leaves what a kill at the change before it left, unless all are asked for.
fn which() -> fn(&Call) -> bool {
    if std::env::var_os("CLOUDPIX_KILL_READS").is_some() { |_| true } else { Call::mutates }
}

/// At every call in CI, by `CLOUDPIX_KILLS=all`; at one in sixteen where somebody waits.
fn stride() -> usize {
    if std::env::var("CLOUDPIX_KILLS").as_deref() == Ok("all") { 1 } else { 16 }
}

fn kill_everywhere(env: &'static str, verdict: &Verdict) {
    if skipped() {
        return;
    }
    let begin = Instant::now();
    let mut lab = Lab::new(env);
    let (apply, destroy) = lab.disturb_all(verdict, which(), stride());
    eprintln!("{verdict:?}: {apply} points of apply, {destroy} of destroy, {:?}", begin.elapsed());
    assert!(apply >= 80 && destroy >= 15, "{apply}, {destroy}");
    lab.stack.emulator.stop();
}

#[test]
fn killed_before_any_call_the_next_run_converges() {
    kill_everywhere("before", &Verdict::KillBefore);
}

#[test]
fn killed_after_any_call_the_next_run_converges() {
    kill_everywhere("after", &Verdict::KillAfter);
}

/// AWS did it, and the connection broke: the SDK, or `provision`, tries again and is told that it exists.
#[test]
fn an_answer_that_gets_lost_is_no_failure_and_makes_nothing_twice() {
    kill_everywhere("unheard", &Verdict::CutAfter);
}

/// What Cognito is asked to change takes no token, and neither does an authorizer.
#[test]
fn what_people_sign_in_by_is_made_once_wherever_a_run_breaks_off() {
    if skipped() {
        return;
    }
    let which = |call: &Call| {
        call.mutates() && (call.service == "cognito-idp" || call.operation.contains("authorizers"))
    };
    let mut lab = Lab::new("signed").with("[defaults]\nauth = \"users\"\n");
    for verdict in [Verdict::KillBefore, Verdict::KillAfter, Verdict::CutAfter] {
        let (apply, destroy) = lab.disturb_all(&verdict, which, stride().min(4));
        eprintln!("{verdict:?}: {apply} points of apply, {destroy} of destroy");
        assert!(apply >= 4 && destroy >= 4, "{apply}, {destroy}");
    }
    lab.stack.emulator.stop();
}
