//! What helps to run a stack: doctor, logs, cost, completions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cloud::{Stack, provision, root, skipped, stdout, text};

/// The credentials of a user who may do what the policy says.
fn user(stack: &Stack, policy: &Value) -> [(&'static str, String); 2] {
    let name = format!("user-{}-{}", stack.env, policy.to_string().len());
    let key = stack.emulator.witness(&["user", &name, &policy.to_string()]);
    let field = |name: &str| key[name].as_str().unwrap().to_owned();
    [("AWS_ACCESS_KEY_ID", field("id")), ("AWS_SECRET_ACCESS_KEY", field("secret"))]
}

fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    output
}

#[test]
fn the_policy_of_doctor_is_all_that_a_stack_needs_from_apply_to_destroy() {
    if skipped() {
        return;
    }
    let stack = Stack::new("granted");
    let policy = stack.provision(&["doctor", "--policy"]);
    let mut policy: Value = serde_json::from_slice(&run(policy).stdout).unwrap();
    // The emulator does not see which repository or function these are about.
    let blurred = [
        "dynamodb:ListTagsOfResource",
        "ecr:DescribeRepositories",
        "ecr:ListTagsForResource",
        "lambda:CreateFunction",
    ];
    let blurred = json!({ "Effect": "Allow", "Action": blurred, "Resource": "*" });
    policy["Statement"].as_array_mut().unwrap().push(blurred);
    let user = user(&stack, &policy);
    let as_user = |arguments: &[&str]| {
        let mut command = stack.provision(arguments);
        command.envs(user.clone());
        run(command)
    };
    let findings: Value = serde_json::from_slice(&as_user(&["doctor", "--json"]).stdout).unwrap();
    let permissions = findings["findings"].as_array().unwrap().iter().find(|it| it["what"] == "permissions");
    assert_eq!(permissions.map(|it| &it["severity"]), Some(&json!("ok")), "{findings:#}");
    for package in ["zip", "image"] {
        as_user(&["apply", "--yes", "--package", package]);
        as_user(&["plan", "--package", package]);
    }
    as_user(&["apply", "--yes", "--package", "zip"]);
    as_user(&["status"]);
    as_user(&["outputs", "--api-key"]);
    as_user(&["versions"]);
    as_user(&["deploy", "--package", "zip"]);
    as_user(&["logs", "upload"]);
    as_user(&["reindex"]);
    as_user(&["redrive"]);
    as_user(&["backfill"]);
    as_user(&["destroy", "--yes", "--delete-images"]);
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-granted"]), json!([]));
}

#[test]
fn a_missing_permission_is_told_before_anything_is_made() {
    if skipped() {
        return;
    }
    let stack = Stack::new("ungranted");
    let policy = stack.provision(&["doctor", "--policy"]);
    let mut policy: Value = serde_json::from_slice(&run(policy).stdout).unwrap();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = statement["Action"].as_array_mut().unwrap();
        actions.retain(|action| action != "lambda:CreateFunction" && action != "dynamodb:UpdateTable");
    }
    let user = user(&stack, &policy);
    let as_user = |arguments: &[&str]| {
        let mut command = stack.provision(arguments);
        command.envs(user.clone());
        command.output().unwrap()
    };
    let checked = as_user(&["doctor"]);
    assert_eq!(checked.status.code(), Some(1), "{}", text(&checked));
    for part in
        ["ERROR", "dynamodb:UpdateTable, lambda:CreateFunction", "provision doctor --policy --env ungranted"]
    {
        assert!(stdout(&checked).contains(part), "{part}: {}", text(&checked));
    }
    let applied = as_user(&["apply", "--yes", "--package", "zip"]);
    assert_eq!(applied.status.code(), Some(1));
    assert!(text(&applied).contains("nothing was changed"), "{}", text(&applied));
    assert!(!stack.state_file().exists());
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-ungranted"]), json!([]));
}

#[test]
fn who_may_not_see_tags_is_told_so_and_not_that_there_are_none() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("untold");
    let policy = stack.provision(&["doctor", "--policy"]);
    let mut policy: Value = serde_json::from_slice(&run(policy).stdout).unwrap();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|action| action != "lambda:ListTags");
        statement["Resource"] = json!("*");
    }
    let mut command = stack.provision(&["plan", "--package", "zip"]);
    let output = command.envs(user(&stack, &policy)).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("these credentials may not call lambda:ListTags"), "{said}");
    assert!(!said.contains("has no tag"), "{said}");
}

