//! An AWS that keeps what it is given: a bucket and its tables, as far as the functions use them. It can
//! be told to break off, so that a test can look at what a crash leaves behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::keyring::{self, Keyring};
use super::{Call, Reply, aws, dynamodb_error, s3_error};
use crate::aws::Aws;

#[derive(Clone, Debug, Default)]
pub struct World(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// The versions of each key, oldest first.
    objects: BTreeMap<String, Vec<Version>>,
    /// How many versions there ever were.
    count: usize,
    items: BTreeMap<String, Value>,
    keys: Keyring,
    calls: Vec<String>,
    broken: Option<Break>,
}

/// An object, or nothing: a delete marker.
#[derive(Clone, Debug)]
struct Version {
    id: String,
    object: Option<Object>,
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
        let kept = self.kept();
        let current = kept.objects.keys().filter_map(|key| Some((key.clone(), kept.current(key)?.1)));
        current.map(|(key, object)| (key, object.bytes.clone())).collect()
    }

    /// How many versions of an object are kept, and paid for.
    pub fn versions(&self, key: &str) -> usize {
        let kept = self.kept();
        let all = kept.objects.get(key).into_iter().flatten();
        all.filter(|version| version.object.is_some()).count()
    }

    /// The id of an object's version.
    pub fn version(&self, key: &str) -> Option<String> {
        self.kept().current(key).map(|(id, _)| id.to_owned())
    }

    /// What an object says of itself.
    pub fn headers(&self, key: &str) -> BTreeMap<String, String> {
        let kept = self.kept();
        kept.current(key).map(|(_, object)| object.headers.iter().cloned().collect()).unwrap_or_default()
    }

    /// Puts an object as somebody with a presigned URL, or with rights of their own, would.
    pub fn send(&self, key: &str, headers: &[(&str, &str)], bytes: &[u8]) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.kept().keep(key, Some(Object { headers, bytes: bytes.to_owned() }));
    }

    /// Copies the newest version that is no delete marker onto its key, as somebody who wants it back would.
    pub fn restore(&self, key: &str) {
        let mut kept = self.kept();
        let newest = kept.objects.get(key).and_then(|all| all.iter().rev().find_map(|it| it.object.clone()));
        kept.keep(key, newest);
    }

    /// Takes a delete marker away.
    pub fn unmark(&self, key: &str) {
        let mut kept = self.kept();
        let versions = kept.objects.entry(key.to_owned()).or_default();
        versions.pop_if(|version| version.object.is_none());
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

    /// The items of the table of keys.
    pub fn keys(&self) -> Vec<Value> {
        self.kept().keys.items()
    }

    /// Ids of the images that clients can list where nobody signs in.
    pub fn listed(&self) -> Vec<String> {
        let day = |item: &Value| item.get("UploadDate").is_some();
        let listed = self.owned_by(contract::PUBLIC_OWNER);
        assert!(listed.iter().eq(self.records().iter().filter(|(_, item)| day(item)).map(|(id, _)| id)));
        listed
    }

    /// Ids of the images that `provision` finds to be being deleted.
    pub fn deleting(&self) -> Vec<String> {
        self.owned_by(contract::DELETING_OWNER)
    }

    /// Ids of the images that this owner can list.
    pub fn owned_by(&self, owner: &str) -> Vec<String> {
        let is_owned = |item: &Value| item.get("UploadOrder").is_some() && item["Owner"]["S"] == owner;
        self.records().into_iter().filter(|(_, item)| is_owned(item)).map(|(id, _)| id).collect()
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
    fn entity_tag(&self) -> String {
        format!("\"{}\"", image::digest::Sha256::of(&self.bytes))
    }

    /// Honours `Range: bytes=first-last`.
    fn read(&self, id: &str, call: &Call) -> Reply {
        if call.headers.get("if-match").is_some_and(|tag| *tag != self.entity_tag()) {
            return (412, s3_error("PreconditionFailed")).into();
        }
        let range = call.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let number = |text: &str| text.parse::<usize>().unwrap_or_default();
        let length = self.bytes.len();
        let (first, last) = range.map_or((0, length), |(first, last)| (number(first), number(last) + 1));
        if range.is_some() && first >= length {
            return (416, s3_error("InvalidRange")).into();
        }
        let bytes = self.bytes[first..last.min(length)].to_vec();
        let mut headers = self.headers.clone();
        headers.push(("etag".to_owned(), self.entity_tag()));
        headers.push(("x-amz-version-id".to_owned(), id.to_owned()));
        headers.push(("last-modified".to_owned(), "Mon, 23 Nov 2026 05:00:00 GMT".to_owned()));
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
    fn current(&self, key: &str) -> Option<(&str, &Object)> {
        let newest = self.objects.get(key)?.last()?;
        Some((&newest.id, newest.object.as_ref()?))
    }

    fn keep(&mut self, key: &str, object: Option<Object>) {
        self.count += 1;
        let id = format!("version+{}", self.count);
        self.objects.entry(key.to_owned()).or_default().push(Version { id, object });
    }

    fn delete(&mut self, key: &str, version: Option<&str>) {
        match version {
            // As in a URL.
            Some(version) => {
                let is_another = |it: &Version| it.id.replace('+', "%2B") != version;
                self.objects.entry(key.to_owned()).or_default().retain(is_another);
            }
            None => self.keep(key, None),
        }
    }

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
        let (path, query) = call.uri.split_once('?').unwrap_or((&call.uri, ""));
        let prefixes = [contract::UPLOADS_PREFIX, contract::THUMBNAILS_PREFIX];
        let key =
            prefixes.iter().find_map(|prefix| path.find(prefix)).map_or("", |at| &path[at..]).to_owned();
        let exclusive = call.headers.get("if-none-match").is_some_and(|condition| condition == "*");
        let kept = call.headers.iter().filter(|(name, _)| {
            name.starts_with("x-amz-meta-")
                || ["content-type", "content-disposition"].contains(&name.as_str())
        });
        let headers: Vec<_> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        let there = self.current(&key);
        let reply = match call.name.as_str() {
            "PUT object" if exclusive && there.is_some() => (412, s3_error("PreconditionFailed")),
            "PUT object" if call.headers.contains_key("x-amz-copy-source") => {
                match there.map(|(_, object)| object.clone()) {
                    Some(object)
                        if call.headers.get("x-amz-copy-source-if-match") != Some(&object.entity_tag()) =>
                    {
                        (412, s3_error("PreconditionFailed"))
                    }
                    Some(object) => {
                        self.keep(&key, Some(Object { headers, ..object }));
                        (200, "<CopyObjectResult/>".to_owned())
                    }
                    None => (404, s3_error("NoSuchKey")),
                }
            }
            "PUT object" => {
                self.keep(&key, Some(Object { headers, bytes: call.body.clone() }));
                (200, String::new())
            }
            "DELETE object" => {
                let version = query.split('&').find_map(|pair| pair.strip_prefix("versionId="));
                self.delete(&key, version);
                (204, String::new())
            }
            "GET object" | "HEAD object" => match there {
                Some((id, object)) => return object.read(id, call),
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
        if asked["TableName"] == keyring::TABLE {
            return self.keys.answer(name, asked);
        }
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
                    asked["UpdateExpression"].as_str().is_some_and(|update| update.contains(":deleting"));
                let status = item["ImageStatus"]["S"].as_str().unwrap_or_default().to_owned();
                let expired = number(&item["ExpiresAt"]).is_some_and(|expires| Some(expires) <= now);
                let values = &asked["ExpressionAttributeValues"];
                let is_foreign = owner_of(item) != values[":owner"]["S"];
                if hides && (status == "deleted" || expired || is_foreign) || !hides && status != "deleting" {
                    return Err(item.clone());
                }
                item["ImageStatus"]["S"] = if hides { "deleting" } else { "deleted" }.into();
                let sets = if hides {
                    vec![
                        ("UploadOrder", &values[":order"]),
                        ("Owner", &values[":nobody"]),
                        ("FormerOwner", &values[":owner"]),
                    ]
                } else {
                    vec![("ExpiresAt", &values[":expires"])]
                };
                if let Some(item) = item.as_object_mut() {
                    for name in ["UploadDate", "UploadOrder", "Owner", "ExpiresAt"] {
                        item.remove(name);
                    }
                    item.extend(sets.into_iter().map(|(name, value)| (name.to_owned(), value.clone())));
                }
                Ok(json!({ "Attributes": item }))
            }
            "Query" => Ok(json!({ "Items": self.query(asked) })),
            _ => Ok(json!({})),
        }
    }

    /// What an index has of a partition between two bounds, both included.
    fn query(&self, asked: &Value) -> Vec<&Value> {
        let values = &asked["ExpressionAttributeValues"];
        let partition = asked["ExpressionAttributeNames"]["#partition"].as_str().unwrap_or_default();
        let order = |item: &&Value| item["UploadOrder"]["S"].as_str().unwrap_or_default().to_owned();
        let between = |item: &&Value| {
            let bound = |name: &str| values[name]["S"].as_str().unwrap_or_default().to_owned();
            (bound(":low")..=bound(":high")).contains(&order(item))
        };
        let items = self.items.values().filter(|item| item.get("UploadOrder").is_some());
        let mut found: Vec<_> =
            items.filter(|item| item[partition] == values[":partition"]).filter(between).collect();
        found.sort_by_key(order);
        if asked["ScanIndexForward"] == false {
            found.reverse();
        }
        found.truncate(asked["Limit"].as_u64().and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX));
        found
    }

    /// The calls that are on the condition of a status, as those of `index::arrival` are. `None` if there
    /// is more to say of one.
    fn arrived(&mut self, name: &str, condition: &str, asked: &Value) -> Option<Result<Value, Value>> {
        let values = &asked["ExpressionAttributeValues"];
        let holder = if name == "PutItem" { "Item" } else { "Key" };
        let id = asked[holder]["ImageID"]["S"].as_str().unwrap_or_default().to_owned();
        let wanted = &values[condition.split(' ').nth(2).unwrap_or_default()];
        let there = self.items.get(&id).cloned().unwrap_or_default();
        let named = |name: &str| asked["ExpressionAttributeNames"][name].as_str().unwrap_or_default();
        let holds = |part: &str| match part.split_once(" = ") {
            Some((name, value)) => there[named(name)] == values[value],
            None => {
                let name = part.trim_start_matches("attribute_not_exists(").trim_end_matches(')');
                there.get(named(name)).is_none()
            }
        };
        if !condition.split(" AND ").all(holds) {
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

/// Whose image it is, or was.
fn owner_of(item: &Value) -> &str {
    let text = |name: &str| item[name]["S"].as_str();
    let owner =
        text("FormerOwner").or_else(|| text("Owner").filter(|owner| *owner != contract::DELETING_OWNER));
    owner.unwrap_or(contract::PUBLIC_OWNER)
}
