//! New code, and the way back from it.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::cloud::{Stack, binaries, functions, skipped, text};
use crate::proxy::{Proxy, Verdict};

/// A folder of functions that may be told apart from those that were built.
struct Build {
    folder: tempfile::TempDir,
}

impl Build {
    fn new() -> Build {
        let folder = tempfile::tempdir().unwrap();
        for name in functions() {
            std::fs::copy(binaries().join(name), folder.path().join(name)).unwrap();
        }
        Build { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A function that works as before and has other bytes: the loader does not read past the end.
    fn change(&self, name: &str) {
        let mut file = std::fs::File::options().append(true).open(self.path().join(name)).unwrap();
        file.write_all(b"x").unwrap();
    }

    /// An upload function that starts and answers, and takes no upload: it is the list function.
    fn break_upload(&self) {
        std::fs::copy(binaries().join("list"), self.path().join("upload")).unwrap();
    }
}

impl Stack {
    fn deploy(&self, build: &Build, arguments: &[&str]) -> Command {
        let mut command = self.provision(&["deploy"]);
        command.args(arguments).arg("--functions").arg(build.path());
        command
    }

    fn deployed(&self, build: &Build, arguments: &[&str]) -> Value {
        let output = self.deploy(build, arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn alias(&self, function: &str) -> Value {
        self.emulator.witness(&["alias", &format!("cloudpix-{}-{function}", self.env)])
    }
}

#[test]
fn new_code_becomes_a_version_that_the_api_calls_and_a_rollback_takes_it_back() {
    if skipped() {
        return;
    }
    let (stack, build) = (Stack::applied("deploy"), Build::new());
    build.change("list");
    let deployed = stack.deployed(&build, &["--package", "zip"]);
    assert_eq!(deployed["live"], json!({"cloudpix-deploy-list": "2"}), "{deployed}");
    let alias = stack.alias("list");
    assert_eq!((&alias["version"], &alias["versions"]), (&json!("2"), &json!(["1", "2"])));
    assert_eq!(stack.alias("upload")["versions"], json!(["1"]), "nothing of it changed");
    assert_eq!(stack.outputs().get("/list").status, 200);

    let rollback = || stack.json(&["rollback", "list"]);
    assert_eq!(rollback()["live"], "1");
    assert_eq!(rollback()["from"], Value::Null, "a second rollback went on by itself");
    assert_eq!(stack.alias("list")["version"], "1");
    assert_eq!(stack.outputs().get("/list").status, 200);
    let listed = stack.json(&["versions"]);
    let of_list = &listed["cloudpix-deploy-list"];
    assert_eq!(of_list["versions"][0]["aliases"], json!(["live"]), "{listed}");
    assert_eq!(of_list["live"], "rolled back from version 2");
    assert_eq!(stack.json(&["rollback", "list", "--to", "2"])["live"], "2");
    let said = stack.refused(&["rollback", "list", "--to", "7"]);
    assert!(said.contains("there is no version 7; there are 1, 2"), "{said}");
}

#[test]
fn a_deploy_with_nothing_changed_makes_no_mutating_call() {
    if skipped() {
        return;
    }
    let (stack, build) = (Stack::alone("redeploy"), Build::new());
    stack.json(&["apply", "--yes", "--package", "zip"]);
    build.change("upload");
    stack.deployed(&build, &["--package", "zip"]);
    let mut command = stack.deploy(&build, &["--package", "zip"]);
    let output = command.env("AWS_SDK_UA_APP_ID", "redeployer").output().unwrap();
    assert!(text(&output).contains("nothing to change"), "{}", text(&output));
    let calls = stack.emulator.witness(&["changes", "redeployer"]);
    assert_eq!(calls["mutating"], json!([]), "{calls}");
    assert!(calls["all"].as_u64().unwrap() > 4, "the witness saw no calls: {calls}");
}

#[test]
fn a_push_of_an_unchanged_image_is_one_read_for_each_repository() {
    if skipped() {
        return;
    }
    let (stack, build) = (Stack::alone("pushed"), Build::new());
    stack.json(&["apply", "--yes"]);
    let ecr = |application: &str| {
        let mut command = stack.deploy(&build, &["--no-smoke-test"]);
        let output = command.env("AWS_SDK_UA_APP_ID", application).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        stack.emulator.witness(&["changes", application])["ecr"].clone()
    };
    let read = |function: &str| json!(["BatchGetImage", format!("cloudpix-pushed-{function}")]);
    let mut all = functions();
    all.sort_unstable();
    assert_eq!(ecr("unchanged"), json!(all.map(read)));
    build.change("list");
    let changed = ecr("changed").to_string();
    assert!(changed.contains("PutImage"), "the witness sees no push: {changed}");
}

#[test]
fn a_version_that_does_not_do_its_work_is_taken_back() {
    if skipped() {
        return;
    }
    let (stack, build) = (Stack::applied("failing"), Build::new());
    build.break_upload();
    for _ in 0..2 {
        let output = stack.deploy(&build, &["upload", "--package", "zip"]).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("version 2 of cloudpix-failing-upload failed its smoke test"), "{said}");
        assert!(said.contains("version 1 is live again") && said.contains("POST /upload"), "{said}");
        let alias = stack.alias("upload");
        assert_eq!((&alias["version"], &alias["versions"]), (&json!("1"), &json!(["1", "2"])));
        assert_eq!(alias["description"], "version 2 failed its smoke test");
    }
    // `apply` stands the same trial, and nothing that a test uploads stays.
    let said = stack.refused(&["apply", "--package", "zip", "--functions", build.path().to_str().unwrap()]);
    assert!(said.contains("version 1 is live again"), "{said}");
    stack.json(&["deploy", "--package", "zip"]);
    assert_eq!(stack.outputs().get("/list").json()["count"], 0);
}

/// Lambda has one revision for an alias and for who may call it.
#[test]
fn a_version_on_trial_is_taken_back_though_a_right_was_given_meanwhile() {
    if skipped() {
        return;
    }
    let (stack, build) = (Stack::applied("overtaken"), Build::new());
    build.break_upload();
    let proxy = Proxy::start(&stack.emulator.endpoint);
    let (emulator, moves) = (stack.emulator, Arc::new(AtomicUsize::new(0)));
    let seen = moves.clone();
    proxy.judge(move |call| {
        if call.operation.starts_with("PUT ") && call.operation.contains("/aliases/live") {
            let n = seen.fetch_add(1, Ordering::SeqCst);
            // The move and the way back are overtaken, each once.
            if n == 0 || n == 2 {
                emulator.witness(&["allow_call", "cloudpix-overtaken-upload", &format!("theirs{n}")]);
            }
            // The answer to the last one gets lost, so that the SDK's own second try finds it done.
            return if n == 3 { Verdict::CutAfter } else { Verdict::Pass };
        }
        Verdict::Pass
    });
    let (status, said) = proxy.run(&mut stack.deploy(&build, &["upload", "--package", "zip"]));
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("version 1 is live again"), "{said}");
    let alias = stack.alias("upload");
    assert_eq!(alias["version"], "1", "{alias}");
    assert_eq!(alias["description"], "version 2 failed its smoke test");
    assert_eq!(moves.load(Ordering::SeqCst), 5, "two each, and the SDK's own second try");
}

#[test]
fn a_deploy_that_was_killed_before_its_test_is_tested_by_the_next() {
    if skipped() {
        return;
    }
    let (stack, build) = (Stack::applied("killed"), Build::new());
    build.change("list");
    stack.deployed(&build, &["list", "--package", "zip", "--no-smoke-test"]);
    assert_eq!(stack.alias("list")["description"], "version 2 had no smoke test, after version 1");
    build.break_upload();
    let proxy = Proxy::start(&stack.emulator.endpoint);
    proxy.judge(|call| {
        let moves_alias = call.mutates() && call.operation.contains("/aliases/live");
        if moves_alias { Verdict::KillAfter } else { Verdict::Pass }
    });
    let (status, said) = proxy.run(&mut stack.deploy(&build, &["upload", "--package", "zip"]));
    assert_eq!(status.signal(), Some(9), "{said}");
    assert_eq!(stack.alias("upload")["version"], "2");
    let output = stack.deploy(&build, &["upload", "--package", "zip"]).output().unwrap();
    assert!(text(&output).contains("version 1 is live again"), "{}", text(&output));
    assert_eq!(stack.alias("upload")["version"], "1");
}

#[test]
fn old_versions_and_their_images_go_and_what_an_alias_uses_stays() {
    if skipped() {
        return;
    }
    let (stack, build) = (Stack::new("prune"), Build::new());
    let settings = build.path().join("cloudpix.toml");
    std::fs::write(&settings, "[defaults]\nauth = \"api-key\"\nkeep-versions = 2\n").unwrap();
    let untested = ["list", "--no-smoke-test", "--config", settings.to_str().unwrap()];
    stack.json(&["apply", "--yes"]);
    stack.emulator.witness(&["add_alias", "cloudpix-prune-list", "theirs", "1"]);
    for _ in 0..3 {
        build.change("list");
        stack.deployed(&build, &untested);
    }
    assert_eq!(stack.alias("list")["versions"], json!(["1", "3", "4"]));
    let images = stack.emulator.witness(&["images", "cloudpix-prune-list"]);
    let versions = stack.json(&["versions", "list"]);
    let versions = versions["cloudpix-prune-list"]["versions"].as_array().unwrap();
    let mut used: Vec<Value> = versions.iter().map(|version| version["digest"].clone()).collect();
    used.sort_by_key(ToString::to_string);
    assert_eq!(images, json!(used));
    stack.json(&["destroy", "--yes"]);
}

#[test]
fn an_image_that_bears_the_tag_of_earlier_versions_is_taken_as_it_is() {
    if skipped() {
        return;
    }
    let stack = Stack::new("retagged");
    stack.json(&["apply", "--yes"]);
    let repository = "cloudpix-retagged-list";
    let tags = stack.emulator.witness(&["retag", repository]);
    assert!(tags[0].as_str().is_some_and(|tag| tag.starts_with("sha256-")), "{tags}");
    assert_eq!(stack.json(&["plan"])["changes"], json!([]));
    assert_eq!(stack.json(&["apply", "--yes"])["applied"], json!([]));
    assert_eq!(stack.emulator.witness(&["images", repository]).as_array().unwrap().len(), 1);
    stack.json(&["destroy", "--yes"]);
}

#[test]
fn lambda_may_pull_by_a_statement_of_ours_and_others_stay() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("puller");
    let repository = "cloudpix-puller-upload";
    let ours = || stack.emulator.witness(&["pull_policy", repository]);
    let before = ours();
    let statement = &before["CloudpixLambdaPulls"];
    assert_eq!(statement["Principal"], json!({"Service": "lambda.amazonaws.com"}));
    let source = statement["Condition"]["ArnLike"]["aws:SourceArn"][0].as_str().unwrap();
    assert!(source.ends_with(":function:cloudpix-puller-upload"), "{source}");
    stack.emulator.witness(&["widen", repository]);
    assert_eq!(stack.json(&["apply", "--package", "zip"])["applied"].as_array().unwrap().len(), 1);
    assert_eq!(&ours()["CloudpixLambdaPulls"], statement);
    assert_eq!(ours()["theirs"]["Action"], "ecr:ListImages");
}
