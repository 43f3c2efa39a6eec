//! The proof of the image is running it: what `provision` pushed is pulled out of the registry by Docker
//! and run as a container, bare and unprivileged, against a Lambda Runtime API that is not ours
//! (cargo-lambda's), with the embedded AWS behind a name that DNS answers and a TLS that is verified.

mod door;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cloud::{Stack, binaries, root, skipped, stdout, text};
use crate::pictures::{pictures, send};
use door::Door;
pub use door::NAME;

/// Whether no Docker answers, which is said aloud, and with `CLOUDPIX_REQUIRE_DOCKER` is a failure.
fn docker_is_missing() -> bool {
    if skipped() {
        return true;
    }
    let answers = docker(&["version"]).output().is_ok_and(|output| output.status.success());
    if answers {
        return false;
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&folders).any(|folder| folder.join("dockerd").is_file());
    let why = if installed {
        "Docker is installed and does not answer: start it, or name its socket in DOCKER_HOST"
    } else {
        "Docker is not installed"
    };
    assert!(std::env::var_os("CLOUDPIX_REQUIRE_DOCKER").is_none_or(|value| value != "1"), "{why}");
    eprintln!("SKIPPED: the container images are NOT proven, because {why}");
    true
}

fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("DOCKER").unwrap_or_else(|| "docker".into()));
    command.env("DOCKER_BUILDKIT", "1").args(arguments);
    command
}

/// Runs docker, which must succeed, and answers what it prints.
fn docked(arguments: &[&str]) -> String {
    let output = docker(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", text(&output));
    stdout(&output).trim().to_owned()
}

/// A Lambda Runtime API, and the API that invokes.
struct Runtime {
    process: Child,
    port: u16,
}

impl Runtime {
    fn start() -> Runtime {
        let installed = root().join(".local/tools/bin/cargo-lambda");
        let program = if installed.exists() { installed } else { PathBuf::from("cargo-lambda") };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1"]);
        let command = command.args(["--invoke-port", &port.to_string()]).current_dir(root());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.expect("cargo-lambda is missing; `make tools` installs it");
        let runtime = Runtime { process, port };
        let end = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "cargo-lambda does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        runtime
    }

    fn invoke(&self, container: &Container, event: &Value) -> Value {
        let function = container.function;
        let url = format!("http://127.0.0.1:{}/2015-03-31/functions/{function}/invocations", self.port);
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = send("POST", &url, &[], event.to_string().as_bytes());
            // It knows a function from its first request for an event on.
            if answer.status != 404 || Instant::now() > end {
                assert_eq!(answer.status, 200, "{function}: {}", container.logs());
                return answer.json();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A container, gone when dropped.
struct Container {
    id: String,
    /// The function in it.
    function: &'static str,
}

impl Container {
    fn logs(&self) -> String {
        text(&docker(&["logs", &self.id]).output().unwrap())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", &self.id]).output();
    }
}

/// What the container trusts besides the roots that are in the binary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Ours,
    Nothing,
}

/// What runs a function's image, with the environment that `provision` gave it on AWS.
struct Host<'a> {
    stack: &'a Stack,
    door: &'a Door,
    runtime: &'a Runtime,
}

impl Host<'_> {
    fn run(&self, function: &'static str, trust: Trust) -> Container {
        let name = format!("cloudpix-{}-{function}", self.stack.env);
        let seen = self.stack.emulator.witness(&["function", &name]);
        let (_, digest) = seen["code"]["ImageUri"].as_str().unwrap().split_once('@').unwrap();
        // The registry answers on the emulator's port; Docker takes loopback without TLS.
        let registry = self.stack.emulator.endpoint.replace("http://localhost", "127.0.0.1");
        let image = format!("{registry}/{name}@{digest}");
        docked(&["pull", "--quiet", &image]);
        let digests = docked(&["image", "inspect", "--format", "{{json .RepoDigests}}", &image]);
        let digests: Vec<String> = serde_json::from_str(&digests).unwrap();
        assert!(digests.contains(&image), "docker sees another digest: {digests:?}");

        let mut environment = vec![
            format!("AWS_LAMBDA_RUNTIME_API=http://127.0.0.1:{}/.rt/{function}", self.runtime.port),
            format!("AWS_LAMBDA_FUNCTION_NAME={function}"),
            "AWS_LAMBDA_FUNCTION_VERSION=1".to_owned(),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512".to_owned(),
            format!("AWS_ENDPOINT_URL=https://{NAME}:{}", self.door.port),
        ];
        let credentials = self.stack.emulator.credentials().into_iter();
        let credentials = credentials.filter(|(name, _)| *name != "AWS_ENDPOINT_URL");
        environment.extend(credentials.map(|(name, value)| format!("{name}={value}")));
        if trust == Trust::Ours {
            environment.push("AWS_CA_BUNDLE=/root.pem".to_owned());
        }
        let variables = seen["configuration"]["Environment"]["Variables"].as_object().unwrap();
        environment
            .extend(variables.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap())));
        let bundle = format!("{}:/root.pem:ro", self.door.certificate().display());
        let mut arguments =
            vec!["run", "--detach", "--network=host", "--read-only", "--cap-drop=ALL", "--volume", &bundle];
        arguments.extend(["--security-opt", "no-new-privileges"]);
        let resolver = self.door.resolver();
        arguments.extend([resolver[0].as_str(), resolver[1].as_str()]);
        arguments.extend(environment.iter().flat_map(|variable| ["--env", variable.as_str()]));
        arguments.push(&image);
        let container = Container { id: docked(&arguments), function };
        let user = docked(&["inspect", "--format", "{{.Config.User}}", &container.id]);
        assert_eq!(user, "65532:65532", "it runs as somebody else");
        container
    }
}

