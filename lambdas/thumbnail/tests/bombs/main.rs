//! Files of up to 4 MiB that cost all they can: none takes more than ten seconds of CPU or 400 MiB,
//! with the settings that CloudPix has by default. Each is made here, and decoded by a process of its
//! own, whose figures the kernel keeps.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on should say where and end; what each bomb takes is worth seeing"
)]

mod bitmaps;
mod jpeg;
mod png;
mod tiff;
mod webp;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use thumbnail::{Output, Settings, facts, make};

const MAX_BYTES: usize = 4 << 20;
const MAX_SECONDS: f64 = 10.0;
const MAX_MEMORY: u64 = 400 << 20;
const CHILD: &str = "CLOUDPIX_BOMB";

type Bomb = (&'static str, fn() -> Vec<u8>);

/// As `process` has them with 1,024 MiB of memory.
fn settings() -> Settings {
    Settings {
        edges: vec![160, 480, 1280],
        format: Output::Webp,
        quality: 78,
        max_pixels: 100_000_000,
        max_memory: ((1024 - 48) / 3) << 20,
    }
}

/// What a process has taken so far: seconds of CPU, and bytes of memory at its peak.
#[derive(Debug, Default, Clone, Copy)]
struct Taken {
    seconds: f64,
    peak: u64,
}

impl Taken {
    /// `proc_pid_stat(5)` and `proc_pid_status(5)`; nothing of a process that has ended.
    fn by(process: &str) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let times = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
        let ticks: f64 = times.filter_map(|time| time.parse::<f64>().ok()).sum();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().ok()?;
        Some(Self { seconds: ticks / 100.0, peak: peak * 1024 })
    }

    fn too_much(self) -> bool {
        self.seconds > MAX_SECONDS || self.peak > MAX_MEMORY
    }
}

/// Does the work in the process that `check` starts, and nothing in any other.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap();
    facts(&bytes);
    let made = make(&bytes, &settings()).map(|made| made.thumbnails.len());
    let taken = Taken::by("self").unwrap();
    let text = format!("{made:?}");
    println!("\nbomb {} {} {}", taken.seconds, taken.peak, text.chars().take(150).collect::<String>());
}

fn start(bytes: &[u8]) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child
}

/// Follows the child, and ends it when it has taken too much.
fn run(bytes: &[u8]) -> Result<(Taken, String), String> {
    let mut child = start(bytes);
    let process = child.id().to_string();
    let mut last = Taken::default();
    loop {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        last = Taken::by(&process).unwrap_or(last);
        if last.too_much() {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("was ended at {last:?}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    let told = output.lines().find_map(|line| line.strip_prefix("bomb ")).ok_or("died")?;
    let mut words = told.splitn(3, ' ');
    let seconds = words.next().unwrap().parse().unwrap();
    let peak = words.next().unwrap().parse().unwrap();
    let taken = Taken { seconds, peak };
    if taken.too_much() {
        Err(format!("took {taken:?}"))
    } else {
        Ok((taken, words.next().unwrap().to_owned()))
    }
}

fn check(bombs: &[Bomb]) {
    let mut wrong = Vec::new();
    for (name, make) in bombs {
        let bytes = make();
        assert!(bytes.len() <= MAX_BYTES, "{name} has {} bytes", bytes.len());
        let told = match run(&bytes) {
            Ok((taken, told)) => format!("{:6.2} s {:4} MiB {told}", taken.seconds, taken.peak >> 20),
            Err(why) => {
                wrong.push(format!("{name} {why}"));
                why
            }
        };
        println!("{name:44} {:8} bytes {told}", bytes.len());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_jpeg_takes_too_much() {
    check(&jpeg::BOMBS);
}

#[test]
fn no_png_takes_too_much() {
    check(&png::BOMBS);
}

#[test]
fn no_bitmap_and_no_gif_takes_too_much() {
    check(&bitmaps::BOMBS);
}

#[test]
fn no_webp_takes_too_much() {
    check(&webp::BOMBS);
}

#[test]
fn no_tiff_and_no_exif_takes_too_much() {
    check(&tiff::BOMBS);
}

/// A bomb that took too much would be seen: this one does.
#[test]
fn what_takes_too_much_is_ended() {
    assert!(Taken { seconds: MAX_SECONDS + 0.1, peak: 0 }.too_much());
    assert!(Taken { seconds: 0.0, peak: MAX_MEMORY + 1 }.too_much());
    let (taken, told) = run(&jpeg::plain()).unwrap();
    assert!(taken.peak > 1 << 20 && told.contains("Ok(1)"), "{told}");
}
