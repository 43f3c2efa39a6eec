//! One image, once: repeats, deletes, and a table built again from the bucket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::cloud::{Outputs, Stack, skipped, stdout, text};
use crate::pictures::{Answer, announced_and_sent, eventually, finished, patiently, pictures, send};

impl Outputs {
    fn delete(&self, path: &str) -> Answer {
        patiently(|| send("DELETE", &format!("{}{path}", self.url), &[("x-api-key", &self.key)], b""))
    }

    fn post_with_key(&self, key: &str, body: &serde_json::Value) -> Answer {
        let headers = [
            ("x-api-key", self.key.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        patiently(|| send("POST", &format!("{}/upload", self.url), &headers, body.to_string().as_bytes()))
    }
}

#[test]
fn a_table_that_was_emptied_is_built_again_from_the_bucket_alone() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("reindex");
    let outputs = stack.outputs();
    for path in pictures() {
        let data = STANDARD.encode(std::fs::read(&path).unwrap());
        let name = format!("写真 100% {}", path.file_name().unwrap().to_str().unwrap());
        assert_eq!(outputs.post(&json!({"fileName": name, "data": data})).status, 201);
    }
    let records = || stack.emulator.witness(&["records", &outputs.table]);
    let done = || records().as_array().unwrap().iter().all(|record| record["Thumbnails"].is_object());
    assert!(eventually(done), "without thumbnails: {}", records());
    let before = records();
    let total = pictures().len();
    assert_eq!(before.as_array().unwrap().len(), total);

    let whole = stack.json(&["reindex"]);
    assert_eq!((&whole["written"], &whole["present"]), (&json!(0), &json!(total)), "{whole}");
    stack.emulator.witness(&["empty", &outputs.table]);
    assert_eq!(outputs.get("/list").json()["count"], 0);
    let rebuilt = stack.json(&["reindex"]);
    assert_eq!((&rebuilt["written"], &rebuilt["unclear"]), (&json!(total), &json!([])), "{rebuilt}");
    let mut bare = before.clone();
    for record in bare.as_array_mut().unwrap() {
        let made = ["Thumbnails", "ThumbHash", "CapturedAt", "Camera", "Orientation"];
        record.as_object_mut().unwrap().retain(|name, _| !made.contains(&name.as_str()));
    }
    assert_eq!(records(), bare);
    // What was made of the images is made again.
    stack.json(&["backfill"]);
    assert_eq!(records(), before);
    assert_eq!(outputs.get("/list").json()["count"], json!(total));
}

#[test]
fn an_image_is_shown_until_it_is_deleted_and_a_second_delete_finds_none() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("deleted");
    let outputs = stack.outputs();
    let data = STANDARD.encode(std::fs::read(&pictures()[0]).unwrap());
    let uploaded = outputs.post(&json!({"fileName": "a.jpg", "data": data}));
    let location = format!("/images/{}", uploaded.json()["imageId"].as_str().unwrap());
    let shown = outputs.get(&location);
    assert_eq!((shown.status, &shown.json()["imageId"]), (200, &uploaded.json()["imageId"]));

    assert_eq!(outputs.delete(&location).status, 204);
    assert_eq!(outputs.get(&location).status, 404);
    assert_eq!(outputs.delete(&location).status, 404);
    assert_eq!(outputs.get("/list").json()["count"], 0);
    // `process` may have been about to put thumbnails.
    let objects = || stack.emulator.witness(&["objects", &outputs.bucket]);
    assert!(eventually(|| objects() == json!([])), "{}", objects());
    assert_eq!(outputs.get("/images/no-id").status, 404);
    // Nothing is left that counts as an image.
    stack.json(&["destroy"]);
}

#[test]
fn an_upload_that_is_repeated_with_its_key_is_one_image() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("repeated");
    let outputs = stack.outputs();
    let pictures: Vec<String> =
        pictures().iter().map(|path| STANDARD.encode(std::fs::read(path).unwrap())).collect();
    let body = json!({"fileName": "a.jpg", "data": pictures[0]});
    let first = outputs.post_with_key("once", &body);
    let second = outputs.post_with_key("once", &body);
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.json()["imageId"], second.json()["imageId"]);
    let other = outputs.post_with_key("once", &json!({"fileName": "a.jpg", "data": pictures[1]}));
    assert_eq!(other.status, 409, "{}", other.json());
    let objects = stack.emulator.witness(&["objects", &outputs.bucket]);
    let images =
        objects.as_array().unwrap().iter().filter(|key| key.as_str().unwrap().starts_with("uploads/"));
    assert_eq!(images.count(), 1, "{objects}");
    assert_eq!(outputs.get("/list").json()["count"], 1);
}

