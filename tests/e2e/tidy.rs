//! Rules for the code, as far as a program can check them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::cloud::root;

use self::modules::{Module, Name, modules, without_tests};

mod modules;

/// The crates that are deployed, and `provision`: each by its `main.rs` or `lib.rs`, where it has both by each.
fn crates() -> Vec<(PathBuf, BTreeMap<Name, Module>)> {
    let lambdas = std::fs::read_dir(root().join("lambdas")).unwrap().map(|entry| entry.unwrap().path());
    let roots = lambdas
        .chain([root().join("provision")])
        .flat_map(|folder| ["src/main.rs", "src/lib.rs"].map(|file| folder.join(file)));
    let roots: Vec<PathBuf> = roots.filter(|file| file.is_file()).collect();
    assert!(roots.len() > 8, "{roots:?}");
    roots
        .into_iter()
        .map(|root| {
            let modules = modules(&root);
            (root, modules)
        })
        .collect()
}

/// Whoever reads one file of a circle has to have read all of them before.
#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for (root, modules) in crates() {
        let taken: BTreeMap<&Name, BTreeSet<Name>> =
            modules.iter().map(|(name, module)| (name, module.takes_from(name, &modules))).collect();
        let leads_to = |from: &Name, to: &Name| {
            let (mut seen, mut unseen) = (BTreeSet::new(), vec![from]);
            while let Some(name) = unseen.pop() {
                if seen.insert(name) {
                    unseen.extend(&taken[name]);
                }
            }
            seen.contains(to)
        };
        for (name, from) in &taken {
            let back = from.iter().filter(|other| leads_to(other, name)).map(|other| other.join("/"));
            let back: Vec<String> = back.collect();
            if !back.is_empty() {
                let (name, back) = (name.join("/"), back.join(", "));
                circles.push(format!("{}: {name} takes from {back}, and that from it", root.display()));
            }
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// A method is looked for where its type is: in the same file, or in the folder of that file.
#[test]
fn a_type_has_its_methods_in_its_own_file_or_folder() {
    let mut strays = Vec::new();
    for (_, modules) in crates() {
        for (name, module) in &modules {
            for added in module.adds_to() {
                let mut homes =
                    modules.iter().filter(|(_, other)| other.defines().any(|it| it == added)).peekable();
                assert!(homes.peek().is_some(), "{}: where is {added} defined?", module.file.display());
                if !homes.any(|(home, _)| name.starts_with(home)) {
                    strays.push(format!("{} has methods of {added}", module.file.display()));
                }
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

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
        // aws.rs makes the clients, and aws/failure.rs has what all of their errors have in common.
        let home = path.to_str().unwrap().split("/src/aws/").nth(1);
        for rest in text
            .split("aws_sdk_")
            .skip(1)
            .filter(|_| !path.ends_with("src/aws.rs") && !path.ends_with("src/aws/failure.rs"))
        {
            let service: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            let service =
                service.replace("cloudwatchlogs", "logs").replace("cognitoidentityprovider", "cognito");
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
    let mut long = Vec::new();
    for (_, modules) in crates() {
        let longer = modules.into_values().filter(|module| module.lines > 330);
        long.extend(
            longer.map(|module| {
                format!("{} has {} lines without its tests", module.file.display(), module.lines)
            }),
        );
    }
    let folders = ["provision", "lambdas", "tests"];
    for path in folders.iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        if lines > 450 {
            long.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// What is read of the code here is what is meant.
#[test]
fn tests_are_left_out_and_what_a_file_takes_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir_all(folder.path().join("a")).unwrap();
    write("main.rs", "mod a;\npub mod b;\nmod c;\n#[cfg(test)]\nmod tests;\n");
    write(
        "a.rs",
        "use std::fmt;\npub(super) use crate::{b::{self, B}, c::C as D};\nmod d;\nstruct A;\nimpl<'a, T: Into<u8>> A<T>\nwhere T: fmt::Debug {}\n\
         impl fmt::Display for A {}\n#[cfg(test)]\nmod tests {\n    use crate::e;\n}\n",
    );
    write("a/d.rs", "// crate::b::B\nfn f() { super::super::c::g(); super::h() }\n");
    write("b.rs", "pub struct B;\n");
    write("c.rs", "use crate::a;\nuse crate::b;\nfn f() {\n    a::d::g()\n}\nimpl b::B {}\n");
    let modules = modules(&folder.path().join("main.rs"));
    let taken = |name: &[&str]| -> Vec<String> {
        let name: Name = name.iter().map(|&part| part.to_owned()).collect();
        modules[&name].takes_from(&name, &modules).iter().map(|other| other.join("/")).collect()
    };
    assert_eq!(modules.keys().map(|name| name.join("/")).collect::<Vec<_>>(), ["", "a", "a/d", "b", "c"]);
    assert_eq!((taken(&["a"]), taken(&["a", "d"])), (vec!["b".into(), "c".into()], vec!["c".into()]));
    assert_eq!((taken(&["b"]), taken(&["c"])), (vec![], vec!["a".into(), "a/d".into(), "b".into()]));
    let a: Name = vec!["a".to_owned()];
    assert_eq!((modules[&a].lines, modules[&a].adds_to().collect::<Vec<_>>()), (7, vec!["A"]));
    assert_eq!(modules[&a].defines().collect::<Vec<_>>(), ["A"]);
    assert_eq!(without_tests("a\n    #[cfg(test)]\n    b,\nc\n"), "a\nc\n");
}

/// `openapi.yaml` is indented by two: paths at two spaces, their methods at four, and what these have at six.
#[test]
fn the_contract_and_openapi_have_the_same_routes_and_scopes() {
    let text = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let paths = text.split("\npaths:\n").nth(1).unwrap();
    let lines = paths.lines().take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let methods = ["get", "put", "post", "delete", "patch"];
    let (mut documented, mut path): (Vec<String>, _) = (Vec::new(), "");
    for line in lines {
        if let (Some(scope), Some(last)) =
            (line.strip_prefix("      x-required-scope: "), documented.last_mut())
        {
            last.push(' ');
            last.push_str(scope);
        }
        let Some(key) = line.strip_suffix(':') else { continue };
        if key.starts_with("  /") {
            path = key.trim();
        } else if key.strip_prefix("    ").is_some_and(|method| methods.contains(&method)) {
            documented.push(format!("{} {path}", key.trim().to_uppercase()));
        }
    }
    let served = |route: &contract::Route| format!("{} {} {}", route.method, route.path, route.scope.name());
    let mut served: Vec<String> = contract::ROUTES.iter().map(served).collect();
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
        "admin_create",
        "admin_delete",
        "admin_disable",
        "admin_set",
        "admin_user",
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
        "set_user_pool",
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
