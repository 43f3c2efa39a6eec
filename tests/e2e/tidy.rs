//! Rules of the house that a program can check.

use std::path::{Path, PathBuf};

use crate::cloud::root;

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

#[test]
fn one_aws_service_is_named_in_one_file_of_provision() {
    for path in rust_files(&root().join("provision/src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        // aws.rs makes the clients.
        let home = path.to_str().unwrap().split("/src/aws/").nth(1);
        for rest in text.split("aws_sdk_").skip(1).filter(|_| !path.ends_with("src/aws.rs")) {
            let service: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            let service = service.replace("cloudwatchlogs", "logs");
            let own = home.is_some_and(|home| home.split(['/', '.']).next() == Some(&service));
            assert!(own, "{} names {service}", path.display());
        }
    }
}

#[test]
fn nothing_scans_a_table() {
    for path in rust_files(&root().join("lambdas")).into_iter().chain(rust_files(&root().join("provision"))) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(".scan()"), "{}", path.display());
    }
}

#[test]
fn no_file_is_longer_than_a_reader() {
    let folders = ["provision", "lambdas", "tests"];
    for path in folders.iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 450, "{} has {lines} lines", path.display());
    }
}

/// `openapi.yaml` is indented by two: paths at two spaces, their methods at four.
#[test]
fn the_contract_and_openapi_have_the_same_routes() {
    let text = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let paths = text.split("\npaths:\n").nth(1).unwrap();
    let lines = paths.lines().take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let methods = ["get", "put", "post", "delete", "patch"];
    let (mut documented, mut path) = (Vec::new(), "");
    for line in lines {
        let Some(key) = line.strip_suffix(':') else { continue };
        if key.starts_with("  /") {
            path = key.trim();
        } else if key.strip_prefix("    ").is_some_and(|method| methods.contains(&method)) {
            documented.push(format!("{} {path}", key.trim().to_uppercase()));
        }
    }
    let mut served: Vec<String> =
        contract::ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    documented.sort();
    served.sort();
    assert_eq!(documented, served);
}

/// The SDK's methods that change something, as docs/calls.md names them: `create_bucket()` is `CreateBucket`.
#[test]
fn every_call_that_changes_something_is_in_the_table() {
    let table = std::fs::read_to_string(root().join("docs/calls.md")).unwrap();
    let verbs = [
        "abort",
        "add",
        "batch_delete",
        "complete",
        "create",
        "delete",
        "detach",
        "initiate",
        "publish",
        "put",
        "remove",
        "set_repository",
        "tag",
        "untag",
        "update",
        "upload_layer",
    ];
    let mut calls = std::collections::BTreeSet::new();
    for path in rust_files(&root().join("provision/src/aws")) {
        let text = std::fs::read_to_string(path).unwrap();
        for rest in text.split('.').skip(1) {
            let Some((name, _)) = rest.split_once("()") else { continue };
            let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let changes = verbs.iter().any(|verb| name.starts_with(&format!("{verb}_")));
            // A field of an answer.
            if is_name && changes && name != "delete_markers" {
                calls.insert(name.to_owned());
            }
        }
    }
    assert!(calls.len() > 60, "{calls:?}");
    let camel = |name: &String| -> String {
        let word = |word: &str| word[..1].to_uppercase() + &word[1..];
        name.split('_').map(word).collect()
    };
    let missing: Vec<_> =
        calls.iter().map(camel).filter(|call| !table.contains(&format!("`{call}`"))).collect();
    assert!(missing.is_empty(), "not in the table of docs/calls.md: {missing:?}");
}

/// `make` alone is a screen of a terminal, with a line left for the prompt.
#[test]
fn the_help_of_make_fits_a_screen() {
    let mut make = std::process::Command::new("make");
    // Under `make test`, a make says where it is.
    make.arg("help").current_dir(root()).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    let output = make.output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("make provision") && help.lines().count() < 24, "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}

/// docs/troubleshooting.md quotes what `provision` and the API say, in the first cell of each row.
#[test]
fn what_the_page_on_trouble_quotes_is_said_somewhere() {
    let mut source = String::new();
    for path in ["provision/src", "lambdas"].iter().flat_map(|folder| rust_files(&root().join(folder))) {
        // A string that goes on in the next line is one string.
        let text = std::fs::read_to_string(path).unwrap();
        let mut parts = text.split("\\\n");
        source.push_str(parts.next().unwrap());
        parts.for_each(|part| source.push_str(part.trim_start()));
    }
    let page = std::fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let cells = page.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    let quotes: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(quotes.len() > 30, "{quotes:?}");
    for quote in quotes.into_iter().filter(|quote| quote.contains(' ')) {
        assert!(source.contains(quote), "nobody says {quote:?}");
    }
}
