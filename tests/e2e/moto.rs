//! The same cycle on another emulator, which nobody of MiniStack's wrote: moto's server, control plane alone.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{bare, provision, resources, root, skipped, text};

struct Moto {
    server: Child,
    port: u16,
}

impl Moto {
    fn start() -> Moto {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = bare(root().join(".local/moto/bin/python"));
        command.arg(root().join("tests/e2e/moto_server.py")).arg(port.to_string());
        let server =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("`make test` installs moto");
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_mins(1), "moto does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        Moto { server, port }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_stack_on_another_emulator_comes_and_goes() {
    if skipped() {
        return;
    }
    let (moto, state) = (Moto::start(), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str], status: i32| {
        let mut command = provision(arguments);
        command.args(["--json", "--state-dir"]).arg(state.path());
        command
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", moto.port))
            .env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", text(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(run(&["plan", "--package", "zip"], 2)["changes"].as_array().unwrap().len(), resources());
    assert_eq!(
        run(&["apply", "--yes", "--package", "zip"], 0)["applied"].as_array().unwrap().len(),
        resources()
    );
    let plan = run(&["plan", "--package", "zip"], 0);
    assert_eq!((&plan["changes"], &plan["unchanged"]), (&json!([]), &json!(resources())), "{plan:#}");
    assert_eq!(run(&["apply", "--yes", "--package", "zip"], 0)["applied"], json!([]));
    run(&["destroy", "--yes"], 0);
    assert_eq!(run(&["plan", "--package", "zip"], 2)["unchanged"], 0);
}
