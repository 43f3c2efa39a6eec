//! What an image says of where it comes from: the commit that its function's sources are of.
//!
//! It is the last commit that touched them, not the last one of all, so that a commit which changes
//! no function changes no image.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use contract::Function;
use jiff::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where the repository is to be seen; `None` where it has no address but a local one.
    pub url: Option<String>,
    /// The commit's hash, with `-dirty` where sources differ from it.
    pub revision: String,
    /// When it was committed, RFC 3339 in UTC.
    pub created: String,
}

impl Source {
    /// The source of a function in the repository that the working folder is in. `None` without Git or a repository
    /// of CloudPix, and in a shallow clone, which does not know who touched what.
    pub fn of(function: Function) -> Option<Source> {
        Source::within(Path::new("."), function)
    }

    fn within(folder: &Path, function: Function) -> Option<Source> {
        let git = |arguments: &[&str]| git(folder, arguments);
        if git(&["rev-parse", "--is-shallow-repository"])? != "false" {
            return None;
        }
        let crates = crates(Path::new(&git(&["rev-parse", "--show-toplevel"])?), function.name())?;
        // Sources that were unpacked inside somebody else's repository are of none of its commits.
        let manifests: Vec<_> = crates.iter().map(|name| format!(":/lambdas/{name}/Cargo.toml")).collect();
        let manifests = manifests.iter().map(String::as_str).chain([":/provision/Cargo.toml"]);
        git(&["ls-files", "--error-unmatch", "--"].into_iter().chain(manifests).collect::<Vec<_>>())?;
        let folders: Vec<_> = crates.iter().map(|name| format!(":/lambdas/{name}")).collect();
        let mut paths = vec!["--", ":/Cargo.toml", ":/Cargo.lock"];
        paths.extend(folders.iter().map(String::as_str));
        let with = |arguments: &[&'static str]| git(&[arguments, &paths].concat());
        let commit = with(&["log", "-1", "--format=%H %ct"])?;
        let (hash, seconds) = commit.split_once(' ')?;
        let created = Timestamp::from_second(seconds.parse().ok()?).ok()?;
        let dirty = if with(&["status", "--porcelain"])?.is_empty() { "" } else { "-dirty" };
        Some(Source {
            url: git(&["remote", "get-url", "origin"]).and_then(|remote| address(&remote)),
            revision: format!("{hash}{dirty}"),
            created: created.to_string(),
        })
    }
}

/// The crates of the repository at `top` that a function is made of, its own among them, by their folders' names.
/// `None` where their manifests are not there.
fn crates(top: &Path, function: &str) -> Option<BTreeSet<String>> {
    let (mut found, mut unread) = (BTreeSet::new(), vec![function.to_owned()]);
    while let Some(name) = unread.pop() {
        let manifest = std::fs::read_to_string(top.join("lambdas").join(&name).join("Cargo.toml")).ok()?;
        let manifest: toml::Table = manifest.parse().ok()?;
        for kind in ["dependencies", "build-dependencies"] {
            let names =
                manifest.get(kind).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            // What has no folder here is from the registry, whose versions Cargo.lock holds.
            unread.extend(names.filter(|name| top.join("lambdas").join(name).is_dir()).cloned());
        }
        found.insert(name);
        unread.retain(|name| !found.contains(name));
    }
    Some(found)
}

/// What Git prints, trimmed; `None` where it fails or is not there.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The same for whatever way the repository was cloned by, and without anybody's credentials.
fn address(remote: &str) -> Option<String> {
    let rest = match remote.split_once("://") {
        Some(("https" | "ssh", rest)) => rest.to_owned(),
        Some(_) => return None,
        // git@host:owner/repository.git
        None => {
            let (host, path) = remote.split_once(':')?;
            format!("{host}/{path}")
        }
    };
    let (authority, path) = rest.split_once('/')?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    let path = path.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    let whole = format!("https://{host}/{}", path.strip_suffix(".git").unwrap_or(path));
    (host.contains('.') && path.chars().all(plain)).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is needed of a repository of CloudPix.
    fn lay(folder: &Path) {
        let manifests = [
            ("lambdas/list", "[dependencies]\ncatalog.workspace = true\nanyhow = \"1\""),
            ("lambdas/process", "[dependencies]\ncatalog.workspace = true\nthumbnail.workspace = true"),
            ("lambdas/catalog", "[dependencies]\ncontract = { workspace = true }"),
            ("lambdas/contract", ""),
            ("lambdas/thumbnail", ""),
            ("provision", ""),
        ];
        for (name, manifest) in manifests {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            std::fs::write(folder.join(name).join("Cargo.toml"), manifest).unwrap();
        }
    }

    fn commit(folder: &Path, path: &str) -> String {
        let run = |arguments: &[&str]| git(folder, arguments).unwrap_or_else(|| panic!("git {arguments:?}"));
        run(&["add", path]);
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        run(&[&who[..], &["commit", "--quiet", "--message", path]].concat());
        run(&["rev-parse", "HEAD"])
    }

    #[test]
    fn an_image_is_of_the_commit_that_last_touched_any_crate_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        git(folder, &["init", "--quiet"]).unwrap();
        lay(folder);
        let first = commit(folder, ".");
        std::fs::write(folder.join("lambdas/thumbnail/lib.rs"), "").unwrap();
        let revision = |function| Source::within(folder, function).unwrap().revision;
        assert_eq!(revision(Function::Process), format!("{first}-dirty"));
        let second = commit(folder, ".");
        assert_eq!([Function::List, Function::Process].map(revision), [first, second]);
    }

