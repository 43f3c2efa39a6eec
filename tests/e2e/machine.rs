//! Other people's machines: what is set there that make, Cargo, pip and AWS's SDK would take for theirs.

mod probe;

use std::path::Path;
use std::process::Command;

use contract::Function;

use crate::cloud::{bare, root, skipped, stdout, text};
use probe::Probe;

/// make in the repository, with nothing of whoever runs the tests, and a rule `shown` that runs `recipe`.
fn make(recipe: &str, environment: &[(&str, &str)]) -> Command {
    let mut make = bare("make");
    make.arg("--silent").arg(format!("--eval=shown: ; @{recipe}")).current_dir(root());
    make.envs(environment.iter().copied());
    make
}

fn shown(recipe: &str, environment: &[(&str, &str)]) -> String {
    let output = make(recipe, environment).arg("shown").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    stdout(&output)
}

#[test]
fn the_local_system_takes_none_of_the_shells_settings() {
    let hostile = [
        ("AWS_PROFILE", "production"),
        ("AWS_DEFAULT_PROFILE", "production"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.example.com"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "https://dynamodb.example.com"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_CA_BUNDLE", "/nonexistent"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/production"),
        ("HTTP_PROXY", "http://proxy.example.com"),
        ("https_proxy", "http://proxy.example.com"),
        ("CLOUDPIX_ENV", "production"),
        ("CLOUDPIX_FUNCTIONS", "/nonexistent"),
    ];
    let seen = shown("$(LOCAL_AWS) env", &hostile);
    let names: Vec<&str> = seen.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let aws: Vec<_> = names.iter().filter(|name| name.starts_with("AWS_")).collect();
    let own = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL", "AWS_REGION"];
    assert_eq!(aws.len(), own.len(), "{seen}");
    assert!(own.iter().all(|name| names.contains(name)) && names.contains(&"PATH"), "{seen}");
    let foreign = ["example.com", "production", "/nonexistent"];
    assert!(!foreign.iter().any(|value| seen.contains(value)), "{seen}");
}

/// What a build by make gives.
fn made(probe: &Probe, environment: &[(&str, &str)]) -> String {
    let mut make = make("cargo check --quiet $(CARGO_LOCAL)", environment);
    make.arg("shown");
    probe.seen(make, "system")
}

/// This machine, as Rust names it, and the variable with its flags.
fn host() -> (String, String) {
    let said = stdout(&bare("rustc").arg("-vV").output().unwrap());
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", host.to_uppercase().replace('-', "_"));
    (host, variable)
}

fn line<'a>(seen: &'a str, name: &str) -> &'a str {
    let found = seen.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name}: {seen}"))
}

#[test]
fn the_callers_flags_come_along_and_functions_stay_static() {
    let (probe, (host, flags)) = (Probe::new(), host());
    probe.program("system/cmake", "of the system");
    let environment = [
        ("RUSTFLAGS", "-C debuginfo=0"),
        (&flags, "-C link-arg=-fuse-ld=mold"),
        ("PYTHONHOME", "/nonexistent"),
        ("PYTHONPATH", "/nonexistent"),
    ];
    let seen = made(&probe, &environment);
    assert_eq!(line(&seen, "TARGET"), host);
    assert!(
        line(&seen, "CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static"),
        "{seen}"
    );
    let given = line(&seen, "CARGO_ENCODED_RUSTFLAGS");
    for flag in ["-C link-arg=-fuse-ld=mold", "-C debuginfo=0"] {
        assert_eq!(given.matches(flag).count(), 1, "{given}");
    }
    assert!(given.matches("+crt-static").count() <= 1, "{given}");
    let seen = shown("env", &environment);
    for name in ["RUSTFLAGS=", "PYTHONHOME=", "PYTHONPATH="] {
        assert!(!seen.lines().any(|line| line.starts_with(name)), "{seen}");
    }
    // What a make that this one starts sees is the same.
    let again = shown("$(MAKE) --silent --eval='again: ; @env' again", &environment);
    assert_eq!(line(&again, &flags), line(&seen, &flags));
    assert!(line(&again, &flags).matches("debuginfo=0").count() == 1, "{again}");
    // Cargo's own settings of a folder do not decide where the binaries are.
    let seen = shown("env", &[("CARGO_BUILD_TARGET_DIR", "/nonexistent")]);
    assert!(seen.lines().any(|line| line == "CARGO_TARGET_DIR=target"), "{seen}");
    let built = shown("echo $(LOCAL)", &[("CARGO_TARGET_DIR", "/elsewhere")]);
    assert!(built.starts_with("/elsewhere/"), "{built}");

    for (name, value) in [("CARGO_ENCODED_RUSTFLAGS", "-Copt-level=0"), ("CARGO_TARGET_DIR", "/a folder")] {
        let output = make("true", &[(name, value)]).arg("need-cargo").output().unwrap();
        let said = text(&output);
        assert!(!output.status.success() && said.contains(name), "{said}");
    }
}

