//! `provision rollback`: lets the API call an earlier version of a function.

use std::process::ExitCode;

use anyhow::{Context, bail};
use contract::Function;

use crate::aws::ecr;
use crate::aws::lambda::{self, Live, Note, Version};
use crate::cli::Common;
use crate::report;
use crate::session::{self, Existing};

pub async fn run(common: &Common, function: Function, to: Option<u64>) -> anyhow::Result<ExitCode> {
    let Existing { aws, store, names, .. } = Existing::open(common).await?;
    let _lock = session::lock(&store).await?;
    let name = names.function(function);
    let live = lambda::live(&aws, &names, function).await?;
    let live = live.with_context(|| format!("{name} has no live version; run `provision apply`"))?;
    let versions = lambda::versions(&aws, &names, function).await?;
    let Some(target) = target(&versions, &live, to).with_context(|| format!("roll back {name}"))? else {
        report::rolled_back(&name, &live.version, None, common.json)?;
        return Ok(ExitCode::SUCCESS);
    };
    if target.digest.starts_with("sha256:") {
        let image = ecr::read_image(&aws, &names, function, &target.digest).await?;
        image.with_context(|| format!("the image {} of version {} is gone", target.digest, target.number))?;
    }
    store.check_lock().await?;
    let note = Note::RolledBack { from: live.version.clone() };
    lambda::move_live(&aws, &names, function, &live, &target.number, &note).await?;
    report::rolled_back(&name, &target.number, Some(&live.version), common.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The version to go back to, or `None` where the alias is there already.
///
/// A rollback that is run again, such as after a lost connection, must not go further back by itself.
fn target<'a>(versions: &'a [Version], live: &Live, to: Option<u64>) -> anyhow::Result<Option<&'a Version>> {
    let number = |version: &str| version.parse::<u64>().unwrap_or_default();
    let older = || versions.iter().rev().find(|version| number(&version.number) < number(&live.version));
    let wanted = match (to, &live.note) {
        (Some(to), _) => versions.iter().find(|version| number(&version.number) == to),
        (None, Note::RolledBack { .. }) => return Ok(None),
        (None, Note::Moved { version, after, .. }) if *version == live.version => {
            versions.iter().find(|version| version.number == *after)
        }
        (None, _) => older(),
    };
    let Some(wanted) = wanted else {
        let there: Vec<&str> = versions.iter().map(|version| version.number.as_str()).collect();
        let what = to.map_or_else(|| format!("one before {}", live.version), |to| to.to_string());
        bail!("there is no version {what}; there are {}", there.join(", "));
    };
    Ok((wanted.number != live.version).then_some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::lambda::Trial;
    use crate::release::tests::versions;

    #[test]
    fn a_rollback_goes_one_back_once_or_where_it_is_told() {
        let all = versions(&[("8", &[]), ("9", &[]), ("10", &["live"])]);
        let go = |at: &str, note: Note, to| {
            let live = Live::at(at, note);
            target(&all, &live, to).map(|version| version.map(|version| version.number.clone()))
        };
        let back = |from: &str| Note::RolledBack { from: from.to_owned() };
        assert_eq!(go("10", Note::None, None).unwrap().as_deref(), Some("9"));
        assert_eq!(go("9", back("10"), None).unwrap(), None);
        assert_eq!(go("9", back("10"), Some(8)).unwrap().as_deref(), Some("8"));
        assert_eq!(go("9", back("10"), Some(9)).unwrap(), None);
        assert_eq!(go("9", back("10"), Some(10)).unwrap().as_deref(), Some("10"));
        let moved = Note::Moved { version: "10".to_owned(), after: "8".to_owned(), trial: Trial::Passed };
        assert_eq!(go("10", moved, None).unwrap().as_deref(), Some("8"), "9 was never kept");
        let error = go("8", Note::None, None).unwrap_err().to_string();
        assert!(error.contains("one before 8") && error.contains("8, 9, 10"), "{error}");
        assert!(go("10", Note::None, Some(7)).unwrap_err().to_string().contains("no version 7"));
    }
}