#[test]
fn process_has_a_share_of_its_own_and_no_more() {
    if skipped() {
        return;
    }
    let (stack, folder) = (Stack::applied("shared"), tempfile::tempdir().unwrap());
    let share = || stack.emulator.witness(&["share", "cloudpix-shared-process"]);
    assert_eq!(share()["reserved"], Value::Null);
    let settings = folder.path().join("cloudpix.toml");
    let with = |concurrency: u64| {
        let text = format!(
            "[defaults]\nauth = \"api-key\"\npackage = \"zip\"\nprocess.concurrency = {concurrency}\n"
        );
        std::fs::write(&settings, text).unwrap();
    };
    let apply = ["apply", "--yes", "--config", settings.to_str().unwrap()];
    let kept = 100;
    let free = share()["limit"].as_u64().unwrap().checked_sub(kept).expect("a machine of some memory");
    with(free);
    assert_eq!(stack.json(&apply)["applied"].as_array().unwrap().len(), 1);
    assert_eq!(share()["reserved"], free);
    let versions = stack.emulator.witness(&["alias", "cloudpix-shared-process"])["versions"].clone();
    assert_eq!(versions, json!(["1"]), "what is no part of a version made one");
    assert_eq!(stack.json(&apply)["applied"], json!([]));

    with(free + 1);
    let said = stack.refused(&apply);
    for part in ["UnreservedConcurrentExecution below its minimum", "Lambda keeps so many", "doctor"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    let mut command = stack.provision(&["doctor", "--config", settings.to_str().unwrap()]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(stdout(&output).contains(&format!("of which {free} can be reserved")), "{}", text(&output));
    assert_eq!(share()["reserved"], free);

    with(0);
    stack.json(&apply);
    assert_eq!(share()["reserved"], Value::Null);
}

#[test]
fn a_role_of_identity_center_is_asked_about_by_its_own_name() {
    if skipped() {
        return;
    }
    let stack = Stack::new("reserved");
    let mut policy: Value =
        serde_json::from_slice(&run(stack.provision(&["doctor", "--policy"])).stdout).unwrap();
    // The emulator knows a role that is asked for by its name alone.
    let blurred = json!({ "Effect": "Allow", "Action": "iam:GetRole", "Resource": "*" });
    policy["Statement"].as_array_mut().unwrap().push(blurred);
    let policy = policy.to_string();
    let session = stack.emulator.witness(&["role_session", "AWSReservedSSO_Deploy_0a1b2c3d", &policy]);
    let field = |name: &str| session[name].as_str().unwrap();
    let mut command = stack.provision(&["doctor", "--json"]);
    command.env("AWS_ACCESS_KEY_ID", field("id")).env("AWS_SECRET_ACCESS_KEY", field("secret"));
    let findings: Value =
        serde_json::from_slice(&command.env("AWS_SESSION_TOKEN", field("token")).output().unwrap().stdout)
            .unwrap();
    let permissions = findings["findings"].as_array().unwrap().iter().find(|it| it["what"] == "permissions");
    assert_eq!(permissions.map(|it| &it["severity"]), Some(&json!("ok")), "{findings:#}");
}

/// A proxy of a company's, that opens no way and keeps what it was asked: the request's head, and then
/// what was sent into the tunnel.
fn company_proxy() -> (String, std::sync::mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (mut reader, mut head) = (BufReader::new(&stream), String::new());
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
            let mut hello = vec![0; 512];
            if (&stream).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").is_ok() {
                let read = reader.read(&mut hello).unwrap_or_default();
                hello.truncate(read);
            }
            if told.send((head, hello)).is_err() {
                break;
            }
        }
    });
    (address, asked)
}

