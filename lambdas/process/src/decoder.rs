//! The parent's side: starts children, hands them pictures, and believes nothing that they answer.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::pending;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use catalog::log;
use serde::de::DeserializeOwned;
use thumbnail::{Facts, Made, Settings};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout, timeout_at};

use crate::child::FLAG;
use crate::sandbox::Bounds;
use crate::wire::{self, Answer, Greeting, Job, Told, plain};

/// What decoding takes beside the picture's bytes and what the decoder holds: the program, and the
/// thumbnails.
const CHILD_BASE: u64 = 48 << 20;
/// As large as the kernel lets anybody have one: fewer turns between parent and child.
#[cfg(target_os = "linux")]
const PIPE_BYTES: i32 = 1 << 20;
/// Has glibc ask for pages of 2 MB, of which a picture needs ten and not five thousand; other C libraries do not
/// know it ([glibc manual](https://sourceware.org/glibc/manual/2.40/html_node/Memory-Allocation-Tunables.html)).
const HUGE_PAGES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
/// How long a child may take to greet. It needs some milliseconds.
const START: Duration = Duration::from_secs(5);
/// How long a child that broke off may take to end, and what it said to arrive.
const END: Duration = Duration::from_millis(200);
/// Bytes of what a child says on its way out.
const LAST_WORDS: usize = 4096;

/// Decodes pictures in children, one in each.
#[derive(Debug)]
pub struct Decoder {
    program: PathBuf,
    bounds: Bounds,
    /// A child that waits for its picture. It has seen none.
    spare: RefCell<Option<Started>>,
    warned: Cell<bool>,
}

#[derive(Debug)]
struct Started {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    errors: ChildStderr,
    greeted: bool,
}

/// What there is to know of a picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    pub facts: Facts,
    /// Or why there are none, in words for a log.
    pub made: Result<Made, String>,
}

/// This program, whatever its file is called and even if it has none any more.
///
/// # Errors
/// A system without `/proc` does not know.
pub fn this_program() -> anyhow::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().context("find this program")
}

impl Decoder {
    /// `program` is one that calls [`crate::child::run`] where [`crate::child::asked`] says so.
    pub fn new(program: impl Into<PathBuf>, bounds: Bounds) -> Decoder {
        Decoder { program: program.into(), bounds, spare: RefCell::default(), warned: Cell::default() }
    }

    /// Starts a child, if none waits, for the picture that is going to come.
    ///
    /// # Errors
    /// No process can be started.
    pub fn prepare(&self) -> anyhow::Result<()> {
        if self.spare.borrow().is_none() {
            let started = self.start()?;
            self.spare.replace(Some(started));
        }
        Ok(())
    }

    /// Makes sure that there is a child that waits.
    ///
    /// # Errors
    /// None can be started, or what is started does not greet.
    pub async fn warm(&self) -> anyhow::Result<()> {
        let child = self.child().await?;
        self.spare.replace(Some(child));
        Ok(())
    }

    /// Has a picture decoded until `until` at the latest. Whatever it does to its child is an answer.
    ///
    /// # Errors
    /// No child could be started.
    pub async fn decode(
        &self,
        bytes: Vec<u8>,
        settings: &Settings,
        until: Instant,
    ) -> anyhow::Result<Decoded> {
        let Started { mut process, mut input, mut output, mut errors, .. } = self.child().await?;
        let taken = CHILD_BASE + bytes.len() as u64;
        let max_memory = settings.max_memory.min(self.bounds.address_space.saturating_sub(taken));
        let job = wire::frame(&Job::new(&Settings { max_memory, ..settings.clone() }, bytes.len()))?;
        let began = Instant::now();
        let (mut facts, mut last_words) = (Facts::default(), Vec::new());
        // A child may answer before it has read everything, or end.
        let send = async {
            if input.write_all(&job).await.is_ok() {
                input.write_all(&bytes).await.ok();
            }
            drop((input, bytes));
        };
        let answer = async {
            facts = receive::<Told>(&mut output).await?.checked();
            answered(&mut output, settings).await
        };
        let first = async {
            tokio::select! {
                answer = answer => answer,
                never = then_never(send) => match never {},
                never = then_never(listen(&mut errors, &mut last_words)) => match never {},
            }
        };
        let made = match timeout_at(until, first).await {
            Ok(Ok(made)) => made,
            Ok(Err(wrong)) => {
                // What broke off shows in how it ends, unless it goes on.
                let ended = timeout(END, process.wait()).await.ok().and_then(Result::ok);
                process.start_kill().ok();
                timeout(END, listen(&mut errors, &mut last_words)).await.ok();
                Err(self.end(ended, &wrong, &String::from_utf8_lossy(&last_words)))
            }
            Err(_) => Err(format!("its decoder was not done after {} ms", began.elapsed().as_millis())),
        };
        // Whatever it is up to now.
        process.kill().await.ok();
        Ok(Decoded { facts, made })
    }