#[test]
fn a_deletion_that_broke_off_is_counted_and_finished() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("brokenoff");
    let outputs = stack.outputs();
    let data = STANDARD.encode(std::fs::read(&pictures()[0]).unwrap());
    let uploaded = outputs.post(&json!({"fileName": "a.jpg", "data": data})).json();
    let id = uploaded["imageId"].as_str().unwrap();
    let path = format!("/images/{id}");
    assert!(eventually(|| outputs.get(&path).json()["thumbnails"].is_array()));
    stack.emulator.witness(&["hide_record", &outputs.table, id]);
    assert_eq!(outputs.get("/list").json()["count"], 0);
    let output = stack.provision(&["status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = "1 deletion that broke off; finish it: provision backfill";
    assert!(stdout(&output).contains(said), "{}", text(&output));

    let outcome = stack.json(&["backfill"]);
    assert_eq!((&outcome["deletions"], &outcome["processed"]), (&json!(1), &json!({"gone": 1})), "{outcome}");
    assert_eq!(stack.emulator.witness(&["objects", &outputs.bucket]), json!([]));
    let record = stack.emulator.witness(&["record", &outputs.table, id]);
    assert_eq!(record["ImageStatus"], "deleted");
    assert!(record["ExpiresAt"].is_string() && record["Owner"].is_null(), "{record}");
    let output = stack.provision(&["status"]).output().unwrap();
    assert!(!stdout(&output).contains("broke off"), "{}", text(&output));
    assert_eq!(stack.json(&["backfill"])["deletions"], 0);
}

#[test]
fn what_is_restored_or_put_over_an_image_by_hand_is_the_image() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("byhand");
    let outputs = stack.outputs();
    let coffee = crate::cloud::root().join("tests/images/coffee.jpg");
    let id = announced_and_sent(&outputs, "image/jpeg", &std::fs::read(coffee).unwrap());
    let before = finished(&outputs, &id);
    let (path, key) = (format!("/images/{id}"), format!("uploads/{id}.jpg"));
    let whole = || outputs.get(&path).json()["thumbnails"].as_array().is_some_and(|all| !all.is_empty());
    assert!(eventually(whole));
    assert_eq!(outputs.delete(&path).status, 204);
    assert_eq!(outputs.get(&path).status, 404);

    stack.emulator.witness(&["copy_back", &outputs.bucket, &key]);
    assert!(eventually(whole), "{}", outputs.get(&path).json());
    assert_eq!(outputs.get(&path).json()["uploadedAt"], before["uploadedAt"]);

    let other = crate::cloud::root().join("tests/images/rocket-progressive.jpg");
    let size = std::fs::metadata(&other).unwrap().len();
    stack.emulator.witness(&["put_file", &outputs.bucket, &key, other.to_str().unwrap()]);
    let changed = || outputs.get(&path).json()["size"] == json!(size) && whole();
    assert!(eventually(changed), "{}", outputs.get(&path).json());
    let after = outputs.get(&path).json();
    assert_ne!(after["sha256"], before["sha256"]);
    assert_eq!(after["uploadedAt"], before["uploadedAt"]);
    assert_eq!(outputs.get("/list").json()["count"], 1);
}

#[test]
fn nothing_is_kept_of_what_a_url_is_sent_and_is_no_image() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("kept");
    let outputs = stack.outputs();
    let page = b"<html>no image</html>";
    let about = json!({"fileName": "a", "contentType": "image/png", "size": page.len()});
    let ticket = outputs.post(&about).json();
    let headers = ticket["headers"].as_object().unwrap().iter();
    let headers = headers.filter(|(name, _)| *name != "content-length");
    let headers: Vec<_> = headers.map(|(name, value)| (&name[..], value.as_str().unwrap())).collect();
    let id = ticket["imageId"].as_str().unwrap();
    let key = format!("uploads/{id}.png");
    let kept = || stack.emulator.witness(&["versions", &outputs.bucket, &key]);
    for _ in 0..2 {
        assert_eq!(send("PUT", ticket["uploadUrl"].as_str().unwrap(), &headers, page).status, 200);
        assert!(eventually(|| kept() == json!(0)), "{} versions are kept", kept());
        assert_eq!(finished(&outputs, id)["status"], "rejected");
    }
}