#[test]
fn aws_is_reached_through_a_companys_proxy_and_this_machine_is_not() {
    let (address, asked) = company_proxy();
    let region = |command: &mut Command| {
        command.env("AWS_REGION", "eu-west-1").env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
        command.env("AWS_SECRET_ACCESS_KEY", "secret").env_remove("NO_PROXY").env_remove("no_proxy");
    };
    let mut command = provision(&["plan", "--package", "zip"]);
    region(&mut command);
    command.env("HTTPS_PROXY", format!("http://jane:secret@{address}"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("through the proxy that HTTPS_PROXY names") && !said.contains("jane"), "{said}");
    let (head, hello) = asked.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(head.starts_with("CONNECT sts.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n"), "{head}");
    let basic = format!("proxy-authorization: Basic {}", STANDARD.encode("jane:secret"));
    assert!(head.to_lowercase().contains(&basic.to_lowercase()), "{head}");
    // A TLS handshake with AWS itself: nothing is said to the proxy.
    assert_eq!(hello[..2], [0x16, 0x03], "{hello:?}");
    assert!(String::from_utf8_lossy(&hello).contains("sts.eu-west-1.amazonaws.com"));
    while asked.try_recv().is_ok() {}

    let mut command = provision(&["plan", "--package", "zip"]);
    region(&mut command);
    command.env("HTTPS_PROXY", format!("http://{address}")).env("NO_PROXY", ".amazonaws.com");
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    if !skipped() {
        let stack = Stack::new("direct");
        let mut command = stack.provision(&["plan", "--package", "zip"]);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"] {
            command.env(name, format!("http://{address}"));
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        let mut command = stack.provision(&["plan", "--package", "zip"]);
        let output = command.env("ALL_PROXY", "socks5://localhost:1080").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    }
    assert!(asked.try_recv().is_err(), "the proxy was asked for what is not beyond it");
}

#[test]
fn who_has_a_second_factor_is_told_how_to_show_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let profile = "[profile ops]\nregion = eu-west-1\nrole_arn = arn:aws:iam::123456789012:role/ops\n\
                   source_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/jane\n";
    std::fs::write(&config, profile).unwrap();
    let mut command = provision(&["plan"]);
    command.env("AWS_PROFILE", "ops").env("AWS_CONFIG_FILE", &config);
    let said = crate::cloud::refusal(command);
    assert!(said.contains("mfa_serial") && said.contains("export-credentials --profile ops"), "{said}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut command = provision(&["doctor", "--config", "none.toml", "--json"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wrong = findings["findings"].as_array().unwrap().iter().filter(|it| it["severity"] == "error");
    let wrong: Vec<_> = wrong.map(|it| it["what"].as_str().unwrap()).collect();
    assert_eq!((wrong, &findings["well"]), (vec!["settings", "credentials"], &json!(false)), "{findings:#}");
}

#[test]
fn a_request_shows_up_in_the_logs() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("logged");
    let picture = std::fs::read(root().join("tests/images/coffee.jpg")).unwrap();
    let image =
        stack.outputs().post(&json!({ "fileName": "a.jpg", "data": STANDARD.encode(picture) })).json();
    let id = image["imageId"].as_str().unwrap_or_else(|| panic!("{image}"));
    // CloudWatch takes its time, on AWS too.
    let deadline = Instant::now() + Duration::from_secs(20);
    let shown = loop {
        let shown = stdout(&run(stack.provision(&["logs", "upload"])));
        if shown.contains(id) || Instant::now() > deadline {
            break shown;
        }
        std::thread::sleep(Duration::from_millis(250));
    };
    let row = shown.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{shown}"));
    assert!(row.contains("INFO   201") && row.contains("POST /upload"), "{row}");
    let lines = stdout(&run(stack.provision(&["logs", "upload", "--since", "1h", "--json"])));
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["line"]["imageId"] == id), "{lines:?}");
}

#[test]
fn a_month_is_estimated_without_aws() {
    let estimate = run(provision(&["cost", "--uploads", "10_000", "--json"]));
    let estimate: Value = serde_json::from_slice(&estimate.stdout).unwrap();
    let items = estimate["items"].as_array().unwrap();
    let sum: f64 = items.iter().map(|item| item["cost"].as_f64().unwrap()).sum();
    assert!(sum > 1.0 && (estimate["total"].as_f64().unwrap() - sum).abs() < 1e-9, "{estimate:#}");
    assert!(items.iter().all(|item| item["source"].as_str().unwrap().starts_with("https://aws.amazon.com/")));
    for arguments in [&["cost"][..], &["cost", "--worst-case"]] {
        let text = stdout(&run(provision(arguments)));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.contains("Downloads are counted by nothing"), arguments.len() == 2, "{text}");
    }
}

#[test]
fn completions_and_the_manual_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh", "man"] {
        let made = stdout(&run(provision(&["completions", shell])));
        for command in ["apply", "doctor", "rollback"] {
            assert!(made.contains(command), "{shell} lacks {command}");
        }
    }
}