    /// The child that waits, or a new one.
    async fn child(&self) -> anyhow::Result<Started> {
        if let Some(mut spare) = self.spare.take()
            && spare.process.try_wait().is_ok_and(|ended| ended.is_none())
            && self.greet(&mut spare).await.is_ok()
        {
            return Ok(spare);
        }
        let mut started = self.start()?;
        self.greet(&mut started).await?;
        Ok(started)
    }

    fn start(&self) -> anyhow::Result<Started> {
        let mut command = Command::new(&self.program);
        let Bounds { address_space, cpu } = self.bounds;
        command.arg(FLAG).args([address_space.to_string(), cpu.to_string()]);
        // Credentials are in the environment.
        command.env_clear().env(HUGE_PAGES.0, HUGE_PAGES.1).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("start {}", self.program.display()))?;
        let streams = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(input), Some(output), Some(errors)) = streams else {
            bail!("start {}: no pipes", self.program.display());
        };
        // Where it may not be as large, it is as large as before.
        #[cfg(target_os = "linux")]
        nix::fcntl::fcntl(&input, nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE_BYTES)).ok();
        Ok(Started { process, input, output, errors, greeted: false })
    }

    async fn greet(&self, started: &mut Started) -> anyhow::Result<()> {
        if started.greeted {
            return Ok(());
        }
        let greeting = timeout(START, receive::<Greeting>(&mut started.output)).await;
        let greeting = greeting.map_err(anyhow::Error::from).and_then(|greeting| greeting);
        let Greeting { unfiltered } =
            greeting.with_context(|| format!("hear of {} as a child", self.program.display()))?;
        started.greeted = true;
        if let Some(cause) = unfiltered
            && !self.warned.replace(true)
        {
            log::failure(&anyhow!(
                "pictures are decoded without a filter of system calls: {}",
                plain(&cause)
            ));
        }
        Ok(())
    }

    /// In words for a log, how a child ended, or why it had to.
    fn end(&self, ended: Option<ExitStatus>, wrong: &anyhow::Error, last_words: &str) -> String {
        let how = match (ended.and_then(|status| status.signal()), ended.and_then(|status| status.code())) {
            (Some(libc::SIGXCPU), _) => format!("its decoder took more than {} s of CPU", self.bounds.cpu),
            (Some(signal), _) => format!("its decoder died of signal {signal}"),
            (_, Some(code @ 1..)) => format!("its decoder ended with code {code}"),
            _ => format!("its decoder gave no answer: {wrong:#}"),
        };
        if last_words.is_empty() { how } else { format!("{how}: {}", plain(last_words)) }
    }
}

/// What the child answers beside facts.
async fn answered(
    output: &mut (impl AsyncRead + Unpin),
    settings: &Settings,
) -> anyhow::Result<Result<Made, String>> {
    let answer: Answer = receive(output).await?;
    let sizes = match answer.sizes(settings).map_err(anyhow::Error::msg)? {
        Ok(sizes) => sizes,
        Err(cause) => return Ok(Err(cause)),
    };
    let mut files = Vec::with_capacity(sizes.len());
    for size in sizes {
        let mut file = vec![0; size];
        output.read_exact(&mut file).await.context("read a thumbnail")?;
        files.push(file);
    }
    answer.made(files, settings).map(Ok).map_err(anyhow::Error::msg)
}

async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> anyhow::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await.context("read a length")?;
    let mut json = vec![0; wire::length(head).context("a frame is too long")?];
    from.read_exact(&mut json).await.context("read a frame")?;
    serde_json::from_slice(&json).context("parse a frame")
}

/// Hears all that a child says, lest it waits to be heard, and keeps the beginning.
async fn listen(errors: &mut ChildStderr, kept: &mut Vec<u8>) {
    let mut some = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut some).await {
        kept.extend(&some[..read.min(LAST_WORDS.saturating_sub(kept.len()))]);
    }
}

async fn then_never(something: impl Future<Output = ()>) -> Infallible {
    something.await;
    pending().await
}
