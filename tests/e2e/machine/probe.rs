//! A package in which Cargo says what it was given.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::cloud::{root, text};

/// What decides how the repository is built, in a folder with a space in its name, and there a package whose build
/// script writes down what it was given.
pub struct Probe {
    folder: tempfile::TempDir,
}

const SCRIPT: &str = r#"
use std::{env, fs, process::Command};
fn main() {
    println!("cargo::rerun-if-env-changed=SEEN");
    let seen = |name: &str| format!("{name}={}", env::var(name).unwrap_or_default().replace('\u{1f}', " "));
    let mut lines = ["TARGET", "CARGO_ENCODED_RUSTFLAGS", "CARGO_CFG_TARGET_FEATURE", "CMAKE"].map(seen).to_vec();
    let cmake = Command::new(env::var("CMAKE").unwrap()).env("PATH", env::var("CMAKE_PATH").unwrap()).output();
    let cmake = cmake.unwrap();
    lines.push(format!("cmake={}", String::from_utf8([cmake.stdout, cmake.stderr].concat()).unwrap()));
    fs::write(env::var("SEEN").unwrap(), lines.join("\n")).unwrap();
}
"#;

impl Probe {
    pub fn new() -> Probe {
        let folder = tempfile::Builder::new().prefix("a folder").tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for part in [".cargo", "local", "src", ".local/cmake/bin", "system"] {
            std::fs::create_dir_all(at(part)).unwrap();
        }
        for file in ["Makefile", ".cargo/config.toml", "local/cmake", "local/cmake.txt"] {
            std::fs::copy(root().join(file), at(file)).unwrap();
        }
        let manifest =
            "[package]\nname = \"probe\"\nedition = \"2024\"\n[profile.local]\ninherits = \"dev\"\n";
        std::fs::write(at("Cargo.toml"), manifest).unwrap();
        std::fs::write(at("build.rs"), SCRIPT).unwrap();
        std::fs::write(at("src/lib.rs"), "").unwrap();
        Probe { folder }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program of that name that says who it is.
    pub fn program(&self, name: &str, says: &str) {
        std::fs::write(self.at(name), format!("#!/bin/sh\necho {says}\n")).unwrap();
        std::fs::set_permissions(self.at(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What the build script sees, a line each, where CMake is looked for in the folder `cmake`.
    pub fn seen(&self, mut command: Command, cmake: &str) -> String {
        let seen = tempfile::NamedTempFile::new().unwrap();
        command.current_dir(self.folder.path()).env("SEEN", seen.path()).env("CMAKE_PATH", self.at(cmake));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        std::fs::read_to_string(seen.path()).unwrap()
    }
}
