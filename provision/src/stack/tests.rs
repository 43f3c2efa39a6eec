use serde_json::Value;

use super::*;
use crate::settings;

/// What an earlier version made is what this one wants: another name or field would be a change to every stack that
/// there is, and perhaps a loss. `recorded/stack.json` was written by the last version before `Resource` knew its id.
#[test]
fn a_stack_of_an_earlier_version_is_wanted_as_it_is() {
    let recorded: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("recorded/stack.json")).unwrap();
    let settings = settings::parse(include_str!("recorded/cloudpix.toml"), "default").unwrap();
    let place = Place {
        partition: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        plain_http: false,
    };
    let names = Names::new("default", "eu-west-1", "abcd1234");
    // Functions that came since are no part of it.
    let known = Function::ALL
        .into_iter()
        .filter(|function| recorded.contains_key(&format!("Lambda function {}", names.function(*function))));
    let code = known.map(|function| {
        let (package, digest) = (Package::Image, format!("sha256:{}", function.name()));
        (function, Code { package, digest, architecture: "arm64".to_owned() })
    });
    let wanted = desired(&settings, &place, &names, &code.collect());
    let wanted: BTreeMap<String, Value> = wanted
        .iter()
        .map(|(id, is)| (format!("{} {}", id.kind(), names.of(*id)), serde_json::to_value(is).unwrap()))
        .collect();
    assert_eq!(wanted.keys().collect::<Vec<_>>(), recorded.keys().collect::<Vec<_>>());
    for (name, fields) in &recorded {
        assert_eq!(&wanted[name], fields, "{name}");
    }
}