    #[test]
    fn sources_inside_another_repository_are_of_none_of_its_commits() {
        let folder = tempfile::tempdir().unwrap();
        let (outer, inner) = (folder.path(), folder.path().join("third-party/cloudpix"));
        git(outer, &["init", "--quiet"]).unwrap();
        std::fs::write(outer.join("Cargo.toml"), "").unwrap();
        commit(outer, ".");
        lay(&inner);
        assert_eq!(Source::within(&inner, Function::List), None);
        // Not even if it has folders of these names.
        lay(outer);
        assert_eq!(Source::within(&inner, Function::List), None);
    }

    #[test]
    fn the_crates_of_a_function_are_found() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let of = |function: Function| crates(top, function.name()).unwrap();
        let shared = ["catalog", "contract"].map(str::to_owned);
        assert!(
            Function::ALL.into_iter().all(|function| shared.iter().all(|name| of(function).contains(name)))
        );
        assert!(of(Function::Process).contains("thumbnail") && !of(Function::List).contains("thumbnail"));
        assert!(of(Function::Upload).contains("upload") && of(Function::Upload).contains("api"));
    }

    /// A crate of ours is found by its folder, so its name must be that of its folder, and no other crate's.
    #[test]
    fn a_crate_has_the_name_of_its_folder_everywhere() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let read = |path: &str| -> toml::Table {
            std::fs::read_to_string(top.join(path).join("Cargo.toml")).unwrap().parse().unwrap()
        };
        let dependencies = read("")["workspace"]["dependencies"].as_table().unwrap().clone();
        for folder in top.join("lambdas").read_dir().unwrap() {
            let name = folder.unwrap().file_name().into_string().unwrap();
            let manifest = read(&format!("lambdas/{name}"));
            assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()));
            for kind in ["dependencies", "build-dependencies"] {
                for (key, value) in manifest.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                    let is_ours = top.join("lambdas").join(key).is_dir();
                    assert!(value.get("path").is_none(), "{name}: {key} is not of the workspace");
                    let path = dependencies.get(key).and_then(|it| it.get("path")?.as_str());
                    let expected = is_ours.then(|| format!("lambdas/{key}"));
                    assert_eq!(path, expected.as_deref(), "{name}: {key}");
                }
            }
        }
    }

    #[test]
    fn an_address_is_the_same_however_it_was_cloned_and_holds_no_secret() {
        for remote in [
            "https://example.com/owner/repository.git",
            "https://name:secret@example.com/owner/repository",
            "ssh://git@example.com:2222/owner/repository.git",
            "git@example.com:owner/repository.git",
        ] {
            assert_eq!(address(remote).as_deref(), Some("https://example.com/owner/repository"), "{remote}");
        }
        for remote in ["/srv/git/repository", "file:///srv/git", "../other", "C:/work/repository", ""] {
            assert_eq!(address(remote), None, "{remote}");
        }
    }
}
