//! A table of keys that keeps what it is given, as far as `access` uses one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What the table is called.
pub const TABLE: &str = "access";

#[derive(Clone, Debug, Default)]
pub(super) struct Keyring(BTreeMap<String, Value>);

impl Keyring {
    pub(super) fn items(&self) -> Vec<Value> {
        self.0.values().cloned().collect()
    }

    /// What a call answers, or the item that its condition refused.
    pub(super) fn answer(&mut self, name: &str, asked: &Value) -> Result<Value, Value> {
        let partition = |holder: &str| asked[holder]["Key"]["S"].as_str().unwrap_or_default().to_owned();
        let values = &asked["ExpressionAttributeValues"];
        match name {
            "PutItem" => {
                self.0.insert(partition("Item"), asked["Item"].clone());
                Ok(json!({}))
            }
            "GetItem" => Ok(self.0.get(&partition("Key")).map_or(json!({}), |item| json!({ "Item": item }))),
            "DeleteItem" => {
                self.0.remove(&partition("Key"));
                Ok(json!({}))
            }
            "UpdateItem" => {
                let Some(item) = self.0.get_mut(&partition("Key")) else { return Err(Value::Null) };
                let text = |value: &Value| value["S"].as_str().map(str::to_owned);
                if text(&item["LastUsed"]).is_some_and(|last| Some(last) > text(&values[":before"])) {
                    return Err(item.clone());
                }
                item["LastUsed"] = values[":now"].clone();
                Ok(json!({}))
            }
            "Query" => {
                let mut items = self.items();
                items.retain(|item| item["Owner"] == values[":owner"]);
                items.sort_by_key(|item| item["CreatedAt"]["S"].as_str().map(str::to_owned));
                Ok(json!({ "Items": items }))
            }
            other => panic!("{other} of the table of keys"),
        }
    }
}
