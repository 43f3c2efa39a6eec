//! What a child that decodes may not do. It takes all of this from itself before it reads a byte of the
//! picture, and cannot have it back.

use anyhow::Context;
use nix::sys::resource::{Resource, setrlimit};

#[cfg(target_os = "linux")]
mod filter;

/// Descriptors that are closed where `/proc` does not list those that are open.
const DESCRIPTORS: i32 = 1024;
/// Seconds between SIGXCPU, which says what happened, and SIGKILL, which nobody can ignore.
const LAST_SECONDS: u64 = 1;

/// What a child may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of address space, the program's own included.
    pub address_space: u64,
    /// Seconds of CPU.
    pub cpu: u64,
}

/// Takes from this process, for good, all that decoding does not need. Answers why the kernel refused
/// the filter of system calls, if it did: the limits hold without it.
///
/// # Errors
/// The kernel refuses a limit, which it never does to who lowers one.
pub fn enter(bounds: Bounds) -> anyhow::Result<Option<String>> {
    // Of all processes this is the one that a kernel out of memory should end.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    close_all();
    let limits = [
        (Resource::RLIMIT_AS, bounds.address_space, bounds.address_space),
        (Resource::RLIMIT_CPU, bounds.cpu, bounds.cpu + LAST_SECONDS),
        (Resource::RLIMIT_CORE, 0, 0),
        (Resource::RLIMIT_FSIZE, 0, 0),
        // Those that are open stay so, and there can be no other: no file, no socket.
        (Resource::RLIMIT_NOFILE, 0, 0),
        (Resource::RLIMIT_NPROC, 0, 0),
    ];
    for (resource, soft, hard) in limits {
        // macOS has more mapped into every process than any limit could allow.
        if resource == Resource::RLIMIT_AS && !cfg!(target_os = "linux") {
            continue;
        }
        setrlimit(resource, soft, hard).with_context(|| format!("set {resource:?}"))?;
    }
    #[cfg(target_os = "linux")]
    let filtered = filter::load();
    #[cfg(not(target_os = "linux"))]
    let filtered = Err::<(), _>(anyhow::anyhow!("not on Linux"));
    Ok(filtered.err().map(|error| error.root_cause().to_string()))
}

/// Closes what was handed down beside the three standard streams.
fn close_all() {
    let open: Option<Vec<i32>> = std::fs::read_dir("/proc/self/fd")
        .ok()
        .map(|entries| entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect());
    for descriptor in open.unwrap_or_else(|| (0..DESCRIPTORS).collect()) {
        if descriptor > 2 {
            // The folder's own is closed by now.
            nix::unistd::close(descriptor).ok();
        }
    }
}
