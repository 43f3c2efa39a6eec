//! An AWS that keeps what it is given: a bucket and a table, as far as the functions use them. It can
//! be told to break off, so that a test can look at what a crash leaves behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::{Call, Reply, aws, dynamodb_error, s3_error};
use crate::aws::Aws;

#[derive(Clone, Debug, Default)]
pub struct World(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    objects: BTreeMap<String, Object>,
    items: BTreeMap<String, Value>,
    calls: Vec<String>,
    broken: Option<Break>,
}

#[derive(Clone, Debug, Default)]
struct Object {
    headers: Vec<(String, String)>,
    bytes: Vec<u8>,
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
        self.kept().objects.iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect()
    }

    /// What an object says of itself.
    pub fn headers(&self, key: &str) -> BTreeMap<String, String> {
        self.kept()
            .objects
            .get(key)
            .map(|object| object.headers.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Puts an object as somebody with a presigned URL, or with rights of their own, would.
    pub fn send(&self, key: &str, headers: &[(&str, &str)], bytes: &[u8]) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.kept().objects.insert(key.to_owned(), Object { headers, bytes: bytes.to_owned() });
    }

    /// Takes an object away behind everybody's back.
    pub fn lose(&self, key: &str) {
        self.kept().objects.remove(key);
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

impl Object {
    /// Honours `Range: bytes=first-last`.
    fn read(&self, call: &Call) -> Reply {
        let range = call.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let number = |text: &str| text.parse::<usize>().unwrap_or_default();
        let length = self.bytes.len();
        let (first, last) = range.map_or((0, length), |(first, last)| (number(first), number(last) + 1));
        if range.is_some() && first >= length {
            return (416, s3_error("InvalidRange")).into();
        }
        let bytes = self.bytes[first..last.min(length)].to_vec();
        let mut headers = self.headers.clone();
        headers.push(("etag".to_owned(), "\"of the test\"".to_owned()));
        headers.push(match range {
            Some(_) => {
                ("content-range".to_owned(), format!("bytes {first}-{}/{length}", last.min(length) - 1))
            }
            None => ("content-length".to_owned(), length.to_string()),
        });
        let body = if call.name == "HEAD object" { Vec::new() } else { bytes };
        Reply { status: if range.is_some() { 206 } else { 200 }, headers, body }
    }
}

impl Kept {
    fn answer(&mut self, call: &Call) -> Reply {
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
            Some(broken) if number > broken.at => return refused().into(),
            Some(broken) if number == broken.at => {
                self.calls.push(call.name.clone());
                if broken.takes_effect {
                    self.act(call);
                }
                return refused().into();
            }
            _ => self.calls.push(call.name.clone()),
        }
        self.act(call)
    }

    fn act(&mut self, call: &Call) -> Reply {
        let path = call.uri.split('?').next().unwrap_or_default();
        let prefixes = [contract::UPLOADS_PREFIX, contract::THUMBNAILS_PREFIX];
        let key =
            prefixes.iter().find_map(|prefix| path.find(prefix)).map_or("", |at| &path[at..]).to_owned();
        let exclusive = call.headers.get("if-none-match").is_some_and(|condition| condition == "*");
        let kept = call.headers.iter().filter(|(name, _)| {
            name.starts_with("x-amz-meta-")
                || ["content-type", "content-disposition"].contains(&name.as_str())
        });
        let headers: Vec<_> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        let there = self.objects.get(&key);
        let reply = match call.name.as_str() {
            "PUT object" if exclusive && there.is_some() => (412, s3_error("PreconditionFailed")),
            "PUT object" if call.headers.contains_key("x-amz-copy-source") => {
                match self.objects.get_mut(&key) {
                    Some(object) => {
                        object.headers = headers;
                        (200, "<CopyObjectResult/>".to_owned())
                    }
                    None => (404, s3_error("NoSuchKey")),
                }
            }
            "PUT object" => {
                self.objects.insert(key, Object { headers, bytes: call.body.clone() });
                (200, String::new())
            }
            "DELETE object" => {
                self.objects.remove(&key);
                (204, String::new())
            }
            "GET object" | "HEAD object" => match there {
                Some(object) => return object.read(call),
                None if call.name == "HEAD object" => (404, String::new()),
                None => (404, s3_error("NoSuchKey")),
            },
            _ => match self.item(&call.name, &call.json()) {
                Ok(answer) => (200, answer.to_string()),
                Err(there) => {
                    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
                    (400, json!({ "__type": kind, "Item": there }).to_string())
                }
            },
        };
        reply.into()
    }

    /// What a call to the table answers, or the item that its condition refused.
    fn item(&mut self, name: &str, asked: &Value) -> Result<Value, Value> {
        let id = |holder: &str| asked[holder]["ImageID"]["S"].as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i64>().ok());
        let now = number(&asked["ExpressionAttributeValues"][":now"]);
        if let Some(condition) =
            asked["ConditionExpression"].as_str().filter(|it| it.starts_with("#status = :"))
            && let Some(outcome) = self.arrived(name, condition, asked)
        {
            return outcome;
        }
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

    /// The calls that are on the condition of a status, as those of `index::arrival` are. Nothing if there
    /// is more to say of one.
    fn arrived(&mut self, name: &str, condition: &str, asked: &Value) -> Option<Result<Value, Value>> {
        let values = &asked["ExpressionAttributeValues"];
        let holder = if name == "PutItem" { "Item" } else { "Key" };
        let id = asked[holder]["ImageID"]["S"].as_str().unwrap_or_default().to_owned();
        let wanted = &values[condition.split(' ').nth(2).unwrap_or_default()];
        let there = self.items.get(&id).cloned().unwrap_or_default();
        let is_bare = there.get("Thumbnails").is_none();
        if there["ImageStatus"] != *wanted || condition.contains("attribute_not_exists") && !is_bare {
            return Some(Err(there));
        }
        match name {
            "PutItem" => {
                self.items.insert(id, asked["Item"].clone());
            }
            "UpdateItem" if wanted["S"] == "ready" => {
                let item = self.items.entry(id).or_default();
                let names = asked["ExpressionAttributeNames"].as_object();
                for (place, name) in names.into_iter().flatten().filter(|(place, _)| *place != "#status") {
                    item[name.as_str().unwrap_or_default()] = values[place.replace('#', ":")].clone();
                }
            }
            _ => return None,
        }
        Some(Ok(json!({})))
    }
}
