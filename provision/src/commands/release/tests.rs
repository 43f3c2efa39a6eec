use super::*;

fn versions(numbers: &[(&str, &[&str])]) -> Vec<Version> {
    let version = |(number, aliases): &(&str, &[&str])| Version {
        number: (*number).to_owned(),
        changed: String::new(),
        memory: 256,
        digest: format!("sha256:{number}"),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
    };
    numbers.iter().map(version).collect()
}

#[test]
fn the_newest_stay_and_whatever_an_alias_uses() {
    let all = versions(&[("1", &[]), ("2", &["live"]), ("3", &[]), ("9", &["theirs"]), ("10", &[])]);
    let (stay, go) = split(&all, 2);
    let numbers = |all: Vec<&Version>| all.iter().map(|one| one.number.clone()).collect::<Vec<_>>();
    assert_eq!(
        (numbers(stay), numbers(go)),
        (vec!["2".into(), "9".into(), "10".into()], vec!["1".into(), "3".into()])
    );
    assert!(split(&all, 10).1.is_empty());
}

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
