//! The embedded AWS, the binaries under test, and the witness.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use contract::Function;
use serde_json::Value;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository")
}

/// The names of the functions of a stack without sign-in, each that of its crate and of its binary.
pub fn functions() -> [&'static str; Function::ALL.len() - 1] {
    let without = Function::ALL.into_iter().filter(|function| *function != Function::Authorize);
    without.map(Function::name).collect::<Vec<_>>().try_into().unwrap()
}

/// How many resources a stack has whose functions are zip files: six of each function, and eight that all share.
pub fn resources() -> usize {
    6 * functions().len() + 8
}

/// Where the binaries of this build are: this test is in `deps` below.
pub fn binaries() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().nth(2).unwrap().to_owned();
    for name in Function::ALL.map(Function::name).into_iter().chain(["provision"]) {
        assert!(
            folder.join(name).is_file(),
            "{name} is not built in {}; run the tests by: make test",
            folder.display()
        );
    }
    folder
}

/// Whether end-to-end tests are to be left out, which is said aloud.
pub fn skipped() -> bool {
    let skipped = std::env::var_os("CLOUDPIX_SKIP_E2E").is_some();
    if skipped {
        eprintln!("skipped: CLOUDPIX_SKIP_E2E is set");
    }
    skipped
}

/// An emulator that runs on a free port until this process ends.
pub struct Emulator {
    pub endpoint: String,
    pub folder: PathBuf,
    /// The secret of its root user's key.
    secret: String,
}

impl Emulator {
    /// The one that tests share.
    pub fn shared() -> &'static Emulator {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(|| {
            let folder = tempfile::Builder::new().prefix("cloudpix-e2e-").tempdir().unwrap().keep();
            Emulator::start(&folder, 0)
        })
    }

    /// One of a test's own: for what is the account's, and for its record of calls, which holds so many of
    /// each service and no more.
    pub fn own() -> &'static Emulator {
        let folder = tempfile::Builder::new().prefix("cloudpix-e2e-").tempdir().unwrap().keep();
        Box::leak(Box::new(Emulator::start(&folder, 0)))
    }

    pub fn start(folder: &Path, port: u16) -> Emulator {
        let output = emulator(["start", "--dir", folder.to_str().unwrap(), "--port", &port.to_string()])
            .args(["--until", &std::process::id().to_string(), "--host", crate::container::NAME])
            // What it was asked to do, for the witness.
            .env("CLOUDTRAIL_RECORDING", "1")
            .output()
            .unwrap();
        let endpoint = stdout(&output).trim().to_owned();
        assert!(output.status.success() && endpoint.starts_with("http://"), "{}", text(&output));
        let kept = std::fs::read_to_string(folder.join("credentials")).unwrap();
        let secret = kept.lines().find_map(|line| line.strip_prefix("aws_secret_access_key = "));
        Emulator { endpoint, folder: folder.to_owned(), secret: secret.unwrap().to_owned() }
    }

    pub fn stop(&self) {
        let output = emulator(["stop", "--dir", self.folder.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }

    /// What boto3 sees; `arguments` as in witness.py.
    pub fn witness(&self, arguments: &[&str]) -> Value {
        let output = self.witness_command().args(arguments).output().unwrap();
        assert!(output.status.success(), "witness {arguments:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Without arguments it answers what it is asked on standard input, a JSON list a line.
    pub fn witness_command(&self) -> Command {
        let mut command = python();
        command.arg(root().join("tests/e2e/witness.py")).envs(self.credentials());
        command
    }

    pub fn credentials(&self) -> [(&'static str, &str); 5] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", "cloudpix-local"),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ]
    }
}

pub fn emulator<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new("python3");
    command.arg(root().join("local/emulator.py")).args(arguments);
    command
}

/// A stack of one test: its environment, with a state folder that goes with it.
pub struct Stack {
    pub emulator: &'static Emulator,
    pub env: &'static str,
    pub state: tempfile::TempDir,
}

impl Stack {
    /// `env` is the test's own.
    pub fn new(env: &'static str) -> Stack {
        Stack { emulator: Emulator::shared(), env, state: tempfile::tempdir().unwrap() }
    }

    /// A stack in an account of its own.
    pub fn alone(env: &'static str) -> Stack {
        Stack { emulator: Emulator::own(), env, state: tempfile::tempdir().unwrap() }
    }

    /// A stack that is applied, with zip files since the emulator runs no images.
    pub fn applied(env: &'static str) -> Stack {
        let stack = Stack::new(env);
        stack.json(&["apply", "--yes", "--package", "zip"]);
        stack
    }

    pub fn provision(&self, arguments: &[&str]) -> Command {
        let mut command = provision(arguments);
        command.args(["--env", self.env]).arg("--state-dir").arg(self.state.path());
        command.envs(self.emulator.credentials());
        command
    }

    /// Runs a command that must succeed, and answers its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.provision(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "provision {arguments:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail, and answers what it says to a person.
    pub fn refused(&self, arguments: &[&str]) -> String {
        refusal(self.provision(arguments))
    }

    pub fn outputs(&self) -> Outputs {
        let outputs = self.json(&["outputs", "--api-key"]);
        let field =
            |name: &str| outputs[name].as_str().unwrap_or_else(|| panic!("{name}: {outputs}")).to_owned();
        Outputs { url: field("apiUrl"), key: field("apiKey"), bucket: field("bucket"), table: field("table") }
    }

    pub fn state_file(&self) -> PathBuf {
        self.state.path().join(format!("{}.json", self.env))
    }
}

pub struct Outputs {
    pub url: String,
    pub key: String,
    pub bucket: String,
    pub table: String,
}

/// A command with nothing of the caller's own settings: not of AWS, a proxy, Python or CloudPix.
pub fn bare(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["HOME", "LANG", "PATH", "RUST_BACKTRACE", "TMPDIR", "USER"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

/// The interpreter that boto3 and its like are installed for.
pub fn python() -> Command {
    let mut command = bare(root().join(".local/venv/bin/python"));
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// `provision` with nothing of the caller's settings, and from a folder whose cloudpix.toml is for tests.
pub fn provision(arguments: &[&str]) -> Command {
    let folder = binaries();
    let mut command = bare(folder.join("provision"));
    command.env("CLOUDPIX_FUNCTIONS", folder).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.current_dir(root().join("tests")).stdin(Stdio::null()).args(arguments);
    command
}

/// Runs what must fail with exit code 1, and answers what it says.
pub fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{command:?}: {}", text(&output));
    assert!(!said.contains("panicked"), "{said}");
    said
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All that a command said, for the message of an assertion.
pub fn text(output: &Output) -> String {
    format!("{}\n{}{}", output.status, stdout(output), String::from_utf8_lossy(&output.stderr))
}
