//! What `deploy`, `rollback` and `versions` say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use contract::Function;
use serde_json::{Map, Value, json};

use super::outcome::done_json;
use super::{out, talk};
use crate::apply::Done;
use crate::aws::lambda::{Note, Version};
use crate::plan::Plan;
use crate::stack::place::Names;

/// `tried`: of each function that had a new version, its number.
pub fn deployed(
    plan: &Plan,
    done: &[Done<'_>],
    tried: &BTreeMap<Function, String>,
    names: &Names,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        let tried: Map<String, Value> =
            tried.iter().map(|(function, version)| (names.function(*function), json!(version))).collect();
        let report =
            json!({"applied": done_json(done, names), "unchanged": plan.unchanged.len(), "live": tried});
        return out(&format!("{report:#}\n"));
    }
    for (function, version) in tried {
        talk(&format!("{} answers as version {version}\n", names.function(*function)));
    }
    if done.is_empty() && tried.is_empty() {
        talk("nothing to change\n");
    }
    Ok(())
}

/// By function, its versions from old to new and what its alias says of itself.
pub fn versions(all: &BTreeMap<String, (Vec<Version>, Note)>, json: bool) -> anyhow::Result<()> {
    if json {
        let value =
            |(versions, note): &(Vec<Version>, Note)| json!({"versions": versions, "live": note.to_string()});
        let all: Map<String, Value> = all.iter().map(|(name, one)| (name.clone(), value(one))).collect();
        return out(&format!("{:#}\n", Value::Object(all)));
    }
    out(&all.iter().map(|(name, (versions, note))| text(name, versions, note)).collect::<String>())
}

fn text(name: &str, versions: &[Version], note: &Note) -> String {
    let mut text = format!("{name}\n");
    for one in versions.iter().rev() {
        let digest = one.digest.trim_start_matches("sha256:");
        let digest: String = digest.chars().take(12).collect();
        let changed = one.changed.split('.').next().unwrap_or_default();
        let aliases: Vec<&str> = one.aliases.iter().map(String::as_str).collect();
        let line = format!("{:>6}  {changed}  {digest}  {}", one.number, aliases.join(", "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if *note != Note::None {
        let _ = writeln!(text, "        {note}");
    }
    text
}

/// `from` is the version that was live, or `None` where nothing was done.
pub fn rolled_back(name: &str, version: &str, from: Option<&str>, json: bool) -> anyhow::Result<()> {
    if json {
        return out(&format!("{:#}\n", json!({"function": name, "live": version, "from": from})));
    }
    match from {
        Some(from) => talk(&format!("{name}: version {version} is live, and no more {from}\n")),
        None => talk(&format!(
            "{name}: version {version} is live already; to go further back, say to which: --to VERSION\n"
        )),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn versions_stand_newest_first_with_what_the_api_calls() {
        let version = |number: &str, digest: &str, aliases: &[&str]| Version {
            number: number.to_owned(),
            changed: "2026-11-23T04:05:06.789+0000".to_owned(),
            memory: 512,
            digest: digest.to_owned(),
            aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        };
        let versions = [
            version("9", "sha256:0123456789abcdef0123", &["live"]),
            version("10", "sha256:fedcba98765432100123", &[]),
        ];
        let note = Note::RolledBack { from: "10".to_owned() };
        assert_snapshot!(text("cloudpix-list", &versions, &note), @r"
        cloudpix-list
            10  2026-11-23T04:05:06  fedcba987654
             9  2026-11-23T04:05:06  0123456789ab  live
                rolled back from version 10
        ");
    }
}
