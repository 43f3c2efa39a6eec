//! A stack whose record lies in a bucket, for several machines.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{Stack, skipped, text};
use crate::proxy::{Call, Proxy, Verdict};

const BUCKET: &str = "team-state";

/// The same stack as another machine sees it: with the settings, and no state folder of its own.
fn machine(env: &'static str) -> Stack {
    let stack = Stack::new(env);
    let settings = format!(
        "[env.{env}]\nauth = \"api-key\"\npackage = \"zip\"\nstate.backend = \"s3://{BUCKET}-{env}/a/b\"\n"
    );
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

/// `arguments` on this machine, with its settings.
fn command(stack: &Stack, arguments: &[&str]) -> Command {
    let mut command = stack.provision(arguments);
    command.arg("--config").arg(stack.state.path().join("cloudpix.toml"));
    command
}

/// Waits for a call that `which` picks, and fails where there is none in time.
fn wait_for(proxy: &Proxy, what: &str, which: impl Fn(&Call) -> bool) {
    let began = Instant::now();
    while !proxy.calls().iter().any(&which) {
        assert!(began.elapsed() < Duration::from_mins(2), "no {what}: {:#?}", proxy.calls());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_run_that_slept_while_another_took_over_starts_nothing_more_and_touches_nothing_of_the_others() {
    if skipped() {
        return;
    }
    let (one, two) = (machine("slept"), machine("slept"));
    let bucket = format!("{BUCKET}-slept");
    one.emulator.witness(&["versioned_bucket", &bucket]);
    let (sleeper, other) = (Proxy::start(&one.emulator.endpoint), Proxy::start(&two.emulator.endpoint));
    let apply = ["apply", "--yes", "--parallelism", "1"];
    let is_lock = |call: &Call| call.operation.contains("/a/b/slept.lock");
    // Long enough to be stopped in.
    sleeper.judge(|call| {
        let slow = call.operation == "CreateRole";
        Verdict::After(Duration::from_millis(if slow { 1500 } else { 0 }))
    });
    // It holds the lock until the sleeper, awake again, has ended.
    let (ended, last) = (Arc::new(AtomicBool::new(false)), "POST /usageplans");
    let waited_for = ended.clone();
    other.judge(move |call| {
        let held = |call: &Call| call.operation == last && !waited_for.load(Ordering::SeqCst);
        while held(call) && call.at.elapsed() < Duration::from_mins(3) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Verdict::Pass
    });
    std::thread::scope(|scope| {
        let slept = scope.spawn(|| sleeper.run(&mut command(&one, &apply)));
        wait_for(&sleeper, "step", |call| call.operation == "CreateRole");
        sleeper.signal("STOP");
        let took_over = scope.spawn(|| other.run(&mut command(&two, &["apply", "--yes"])));
        wait_for(&other, "last step", |call| call.operation == last);
        let before = sleeper.calls().len();
        sleeper.signal("CONT");

        let (status, said) = slept.join().unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("another run has taken over the lock s3://team-state-slept/a/b/"), "{said}");
        assert!(
            said.contains("so this one starts nothing more with") && said.contains("steps to go"),
            "{said}"
        );
        let since: Vec<Call> = sleeper.calls().split_off(before);
        let begun = |call: &&Call| call.mutates() && !is_lock(call) && call.service != "iam";
        assert!(since.iter().any(is_lock), "it never looked: {since:#?}");
        assert_eq!(since.iter().filter(begun).count(), 0, "{since:#?}");
        assert!(!since.iter().any(|call| call.operation.starts_with("DELETE")), "{since:#?}");
        let objects = json!(["a/b/slept.json", "a/b/slept.lock"]);
        assert_eq!(one.emulator.witness(&["objects", &bucket]), objects, "they are the other's");
        ended.store(true, Ordering::SeqCst);

        let (status, said) = took_over.join().unwrap();
        assert!(status.success() && said.contains("the last run was broken off"), "{said}");
    });
    assert_eq!(one.emulator.witness(&["objects", &bucket]), json!(["a/b/slept.json"]));
    let (code, said) = run(&one, &["plan"]);
    assert_eq!(code, Some(0), "{said}");

    // The same in `destroy`, which would delete the state of a stack that is there again.
    sleeper.judge(|call| {
        let slow = call.operation == "DeleteTable";
        Verdict::After(Duration::from_millis(if slow { 1500 } else { 0 }))
    });
    other.judge(|_| Verdict::Pass);
    std::thread::scope(|scope| {
        let slept = scope.spawn(|| sleeper.run(&mut command(&one, &["destroy", "--yes"])));
        wait_for(&sleeper, "step", |call| call.operation == "DeleteTable");
        sleeper.signal("STOP");
        std::thread::sleep(Duration::from_secs(2));
        let (status, said) = other.run(&mut command(&two, &["apply", "--yes"]));
        assert!(status.success(), "{said}");
        sleeper.signal("CONT");
        let (status, said) = slept.join().unwrap();
        assert!(status.code() == Some(1) && said.contains("has taken over the lock"), "{said}");
    });
    assert_eq!(one.emulator.witness(&["objects", &bucket]), json!(["a/b/slept.json"]));
    let (code, said) = run(&two, &["destroy", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn an_answer_about_lock_or_state_that_gets_lost_is_no_other_run() {
    if skipped() {
        return;
    }
    let one = machine("deaf");
    let bucket = format!("{BUCKET}-deaf");
    one.emulator.witness(&["versioned_bucket", &bucket]);
    let proxy = Proxy::start(&one.emulator.endpoint);
    let ours = |call: &Call| call.mutates() && call.operation.contains("/a/b/deaf.");
    for arguments in [&["apply", "--yes"][..], &["destroy", "--yes"]] {
        // Of each two calls about the files the first is done and not answered; a call takes as long as two
        // signs of life.
        let count = AtomicUsize::new(0);
        proxy.judge(move |call| {
            if ours(call) && count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
                return Verdict::CutAfter;
            }
            let slow = ["CreateTable", "DeleteTable"].contains(&call.operation.as_str());
            Verdict::After(Duration::from_secs(if slow { 13 } else { 0 }))
        });
        let (status, said) = proxy.run(&mut command(&one, arguments));
        assert!(status.success(), "{said}");
        assert!(!said.contains("another run") && !said.contains("was broken off"), "{said}");
        let calls = proxy.calls();
        // Nobody looked at the lock second by second, to see whether its holder is alive.
        let begun = calls.iter().position(|call| call.mutates() && !ours(call)).unwrap();
        let looks = calls[..begun]
            .iter()
            .filter(|call| call.operation.starts_with("GET") && call.operation.contains("deaf.lock"));
        assert!(looks.count() < 5, "{:#?}", &calls[..begun]);
        let of = |verb: &str, file: &str| {
            let is = |call: &&Call| call.operation.starts_with(verb) && call.operation.contains(file);
            calls.iter().filter(is).count()
        };
        // Made, renewed twice, and deleted; each one heard the second time.
        assert!(of("PUT", "deaf.lock") >= 6 && of("DELETE", "deaf.lock") == 2, "{calls:#?}");
    }
    assert_eq!(one.emulator.witness(&["objects", &bucket]), json!([]));
}
