//! A stack whose record lies in a bucket, for several machines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{Stack, skipped, text};

const BUCKET: &str = "team-state";

/// The same stack as another machine sees it: with the settings, and no state folder of its own.
fn machine(env: &'static str) -> Stack {
    let stack = Stack::new(env);
    let settings = format!("[env.{env}]\npackage = \"zip\"\nstate.backend = \"s3://{BUCKET}-{env}/a/b\"\n");
    std::fs::write(stack.state.path().join("cloudpix.toml"), settings).unwrap();
    stack
}

fn run(stack: &Stack, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = stack.provision(arguments);
    let output = command.arg("--config").arg(stack.state.path().join("cloudpix.toml")).output().unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn a_team_shares_one_record_and_only_one_changes_the_stack_at_a_time() {
    if skipped() {
        return;
    }
    let (one, two) = (machine("team"), machine("team"));
    let bucket = format!("{BUCKET}-team");
    let (code, said) = run(&one, &["apply", "--yes"]);
    assert!(code == Some(1) && said.contains(&bucket), "{said}");
    one.emulator.witness(&["versioned_bucket", &bucket]);

    let (code, said) = run(&one, &["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(one.emulator.witness(&["objects", &bucket]), json!(["a/b/team.json"]), "the lock is let go");
    assert!(!one.state_file().exists() && !two.state_file().exists());
    let (code, said) = run(&two, &["plan"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&two, &["outputs"]);
    assert!(code == Some(0) && said.contains("cloudpix-team-images-"), "{said}");

    // Somebody else, alive.
    let claim = |renewal: usize| -> Value {
        let holder = json!({ "user": "aoi", "host": "desk", "process": 7, "since": "2026-11-23T04:05:06Z" });
        json!({ "holder": holder, "renewal": renewal })
    };
    let write = |renewal| {
        one.emulator.witness(&["write", &bucket, "a/b/team.lock", &claim(renewal).to_string()]);
    };
    write(0);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for renewal in 1.. {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                write(renewal);
                std::thread::sleep(Duration::from_secs(2));
            }
        });
        let (code, said) = run(&two, &["apply", "--yes"]);
        ended.store(true, Ordering::Relaxed);
        assert!(
            code == Some(1) && said.contains("aoi on desk, process 7, since 2026-11-23T04:05:06Z"),
            "{said}"
        );
    });
    // Nobody renews it any more.
    let began = Instant::now();
    let (code, said) = run(&two, &["apply", "--yes"]);
    assert!(code == Some(0) && said.contains("the last run was broken off (aoi on desk"), "{said}");
    assert!(began.elapsed() > Duration::from_secs(15), "a lock is not taken over in a hurry");

    let (code, said) = run(&two, &["destroy", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(one.emulator.witness(&["objects", &bucket]), json!([]));
}
