//! Tells `provision --version` which commit it was built from.
//!
//! Only `provision` has this: a function's binary must stay the same, and with it the digest of its image, as long as
//! nothing that it is made of changes.

use std::process::Command;

fn main() {
    // Sources that were unpacked inside somebody else's repository are of none of its commits.
    let commit = git(&["ls-files", "--error-unmatch", "Cargo.toml"]).and_then(|_| {
        // The log of HEAD grows with each commit, checkout and reset, of this working tree and no other.
        for path in ["HEAD", "logs/HEAD"] {
            let path = git(&["rev-parse", "--git-path", path])?;
            // Cargo takes a file that is not there for one that has changed, and would build anew each time.
            if std::path::Path::new(&path).exists() {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        let commit = git(&["log", "-1", "--format=%h, %cs", "--abbrev=7"])?;
        let dirty = !git(&["status", "--porcelain", "--", "."])?.is_empty();
        Some(if dirty { commit.replacen(',', "-dirty,", 1) } else { commit })
    });
    // Named here, this folder's sources are looked at for what is not committed; and without a repository, too.
    for path in ["build.rs", "Cargo.toml", "src"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    println!("cargo::rustc-env=PROVISION_COMMIT={commit}");
}

/// What Git answers, trimmed; `None` where it answers an error or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
