//! The child of the tests. It is the real one, but that a picture which ends in a NUL and a word does to it
//! what the word says, as a decoder might that the picture has taken over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and end")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, ExitCode};
use std::thread;

use nix::sys::resource::{Resource, setrlimit};
use process::child;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use thumbnail::{Made, Settings, Unmade};

fn main() -> ExitCode {
    // As a link of that name.
    if std::env::args().next().is_some_and(|name| name.ends_with("on-an-old-kernel")) {
        forget_seccomp();
    }
    match child::asked(std::env::args()) {
        Some(bounds) => child::run(bounds, make),
        None => ExitCode::FAILURE,
    }
}

/// Makes the kernel one that has no filters.
fn forget_seccomp() {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let rules = BTreeMap::from([(libc::SYS_seccomp, Vec::new())]);
    let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

fn make(bytes: &[u8], settings: &Settings) -> Result<Made, Unmade> {
    let word = bytes.iter().rposition(|byte| *byte == 0).map(|at| &bytes[at + 1..]);
    match word.map(str::from_utf8) {
        Some(Ok("panic")) => panic!("the picture's\x1b[2Jdoing"),
        Some(Ok("abort")) => std::process::abort(),
        Some(Ok("overflow")) => Err(Unmade::Damaged(deeper(1).to_string())),
        Some(Ok("exit")) => std::process::exit(0),
        Some(Ok("loop")) => spin(),
        Some(Ok("allocate")) => Err(Unmade::Damaged(allocate().to_string())),
        Some(Ok("garbage")) => {
            write(std::io::stdout(), b"\x07\0\0\0garbage")?;
            spin()
        }
        Some(Ok("long frame")) => {
            write(std::io::stdout(), &[0xff; 64])?;
            std::process::exit(0)
        }
        Some(Ok("half a frame")) => {
            write(std::io::stdout(), b"\xff\0\0\0{\"unmade\":")?;
            std::process::exit(0)
        }
        Some(Ok("flood")) => loop {
            write(std::io::stdout(), &[b' '; 4096])?;
        },
        Some(Ok("complain")) => loop {
            write(std::io::stderr(), &[b'x'; 4096])?;
        },
        Some(Ok("probe")) => Err(Unmade::Damaged(probe())),
        _ => thumbnail::make(bytes, settings),
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn allocate() -> usize {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(vec![1; 1 << 20]);
        if std::hint::black_box(&all).len() > 1 << 20 {
            return all.len();
        }
    }
}

fn deeper(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 512]);
    if depth == u64::MAX { here[0] } else { deeper(depth + 1) + here[511] }
}

fn write(mut to: impl Write, bytes: &[u8]) -> Result<(), Unmade> {
    to.write_all(bytes).and_then(|()| to.flush()).map_err(|error| Unmade::Damaged(error.to_string()))
}

/// The error number of each attempt, 0 where it came through.
fn probe() -> String {
    let number = |error: std::io::Error| error.raw_os_error().unwrap_or(-1);
    let errors = [
        ("variables", i32::try_from(std::env::vars_os().count()).unwrap_or(-1)),
        ("read", std::fs::File::open("/proc/self/environ").map_or_else(number, |_| 0)),
        ("write", std::fs::write("/tmp/written by a child", "").map_or_else(number, |()| 0)),
        ("socket", UdpSocket::bind("127.0.0.1:0").map_or_else(number, |_| 0)),
        ("program", Command::new("/bin/true").spawn().map_or_else(number, |_| 0)),
        ("thread", thread::Builder::new().spawn(|| ()).map_or_else(number, |_| 0)),
        ("limit", setrlimit(Resource::RLIMIT_CORE, 0, 0).map_or_else(|error| error as i32, |()| 0)),
    ];
    errors.map(|(name, error)| format!("{name} {error}")).join(", ")
}
