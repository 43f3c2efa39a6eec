//! What an image says of where it comes from: the commit that its function's sources are of.
//!
//! It is the last commit that touched them, not the last one of all, so that a commit which changes
//! no function changes no image.

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
    /// Of the repository that the working folder is in. `None` without Git or a repository of CloudPix,
    /// and in a shallow clone, which does not know who touched what.
    pub fn of(function: Function) -> Option<Source> {
        if git(&["rev-parse", "--is-shallow-repository"])? != "false" {
            return None;
        }
        let own = format!(":/lambdas/{}", function.name());
        let shared = ["contract", "catalog", "gateway"].map(|name| format!(":/lambdas/{name}"));
        let mut paths = vec!["--", &own, ":/Cargo.toml", ":/Cargo.lock"];
        paths.extend(shared.iter().map(String::as_str));
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

/// What Git answers, trimmed; `None` where it answers an error or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
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
