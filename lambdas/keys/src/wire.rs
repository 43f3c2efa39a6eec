//! What owners get to see of their keys, in JSON. `openapi.yaml` describes each type under its own name; a test
//! holds the two together.

use contract::Scope;
use image::moment::rfc3339;
use serde::{Deserialize, Serialize};

use crate::record::Key;
use crate::secret::Secret;

/// A key as its owner sees it ever after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownKey {
    pub key_id: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: String,
    /// Absent of a key that lives until it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// To the hour; absent of a key that has not been used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

/// A key that has just been made: the only time that its text is to be seen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeKey {
    pub key: String,
    #[serde(flatten)]
    pub shown: ShownKey,
}

/// All keys of an owner, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    pub keys: Vec<ShownKey>,
    pub count: usize,
}

impl ShownKey {
    pub fn new(key: &Key) -> ShownKey {
        let Key { key_id, owner: _, name, scopes, created_at, expires_at, last_used_at } = key;
        ShownKey {
            key_id: key_id.to_string(),
            name: name.as_str().to_owned(),
            scopes: scopes.iter().map(Scope::name).map(str::to_owned).collect(),
            created_at: rfc3339(*created_at),
            expires_at: expires_at.map(rfc3339),
            last_used_at: last_used_at.map(rfc3339),
        }
    }
}

impl MadeKey {
    pub fn new(secret: &Secret, key: &Key) -> MadeKey {
        MadeKey { key: secret.text().to_owned(), shown: ShownKey::new(key) }
    }
}

impl KeyList {
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a Key>) -> KeyList {
        let keys: Vec<_> = keys.into_iter().map(ShownKey::new).collect();
        KeyList { count: keys.len(), keys }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;

    fn openapi() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.yaml");
        serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Reads an example of the documentation and writes it as it was. One that has every property that its
    /// schema knows shows that there is none that we do not send.
    #[track_caller]
    fn check<T: Serialize + DeserializeOwned>(operation: &str, status: &str, schema: &str) {
        let openapi = openapi();
        let content = openapi.pointer(&format!("/paths/{operation}/responses/{status}/content"));
        let example = &content.unwrap()["application/json"]["example"];
        let value: T = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&value).unwrap(), *example);
        assert_eq!(names(&openapi["components"]["schemas"][schema]["properties"]), names(example));
    }

    fn names(object: &Value) -> BTreeSet<&String> {
        object.as_object().unwrap().keys().collect()
    }

    #[test]
    fn the_examples_in_openapi_are_of_these_types() {
        check::<MadeKey>("~1keys/post", "201", "MadeKey");
        check::<KeyList>("~1keys/get", "200", "KeyList");
        let openapi = openapi();
        let list =
            &openapi["paths"]["/keys"]["get"]["responses"]["200"]["content"]["application/json"]["example"];
        assert_eq!(names(&openapi["components"]["schemas"]["Key"]["properties"]), names(&list["keys"][0]));
    }
}