fn event(method: &str, path: &str, query: &Value, body: Option<&[u8]>) -> Value {
    json!({
        "resource": path, "path": path, "httpMethod": method, "queryStringParameters": query,
        "headers": {"content-type": "image/jpeg"},
        "requestContext": {
            "requestId": "image-test", "stage": "v1", "resourcePath": path, "httpMethod": method},
        "body": body.map(|body| STANDARD.encode(body)), "isBase64Encoded": body.is_some(),
    })
}

fn status_and_body(answer: &Value) -> (u64, Value) {
    (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(answer["body"].as_str().unwrap()).unwrap())
}

#[test]
fn what_was_pushed_runs_as_a_bare_container_and_uploads_and_lists() {
    if docker_is_missing() {
        return;
    }
    let stack = Stack::new("docker");
    stack.json(&["apply", "--yes", "--package", "image"]);
    let (door, runtime) = (Door::open(&stack.emulator.endpoint), Runtime::start());
    let host = Host { stack: &stack, door: &door, runtime: &runtime };

    let upload = host.run("upload", Trust::Ours);
    let picture = std::fs::read(&pictures()[0]).unwrap();
    let upload_event = event("POST", "/upload", &json!({"fileName": "写真.jpg"}), Some(&picture));
    let answer = runtime.invoke(&upload, &upload_event);
    let (status, image) = status_and_body(&answer);
    assert_eq!(status, 201, "{answer}\n{}", upload.logs());
    let list = host.run("list", Trust::Ours);
    let list_event = event("GET", "/list", &json!({"limit": "5"}), None);
    let answer = runtime.invoke(&list, &list_event);
    let (status, page) = status_and_body(&answer);
    assert_eq!(status, 200, "{answer}\n{}", list.logs());
    assert_eq!(page["images"][0]["imageId"], image["imageId"]);
    assert_eq!(page["images"][0]["fileName"], "写真.jpg");
    assert!(page["images"][0]["downloadUrl"].as_str().unwrap().starts_with(&format!("https://{NAME}:")));

    drop(list);
    // It was TLS to that name that carried it, and what does not trust its root gets nothing.
    assert!(door.connections() >= 2, "nothing came through the door");
    let stranger = host.run("list", Trust::Nothing);
    let (status, _) = status_and_body(&runtime.invoke(&stranger, &list_event));
    assert!((500..600).contains(&status), "{status}\n{}", stranger.logs());
    stack.json(&["destroy", "--yes", "--delete-images"]);
}

#[test]
fn the_dockerfile_makes_the_same_image_from_the_same_binary() {
    if docker_is_missing() {
        return;
    }
    let stack = Stack::new("dockerfile");
    stack.json(&["apply", "--yes", "--package", "image"]);
    let seen = stack.emulator.witness(&["function", "cloudpix-dockerfile-list"]);
    let (_, digest) = seen["code"]["ImageUri"].as_str().unwrap().split_once('@').unwrap();
    let registry = stack.emulator.endpoint.replace("http://localhost", "127.0.0.1");
    let ours = format!("{registry}/cloudpix-dockerfile-list@{digest}");
    docked(&["pull", "--quiet", &ours]);
    let context = tempfile::tempdir().unwrap();
    std::fs::copy(binaries().join("list"), context.path().join("list")).unwrap();
    let (dockerfile, theirs) = (root().join("Dockerfile"), "cloudpix-test:list");
    let mut arguments = vec!["build", "--quiet", "--target", "prebuilt", "--tag", theirs];
    arguments.extend(["--build-arg", "FUNCTION=list", "--build-arg", "RELEASE=."]);
    docked(
        &[&arguments[..], &["--file", dockerfile.to_str().unwrap(), context.path().to_str().unwrap()]]
            .concat(),
    );

    let look = |image: &str| {
        let inspect = |format: &str| docked(&["image", "inspect", "--format", format, image]);
        let settings = inspect(
            "{{json .Config.Entrypoint}} {{.Config.User}} {{.Config.WorkingDir}} {{.Os}}/{{.Architecture}}",
        );
        let labels: Value = serde_json::from_str(&inspect("{{json .Config.Labels}}")).unwrap();
        let label = |name: &str| labels[format!("org.opencontainers.image.{name}")].clone();
        let container = Container { id: docked(&["create", image]), function: "list" };
        let file = tempfile::NamedTempFile::new().unwrap();
        docked(&["cp", &format!("{}:/bootstrap", container.id), file.path().to_str().unwrap()]);
        let layers = inspect("{{len .RootFS.Layers}}");
        (
            settings,
            ["title", "description", "licenses"].map(label),
            layers,
            std::fs::read(file.path()).unwrap(),
        )
    };
    assert!(look(&ours) == look(theirs), "the Dockerfile's image differs from ours");
    docked(&["image", "rm", theirs]);
    stack.json(&["destroy", "--yes"]);
}
