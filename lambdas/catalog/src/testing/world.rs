//! An AWS that keeps what it is given: a bucket and a table, as far as the functions use them. It can
//! be told to break off, so that a test can look at what a crash leaves behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::{Call, aws, dynamodb_error, s3_error};
use crate::aws::Aws;

#[derive(Clone, Debug, Default)]
pub struct World(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    objects: BTreeMap<String, Vec<u8>>,
    items: BTreeMap<String, Value>,
    calls: Vec<String>,
    broken: Option<Break>,
}

/// From a call on, counted from the last [`World::breaks`], nothing gets through any more; of that
/// call itself, the answer at least.
#[derive(Clone, Copy, Debug)]
pub struct Break {
    pub at: usize,
    pub takes_effect: bool,
}

impl World {
    pub fn aws(&self) -> Aws {
        let world = self.clone();
        aws(move |call| world.kept().answer(call)).0
    }

    /// Breaks off later on, or works again. Forgets the calls so far.
    pub fn breaks(&self, broken: Option<Break>) {
        let mut kept = self.kept();
        kept.broken = broken;
        kept.calls.clear();
    }

    /// Names of the calls that got an answer.
    pub fn calls(&self) -> Vec<String> {
        self.kept().calls.clone()
    }

    /// The bytes of each object, by key.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.kept().objects.clone()
    }

    /// The items that are records, by image id.
    pub fn records(&self) -> BTreeMap<String, Value> {
        let items = self.kept().items.clone();
        items.into_iter().filter(|(id, _)| !id.starts_with(contract::CLAIM_PREFIX)).collect()
    }

    /// Ids of the images that the indexes hold.
    pub fn listed(&self) -> Vec<String> {
        let records = self.records().into_iter();
        records.filter(|(_, item)| item.get("UploadOrder").is_some()).map(|(id, _)| id).collect()
    }

    /// Changes a record as the function that checks sent objects would.
    pub fn set(&self, image_id: &str, attributes: &Value) {
        let mut kept = self.kept();
        let item = kept.items.entry(image_id.to_owned()).or_default();
        for (name, value) in attributes.as_object().into_iter().flatten() {
            item[name] = value.clone();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn answer(&mut self, call: &Call) -> (u16, String) {
        let number = self.calls.len();
        let refused = || {
            let of_s3 = call.name.ends_with("object");
            if of_s3 {
                (403, s3_error("AccessDenied"))
            } else {
                (400, dynamodb_error("AccessDeniedException"))
            }
        };
        match self.broken {
            Some(broken) if number > broken.at => return refused(),
            Some(broken) if number == broken.at => {
                self.calls.push(call.name.clone());
                if broken.takes_effect {
                    self.act(call);
                }
                return refused();
            }
            _ => self.calls.push(call.name.clone()),
        }
        self.act(call)
    }

    fn act(&mut self, call: &Call) -> (u16, String) {
        let path = call.uri.split('?').next().unwrap_or_default();
        let key = path.find("uploads/").map_or("", |at| &path[at..]).to_owned();
        match call.name.as_str() {
            "PUT object" if self.objects.contains_key(&key) => (412, s3_error("PreconditionFailed")),
            "PUT object" => {
                self.objects.insert(key, call.body.clone());
                (200, String::new())
            }
            "DELETE object" => {
                self.objects.remove(&key);
                (204, String::new())
            }
            _ => match self.item(&call.name, &call.json()) {
                Ok(answer) => (200, answer.to_string()),
                Err(there) => {
                    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
                    (400, json!({ "__type": kind, "Item": there }).to_string())
                }
            },
        }
    }

    /// What a call to the table answers, or the item that its condition refused.
    fn item(&mut self, name: &str, asked: &Value) -> Result<Value, Value> {
        let id = |holder: &str| asked[holder]["ImageID"]["S"].as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i64>().ok());
        let now = number(&asked["ExpressionAttributeValues"][":now"]);
        match name {
            "PutItem" => {
                let may_replace_expired =
                    asked["ConditionExpression"].as_str().is_some_and(|c| c.contains(" OR "));
                let there = self.items.get(&id("Item"));
                let stays = |there: &&Value| !may_replace_expired || number(&there["ExpiresAt"]) > now;
                if let Some(there) = there.filter(stays) {
                    return Err(there.clone());
                }
                self.items.insert(id("Item"), asked["Item"].clone());
                Ok(json!({}))
            }
            "GetItem" => Ok(self.items.get(&id("Key")).map_or(json!({}), |item| json!({ "Item": item }))),
            "DeleteItem" => {
                self.items.remove(&id("Key"));
                Ok(json!({}))
            }
            "UpdateItem" => {
                let Some(item) = self.items.get_mut(&id("Key")) else { return Err(Value::Null) };
                let hides =
                    asked["UpdateExpression"].as_str().is_some_and(|update| update.contains("REMOVE"));
                let status = item["ImageStatus"]["S"].as_str().unwrap_or_default().to_owned();
                let expired = number(&item["ExpiresAt"]).is_some_and(|expires| Some(expires) <= now);
                if hides && (status == "deleted" || expired) || !hides && status != "deleting" {
                    return Err(item.clone());
                }
                item["ImageStatus"]["S"] = if hides { "deleting" } else { "deleted" }.into();
                if let Some(item) = item.as_object_mut() {
                    for name in ["UploadDate", "UploadOrder", "Owner", "ExpiresAt"] {
                        item.remove(name);
                    }
                    if !hides {
                        item.insert(
                            "ExpiresAt".to_owned(),
                            asked["ExpressionAttributeValues"][":expires"].clone(),
                        );
                    }
                }
                Ok(json!({ "Attributes": item }))
            }
            _ => Ok(json!({ "Items": [] })),
        }
    }
}
