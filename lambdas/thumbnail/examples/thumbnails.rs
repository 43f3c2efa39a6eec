//! Makes the thumbnails of a file a number of times and keeps the largest; prints CPU milliseconds an
//! image, bytes of the thumbnails and peak memory in bytes. For `bench/thumbnails.py`.
#![expect(clippy::print_stdout, reason = "its output")]

use std::process::ExitCode;

use thumbnail::{Output, Settings, make};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(Ok(count)), Some(largest)) =
        (args.next(), args.next().map(|count| count.parse::<u32>()), args.next())
    else {
        println!("usage: thumbnails FILE COUNT LARGEST");
        return ExitCode::FAILURE;
    };
    match run(&file, count, &largest) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &str, count: u32, largest: &str) -> Result<String, Box<dyn std::error::Error>> {
    let settings = Settings {
        edges: vec![160, 480, 1280],
        format: Output::Webp,
        quality: 78,
        max_pixels: 100_000_000,
        max_memory: 200_000_000,
    };
    thumbnail::keep_freed_memory();
    let bytes = std::fs::read(file)?;
    let mut size: usize = 0;
    // The first one warms up.
    let mut from = 0;
    for round in 0..=count {
        if round == 1 {
            from = cpu_ticks()?;
        }
        let made = make(&bytes, &settings)?;
        size = made.thumbnails.iter().map(|thumbnail| thumbnail.bytes.len()).sum();
        if let (0, Some(thumbnail)) = (round, made.thumbnails.last()) {
            std::fs::write(largest, &thumbnail.bytes)?;
        }
    }
    let milliseconds = (cpu_ticks()? - from) * 10;
    let count = u64::from(count.max(1));
    Ok(format!("{}.{} {size} {}", milliseconds / count, milliseconds * 10 / count % 10, peak_bytes()?))
}

/// Hundredths of a second on a CPU, of all threads, since the JPEG decoder has some of its own: `utime`
/// and `stime` of `proc_pid_stat(5)`.
fn cpu_ticks() -> Result<u64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let times: Result<Vec<u64>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(times?.iter().sum())
}

/// `VmHWM` of `proc_pid_status(5)`.
fn peak_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
