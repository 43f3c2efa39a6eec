use serde_json::Value;

use super::*;
use crate::settings;

/// Every stack that there is was made by an earlier version, and whatever differs here will be changed in each, or lost.
///
/// `recorded/stack.json` is from the version before `Resource` knew its id. Where a change is meant, such as that of a
/// further function or route, `CLOUDPIX_RECORD=1` writes it anew, and its diff says what will be changed.
#[test]
fn a_stack_of_an_earlier_version_is_wanted_as_it_is() {
    let settings = settings::parse(include_str!("recorded/cloudpix.toml"), "default").unwrap();
    let place = Place {
        partition: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        endpoint: None,
    };
    let names = Names::new("default", "eu-west-1", "abcd1234");
    let code = settings.functions.keys().map(|&function| {
        let (package, digest) = (Package::Image, format!("sha256:{}", function.name()));
        (function, Code { package, digest, architecture: "arm64".to_owned() })
    });
    let wanted = desired(&settings, &place, &names, &code.collect());
    assert!(wanted.keys().all(|id| Id::all().contains(id)), "what is not in Id::all() is never read");
    let wanted: BTreeMap<String, Value> = wanted
        .iter()
        .map(|(id, is)| (format!("{} {}", id.kind(), names.of(*id)), serde_json::to_value(is).unwrap()))
        .collect();
    if std::env::var_os("CLOUDPIX_RECORD").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/stack/recorded/stack.json");
        std::fs::write(file, format!("{:#}\n", json!(wanted))).unwrap();
        return;
    }
    let recorded: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("recorded/stack.json")).unwrap();
    assert_eq!(wanted.keys().collect::<Vec<_>>(), recorded.keys().collect::<Vec<_>>());
    for (name, fields) in &recorded {
        assert_eq!(&wanted[name], fields, "{name}");
    }
}
