//! Makes the thumbnails of a file a number of times; prints CPU milliseconds an image, bytes of the
//! thumbnails and peak memory in bytes. For `bench/thumbnails.py`.
#![expect(clippy::print_stdout, reason = "its output")]

use std::process::ExitCode;

use thumbnail::{Output, Settings, make};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(Ok(count))) = (args.next(), args.next().map(|count| count.parse::<u32>())) else {
        println!("usage: thumbnails FILE COUNT");
        return ExitCode::FAILURE;
    };
    match run(&file, count) {
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

fn run(file: &str, count: u32) -> Result<String, Box<dyn std::error::Error>> {
    let settings = Settings {
        edges: vec![160, 480, 1280],
        format: Output::Webp,
        quality: 78,
        max_pixels: 100_000_000,
        max_memory: 200_000_000,
    };
    let bytes = std::fs::read(file)?;
    let mut size: usize = 0;
    // The first one warms up.
    let mut from = 0;
    for round in 0..=count {
        if round == 1 {
            from = cpu_nanoseconds()?;
        }
        size = make(&bytes, &settings)?.thumbnails.iter().map(|thumbnail| thumbnail.bytes.len()).sum();
    }
    let spent = (cpu_nanoseconds()? - from) / u64::from(count.max(1));
    Ok(format!("{}.{:03} {size} {}", spent / 1_000_000, spent / 1000 % 1000, peak_bytes()?))
}

/// On a CPU, of the one thread there is: `schedstat` of `proc(5)`.
fn cpu_nanoseconds() -> Result<u64, Box<dyn std::error::Error>> {
    Ok(std::fs::read_to_string("/proc/self/schedstat")?.split(' ').next().unwrap_or_default().parse()?)
}

/// `VmHWM` of `proc_pid_status(5)`.
fn peak_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
