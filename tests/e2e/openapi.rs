//! openapi.yaml is the truth: schemathesis, which makes requests out of it, finds no answer that is not
//! as it says. What it cannot know is in `rules.py`, and how it runs in `schemathesis.toml`.

use crate::cloud::{Stack, bare, root, skipped, text};

/// Settings of a stack that does not throttle what tests send at once.
pub const UNTHROTTLED: &str =
    "[defaults]\nauth = \"api-key\"\npackage = \"zip\"\nthrottle = { rate = 10000.0, burst = 5000 }\n";

/// The same for a stack whose users sign in.
const UNTHROTTLED_USERS: &str =
    "[defaults]\nauth = \"users\"\npackage = \"zip\"\nthrottle = { rate = 10000.0, burst = 5000 }\n";

impl Stack {
    /// Applies a stack that answers 429 to nobody.
    pub fn apply_unthrottled(&self) {
        self.apply_by(UNTHROTTLED);
    }

    /// Applies a stack with these settings, and returns where they are.
    fn apply_by(&self, settings: &str) -> String {
        let file = self.state.path().join("unthrottled.toml").to_str().unwrap().to_owned();
        std::fs::write(&file, settings).unwrap();
        self.json(&["apply", "--yes", "--config", &file]);
        file
    }
}

#[test]
fn every_answer_is_as_openapi_says() {
    if skipped() {
        return;
    }
    let stack = Stack::new("contract");
    stack.apply_unthrottled();
    let outputs = stack.outputs();
    // Keys of users are for stacks with users.
    let key = format!("x-api-key: {}", outputs.key);
    try_all(&stack, "bearer", &outputs.url, &key, &["--exclude-path-regex", "^/keys"]);
    stack.json(&["destroy", "--yes", "--delete-images"]);
}

#[test]
fn every_answer_to_a_users_key_is_as_openapi_says() {
    if skipped() {
        return;
    }
    let stack = Stack::new("holder");
    let settings = stack.apply_by(UNTHROTTLED_USERS);
    let json = |arguments: &[&str]| stack.json(&[arguments, &["--config", &settings]].concat());
    json(&["users", "add", "ann@example.com"]);
    let scopes = ["--scopes", "read,write,delete"];
    let key = json(&[&["keys", "create", "ann@example.com", "--name", "all"][..], &scopes].concat());
    let key = format!("Authorization: Bearer {}", key["key"].as_str().unwrap());
    let outputs = json(&["outputs"]);
    try_all(&stack, "apiKey", outputs["apiUrl"].as_str().unwrap(), &key, &[]);
    json(&["destroy", "--yes", "--delete-images"]);
}

/// Has every operation tried, with `header` for who asks. A stack asks for one of the two ways to say that, so the
/// `other` one is left out of the description: what is wrong in it is nobody's concern there.
fn try_all(stack: &Stack, other: &str, url: &str, header: &str, more: &[&str]) {
    let schemathesis = root().join(".local/venv/bin/schemathesis");
    if !schemathesis.exists() {
        eprintln!("skipped: schemathesis needs Python 3.11");
        return;
    }
    let here = root().join("tests/e2e");
    let whole = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let other = format!("\n  - {other}: []\n");
    assert!(whole.contains(&other));
    let described = stack.state.path().join("openapi.yaml");
    std::fs::write(&described, whole.replace(&other, "\n")).unwrap();
    let output = bare(schemathesis)
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"))
        .arg("run")
        .arg(described)
        .args(["--no-color", "--url", url, "--header", header])
        .args(more)
        .env("PYTHONPATH", here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // It leaves a cache where it runs.
        .current_dir(stack.state.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
