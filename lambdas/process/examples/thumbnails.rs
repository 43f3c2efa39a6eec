//! Makes the thumbnails of a file a number of times, each time in a child as the function does, and keeps the
//! largest; prints CPU milliseconds an image, bytes of the thumbnails, peak memory of this process and
//! a child in bytes, and CPU and wall milliseconds that a child needs to start. For `bench/thumbnails.py`.
#![expect(clippy::print_stdout, reason = "its output")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use nix::sys::resource::{UsageWho, getrusage};
use process::child;
use process::decoder::{Decoder, this_program};
use process::sandbox::Bounds;
use thumbnail::{Output, Settings};

/// The kernel counts memory in these.
const KB: u64 = 1024;
const BOUNDS: Bounds = Bounds { address_space: 1 << 30, cpu: 10 };

fn main() -> ExitCode {
    if let Some(bounds) = child::asked(std::env::args()) {
        return child::run(bounds, thumbnail::make);
    }
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(Ok(count)), Some(largest)) =
        (args.next(), args.next().map(|count| count.parse::<u32>()), args.next())
    else {
        println!("usage: thumbnails FILE COUNT LARGEST");
        return ExitCode::FAILURE;
    };
    match run(&file, count.max(1), &largest) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(file: &str, count: u32, largest: &str) -> anyhow::Result<String> {
    let settings = Settings {
        edges: vec![160, 480, 1280],
        format: Output::Webp,
        quality: 78,
        max_pixels: 100_000_000,
        max_memory: 200_000_000,
    };
    let bytes = std::fs::read(file).with_context(|| format!("read {file}"))?;
    let decoder = Decoder::new(this_program()?, BOUNDS);
    let mut size: usize = 0;
    // The first one warms up.
    let mut from = Duration::ZERO;
    for round in 0..=count {
        if round == 1 {
            from = cpu()?;
        }
        let until = Instant::now() + Duration::from_mins(1);
        let decoded = decoder.decode(bytes.clone(), &settings, until.into()).await?;
        let made = decoded.made.map_err(|cause| anyhow!(cause))?;
        size = made.thumbnails.iter().map(|thumbnail| thumbnail.bytes.len()).sum();
        if let (0, Some(thumbnail)) = (round, made.thumbnails.last()) {
            std::fs::write(largest, &thumbnail.bytes).with_context(|| format!("write {largest}"))?;
        }
    }
    let image = milliseconds(cpu()?.saturating_sub(from) / count);
    let peak = own_peak()? + u64::try_from(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())? * KB;

    let (from, began) = (cpu()?, Instant::now());
    for _ in 0..count {
        // What is no picture ends at once.
        decoder.decode(Vec::new(), &settings, (Instant::now() + Duration::from_mins(1)).into()).await?;
    }
    let (cpu, wall) =
        (milliseconds(cpu()?.saturating_sub(from) / count), milliseconds(began.elapsed() / count));
    Ok(format!("{image:.1} {size} {peak} {cpu:.2} {wall:.2}"))
}

/// Of all threads, and of all children that have ended.
fn cpu() -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;
        for time in [usage.user_time(), usage.system_time()] {
            sum += Duration::new(time.tv_sec().try_into()?, u32::try_from(time.tv_usec())? * 1000);
        }
    }
    Ok(sum)
}

/// The largest resident set that this process had, in bytes. What `getrusage` says is at least that of who started it.
fn own_peak() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    Ok(peak.context("no VmHWM in /proc/self/status")?.parse::<u64>()? * KB)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
