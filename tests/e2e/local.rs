//! The embedded AWS itself: what `make local` stands on.

use std::net::TcpListener;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cloud::{Emulator, Stack, emulator, root, skipped, text};
use crate::images::{pictures, send};

#[test]
fn killed_and_started_again_it_has_its_images() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let emulator: &'static Emulator = Box::leak(Box::new(Emulator::start(folder.path(), 0)));
    let mut stack = Stack { emulator, env: "killed", state: tempfile::tempdir().unwrap() };
    stack.json(&["apply", "--yes", "--package", "zip"]);
    let bytes = std::fs::read(&pictures()[0]).unwrap();
    let image = stack.outputs().post(&json!({"fileName": "a.jpg", "data": STANDARD.encode(&bytes)})).json();
    assert_eq!(image["status"], "ready", "{image}");

    let server: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("server.json")).unwrap()).unwrap();
    let killed = Command::new("kill").args(["-9", &server["pid"].to_string()]).status().unwrap();
    assert!(killed.success());
    let port = u16::try_from(server["port"].as_u64().unwrap()).unwrap();
    stack.emulator = Box::leak(Box::new(Emulator::start(folder.path(), port)));

    assert_eq!(
        stack.json(&["apply", "--yes", "--package", "zip"])["applied"],
        json!([]),
        "the stack changed"
    );
    let listed = stack.outputs().get("/list").json();
    assert_eq!(listed["images"][0]["imageId"], image["imageId"], "{listed}");
    let download = send("GET", listed["images"][0]["downloadUrl"].as_str().unwrap(), &[], b"");
    assert_eq!(download.body, bytes);
    stack.emulator.stop();
}

#[test]
fn a_port_in_use_is_refused_with_the_way_to_another() {
    if skipped() {
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output =
        emulator(["start", "--port", &port, "--dir", folder.path().to_str().unwrap()]).output().unwrap();
    let said = text(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(&format!("port {port}")) && said.contains("PORT="), "{said}");
}

#[test]
fn missing_python_or_rust_is_said_in_one_line() {
    for (target, tool) in [("local", "python3 is missing"), ("build", "Rust (cargo) is missing")] {
        let arguments = ["--silent", target, "PATH=/nonexistent", "PYTHON=python3"];
        let make = Command::new("make").args(arguments).current_dir(root()).output().unwrap();
        let said = text(&make);
        assert!(!make.status.success() && said.contains(tool) && said.contains("install"), "{said}");
    }
}
