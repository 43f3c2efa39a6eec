//! openapi.yaml is the truth: schemathesis, which makes requests out of it, finds no answer that is not
//! as it says. What it cannot know is in `rules.py`, and how it runs in `schemathesis.toml`.

use crate::cloud::{Stack, bare, root, skipped, text};

/// Settings of a stack that does not throttle what tests send at once.
pub const UNTHROTTLED: &str =
    "[defaults]\nauth = \"api-key\"\npackage = \"zip\"\nthrottle = { rate = 10000.0, burst = 5000 }\n";

impl Stack {
    /// Applies a stack that answers 429 to nobody.
    pub fn apply_unthrottled(&self) {
        let settings = self.state.path().join("unthrottled.toml");
        std::fs::write(&settings, UNTHROTTLED).unwrap();
        self.json(&["apply", "--yes", "--config", settings.to_str().unwrap()]);
    }
}

#[test]
fn every_answer_is_as_openapi_says() {
    if skipped() {
        return;
    }
    let schemathesis = root().join(".local/venv/bin/schemathesis");
    if !schemathesis.exists() {
        eprintln!("skipped: schemathesis needs Python 3.11");
        return;
    }
    let stack = Stack::new("contract");
    stack.apply_unthrottled();
    let outputs = stack.outputs();
    let here = root().join("tests/e2e");
    // A stack asks for one of the two, and this one for a key: a wrong token beside it is nobody's concern.
    let whole = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let token = "\n  - bearer: []\n";
    assert!(whole.contains(token) && whole.contains("\n  - apiKey: []\n"));
    let described = stack.state.path().join("openapi.yaml");
    std::fs::write(&described, whole.replace(token, "\n")).unwrap();
    let output = bare(schemathesis)
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"))
        .arg("run")
        .arg(described)
        .args(["--no-color", "--url", &outputs.url, "--header", &format!("x-api-key: {}", outputs.key)])
        .env("PYTHONPATH", here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // It leaves a cache where it runs.
        .current_dir(stack.state.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    stack.json(&["destroy", "--yes", "--delete-images"]);
}
