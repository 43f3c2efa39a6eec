//! What S3 says has happened:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>.

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// An event of S3, or any other: what holds no records asks for nothing.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "Records", default)]
    records: Vec<Notice>,
}

#[derive(Debug, Deserialize)]
struct Notice {
    #[serde(rename = "eventName", default)]
    name: String,
    s3: Entity,
}

#[derive(Debug, Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Object {
    key: String,
    #[serde(rename = "versionId")]
    version: Option<String>,
}

/// How an object came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By one request, as a presigned URL allows it.
    Put,
    /// S3 made it of another object, as it does when `process` itself completes one.
    Copied,
    /// In parts or by a form, which no URL of ours allows.
    Otherwise,
}

/// An object that is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) way: Way,
    /// Which version of the object this is about, where that is told.
    pub(crate) version: Option<String>,
}

impl Event {
    /// The new objects, each once. What is no UTF-8 in a key is replaced.
    pub(crate) fn arrivals(self) -> Vec<Arrival> {
        let mut arrivals: Vec<Arrival> = Vec::new();
        for Notice { name, s3 } in self.records {
            // Keys come as in an HTML form: `+` is a space.
            let key = s3.object.key.replace('+', " ");
            let key = percent_decode_str(&key).decode_utf8_lossy().into_owned();
            let way = match name.rsplit_once("ObjectCreated:") {
                Some((_, "Put")) => Way::Put,
                Some((_, "Copy")) => Way::Copied,
                _ => Way::Otherwise,
            };
            let arrival = Arrival { bucket: s3.bucket.name, key, way, version: s3.object.version };
            if !arrivals.contains(&arrival) {
                arrivals.push(arrival);
            }
        }
        arrivals
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn arrivals(event: &Value) -> Vec<Arrival> {
        serde_json::from_value::<Event>(event.clone()).unwrap().arrivals()
    }

    #[test]
    fn an_event_of_s3_names_new_objects() {
        let record = |name: &str, key: &str| {
            json!({
                "eventVersion": "2.1",
                "eventName": name,
                "s3": {
                    "bucket": { "name": "pictures" },
                    "object": { "key": key, "size": 70, "versionId": "1.a" },
                },
            })
        };
        let event = json!({ "Records": [
            record("ObjectCreated:Put", "uploads/a+b%2B%E7%8C%AB.png"),
            record("ObjectCreated:Put", "uploads/a+b%2B%E7%8C%AB.png"),
            record("ObjectCreated:Copy", "uploads/x.png"),
            record("ObjectCreated:CompleteMultipartUpload", "uploads/x.png"),
        ]});
        let arrival = |key: &str, way| {
            let (bucket, key, version) = ("pictures".to_owned(), key.to_owned(), Some("1.a".to_owned()));
            Arrival { bucket, key, way, version }
        };
        assert_eq!(
            arrivals(&event),
            [
                arrival("uploads/a b+猫.png", Way::Put),
                arrival("uploads/x.png", Way::Copied),
                arrival("uploads/x.png", Way::Otherwise),
            ]
        );
    }

    #[test]
    fn an_event_without_records_asks_for_nothing() {
        // S3 sends the second one when a notification is set up.
        let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "pictures" });
        for event in [json!({}), test, json!({ "Records": [] })] {
            assert_eq!(arrivals(&event), []);
        }
    }
}