/// The flags and CMake are in `.cargo/config.toml`, so that nothing is known to make alone.
#[test]
fn an_editor_builds_what_make_builds() {
    let probe = Probe::new();
    let plain = || {
        let mut cargo = bare("cargo");
        cargo.args(["check", "--quiet"]);
        cargo
    };
    probe.program("system/cmake", "of the system");
    probe.program(".local/cmake/bin/cmake", "fetched");
    let (by_make, by_hand) = (made(&probe, &[]), probe.seen(plain(), "system"));
    assert_eq!(by_hand, by_make);
    assert_eq!(line(&by_hand, "TARGET"), host().0);
    assert!(line(&by_hand, "CARGO_CFG_TARGET_FEATURE").contains("crt-static"), "{by_hand}");

    assert_eq!(line(&by_hand, "cmake"), "of the system");
    assert_eq!(line(&probe.seen(plain(), "nowhere"), "cmake"), "fetched");
    probe.program("own", "the caller");
    let mut named = plain();
    named.env("CMAKE", probe.at("own"));
    assert_eq!(line(&probe.seen(named, "system"), "cmake"), "the caller");
    std::fs::remove_file(probe.at(".local/cmake/bin/cmake")).unwrap();
    let seen = probe.seen(plain(), "nowhere");
    assert!(line(&seen, "cmake").starts_with("error: CMake is missing; let make fetch it"), "{seen}");
}

#[test]
fn only_a_ci_that_says_so_is_no_terminal() {
    let destroy = |environment: &[(&str, &str)]| {
        let output = make("true", environment).args(["--dry-run", "destroy"]).output().unwrap();
        let said = text(&output);
        assert!(output.status.success() && said.contains("provision destroy"), "{said}");
        said.contains("--yes")
    };
    for no in [&[][..], &[("CI", "false")], &[("CI", "0")], &[("CI", "")], &[("YES", "0")]] {
        assert!(!destroy(no), "{no:?}");
    }
    for yes in [("CI", "true"), ("CI", "1"), ("YES", "1")] {
        assert!(destroy(&[yes]), "{yes:?}");
    }
}

/// Features are those of all packages that Cargo is asked for: for another set every SDK is compiled again.
#[test]
fn what_one_target_built_the_next_one_takes() {
    let builds = |target: &str| -> Vec<Vec<String>> {
        let output = make("true", &[]).args(["--dry-run", target]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let said = stdout(&output);
        let lines =
            said.lines().filter(|line| line.contains("cargo build") && line.contains("--profile local"));
        let name = |rest: &str| rest.split(' ').next().unwrap_or_default().to_owned();
        let packages = |line: &str| -> Vec<String> { line.split("-p ").skip(1).map(name).collect() };
        lines.map(packages).collect()
    };
    let first = builds("local");
    assert!(first.len() == 1 && first[0].len() == 1 + Function::ALL.len(), "{first:?}");
    for target in ["test", "plan", "status", "outputs", "destroy", "versions"] {
        assert_eq!(builds(target), first, "{target}");
    }
}

#[test]
fn a_space_in_the_path_makes_nothing_outside() {
    let outer = tempfile::tempdir().unwrap();
    let repository = outer.path().join("a folder");
    std::fs::create_dir_all(repository.join("local")).unwrap();
    std::fs::create_dir_all(repository.join(".local/cmake/bin")).unwrap();
    for file in ["Makefile", "local/cmake.txt"] {
        std::fs::copy(root().join(file), repository.join(file)).unwrap();
    }
    // The program `true` for Python: pip is not what this is about.
    let mut make = make("true", &[("PATH", "/usr/bin:/bin"), ("PYTHON", "true")]);
    make.current_dir(&repository).args(["shown", ".local/cmake/bin/cmake"]);
    let output = make.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(repository.join(".local/cmake/bin/cmake").is_file());
    let names = |folder: &Path| -> Vec<_> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names(outer.path()), ["a folder"]);
    assert_eq!(names(&repository).len(), 3, "{:?}", names(&repository));
}

/// What pip is given: one file of bytes for each machine, and no program of a package to run.
#[test]
fn every_package_of_pypi_is_pinned_to_its_bytes() {
    let lists = ["local", "tests", "bench/python"].map(|folder| root().join(folder));
    let files = lists.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let list = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("==")) {
            let pinned = line.ends_with(" \\") && lines[at + 1].starts_with("    --hash=sha256:");
            assert!(pinned, "{}: {line}; run local/pin.py", file.display());
        }
    }
}

/// Makes a wheel of one module in a folder, and prints its digest.
const WHEEL: &str = r#"
import hashlib, pathlib, sys, zipfile
file, about = pathlib.Path(sys.argv[1]) / "made-1.0-py3-none-any.whl", "made-1.0.dist-info/"
with zipfile.ZipFile(file, "w") as wheel:
    wheel.writestr("made.py", "")
    wheel.writestr(f"{about}METADATA", "Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
    wheel.writestr(f"{about}WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{about}RECORD", f"made.py,,\n{about}METADATA,,\n{about}WHEEL,,\n{about}RECORD,,\n")
print(hashlib.sha256(file.read_bytes()).hexdigest())
"#;

#[test]
fn what_pip_and_python_are_set_to_puts_no_package_elsewhere() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let wheel = bare("python3").args(["-c", WHEEL]).arg(folder.path()).output().unwrap();
    let digest = stdout(&wheel).trim().to_owned();
    std::fs::write(at("pip.conf"), "[global]\nuser = true\n[install]\ntarget = /nonexistent\n").unwrap();
    let install = |list: &str| {
        std::fs::write(at("list.txt"), list).unwrap();
        let mut python = bare("python3");
        python.arg("-E").arg(root().join("local/pypi.py")).arg(at("a folder")).arg(at("list.txt"));
        python
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", folder.path())
            .env("PIP_CONFIG_FILE", at("pip.conf"));
        for name in ["PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH"] {
            python.env(name, at("elsewhere"));
        }
        python.env("PIP_USER", "1").env("PIP_REQUIRE_VIRTUALENV", "1").env("PIP_NO_BINARY", ":all:");
        python.output().unwrap()
    };
    let pinned = format!("made==1.0 \\\n    --hash=sha256:{digest}\n");
    let output = install(&pinned);
    assert!(output.status.success(), "{}", text(&output));
    let made =
        bare(at("a folder/bin/python")).args(["-c", "import made; print(made.__file__)"]).output().unwrap();
    assert!(stdout(&made).starts_with(at("a folder").to_str().unwrap()), "{}", text(&made));
    assert!(!at("elsewhere").exists());

    let other: String = digest.chars().rev().collect();
    for wrong in ["made==1.0\n".to_owned(), pinned.replace(&digest, &other)] {
        let output = install(&wrong);
        let said = text(&output);
        assert!(!output.status.success() && said.contains("pip could not install"), "{wrong}: {said}");
    }
}
