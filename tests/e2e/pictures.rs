//! Pictures through the whole of it: API, functions, bucket, table, and back.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cloud::{Outputs, Stack, root, skipped};

/// An HTTP answer, whatever its status.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let config = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true);
    // Whatever proxy the caller has: all of this is on this machine.
    let agent = config.proxy(None).build().new_agent();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = agent.run(request.body(body).unwrap()).unwrap();
    let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
    Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body }
}

impl Outputs {
    pub fn post(&self, body: &Value) -> Answer {
        let headers = [("x-api-key", self.key.as_str()), ("content-type", "application/json")];
        patiently(|| send("POST", &format!("{}/upload", self.url), &headers, body.to_string().as_bytes()))
    }

    pub fn get(&self, path: &str) -> Answer {
        patiently(|| send("GET", &format!("{}{path}", self.url), &[("x-api-key", &self.key)], b""))
    }

    /// A `Location`, as a client resolves it that has asked this API: a path at the same host.
    fn at_its_host(&self, location: &str) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap();
        format!("{scheme}://{}{location}", rest.split('/').next().unwrap())
    }
}

/// As a client should, comes again where 503 asks for it: many stacks share this machine, and a function
/// gives up on an AWS that takes seconds.
pub fn patiently(ask: impl Fn() -> Answer) -> Answer {
    for _ in 0..4 {
        let answer = ask();
        if answer.status != 503 {
            return answer;
        }
        let pause = answer.header("retry-after").parse().expect("503 without Retry-After");
        std::thread::sleep(std::time::Duration::from_secs(pause));
    }
    ask()
}

/// The photographs of the repository.
pub fn pictures() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("tests/images")).unwrap().map(|entry| entry.unwrap().path());
    let mut pictures: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end != "md")).collect();
    pictures.sort();
    assert!(pictures.len() >= 6, "{pictures:?}");
    pictures
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the list, the table, the bucket and the download say of an uploaded image.
#[track_caller]
fn check_everywhere(stack: &Stack, outputs: &Outputs, image: &Value, name: &str, bytes: &[u8]) {
    let id = image["imageId"].as_str().unwrap();
    let record = stack.emulator.witness(&["record", &outputs.table, id]);
    assert_eq!(record["FileName"], name, "{record}");
    assert_eq!(record["ImageStatus"], "ready");
    assert_eq!(record["Sha256"], json!(sha256(bytes)));
    assert_eq!(record["Size"], json!(bytes.len().to_string()));
    assert_eq!(record["Width"], json!(image["width"].to_string()));
    assert_eq!(record["UploadDate"], image["uploadDate"]);
    assert!(record["ExpiresAt"].is_null(), "a ready record expires: {record}");
    let order = record["UploadOrder"].as_str().unwrap();
    assert!(order.starts_with(image["uploadDate"].as_str().unwrap()) && order.ends_with(id), "{order}");

    let key = record["S3ObjectKey"].as_str().unwrap();
    assert!(key.starts_with(&format!("uploads/{id}.")), "{key}");
    let object = stack.emulator.witness(&["object", &outputs.bucket, key]);
    assert_eq!(STANDARD.decode(object["data"].as_str().unwrap()).unwrap(), bytes);
    assert_eq!(object["contentType"], image["contentType"]);

    let download = send("GET", image["downloadUrl"].as_str().unwrap(), &[], b"");
    assert_eq!((download.status, &download.body[..]), (200, bytes));
    assert!(download.header("content-disposition").contains("filename"), "{:?}", download.headers);
    let plain = image["downloadUrl"].as_str().unwrap().split('?').next().unwrap().to_owned();
    assert_eq!(send("GET", &plain, &[], b"").status, 403, "the bucket is public");
}

/// What a picture is sent as: some under a name of old, which API Gateway must know to be binary too.
fn raw_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "bmp")) => "image/x-ms-bmp",
        Some((_, "png")) => "image/x-png",
        Some((_, "tiff")) => "image/tif",
        _ => "application/octet-stream",
    }
}

#[test]
fn every_picture_comes_back_as_it_was_sent() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("pictures");
    let outputs = stack.outputs();
    let mut sent = Vec::new();
    for (index, path) in pictures().iter().enumerate() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = std::fs::read(path).unwrap();
        let answer = if index % 2 == 0 {
            outputs.post(&json!({"fileName": name, "data": STANDARD.encode(&bytes)}))
        } else {
            let url = format!("{}/upload?fileName={}", outputs.url, name.replace(' ', "%20"));
            let headers = [("x-api-key", outputs.key.as_str()), ("content-type", raw_type(name))];
            patiently(|| send("POST", &url, &headers, &bytes))
        };
        let image = answer.json();
        assert_eq!(answer.status, 201, "{name}: {image}");
        let location = outputs.at_its_host(answer.header("location"));
        assert_eq!(location, format!("{}/images/{}", outputs.url, image["imageId"].as_str().unwrap()));
        let shown = patiently(|| send("GET", &location, &[("x-api-key", &outputs.key)], b""));
        assert_eq!((shown.status, &shown.json()["imageId"]), (200, &image["imageId"]), "{location}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(
            (&image["size"], &image["sha256"]),
            (&json!(bytes.len()), &json!(sha256(&bytes))),
            "{name}"
        );
        check_everywhere(&stack, &outputs, &image, name, &bytes);
        sent.push(image["imageId"].clone());
    }
    for image in &sent {
        check_thumbnails(&outputs, image.as_str().unwrap());
    }
    // The list is newest first, and a walk over small pages meets each image once.
    sent.reverse();
    let day = outputs.get("/list").json()["images"][0]["uploadDate"].as_str().unwrap().to_owned();
    for query in [String::new(), format!("&date={day}")] {
        let (mut met, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = outputs.get(&format!("/list?limit=4{query}{cursor}")).json();
            let images = page["images"].as_array().unwrap();
            assert_eq!(page["count"], json!(images.len()), "{page}");
            met.extend(images.iter().map(|image| image["imageId"].clone()));
            match page["nextCursor"].as_str() {
                Some(next) => {
                    assert_eq!(images.len(), 4, "a page that is not the last is full");
                    cursor = format!("&cursor={next}");
                }
                None => break,
            }
        }
        assert_eq!(met, sent, "list?{query}");
    }
    assert_eq!(outputs.get("/list?date=2020-02-29").json(), json!({"images": [], "count": 0}));

    let said = stack.refused(&["destroy", "--yes"]);
    assert!(
        said.contains(&format!("images in the bucket {}: {}", outputs.bucket, sent.len()))
            && said.contains("--delete-images"),
        "{said}"
    );
    let objects = stack.emulator.witness(&["objects", &outputs.bucket]);
    let objects = objects.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
    assert_eq!(objects.filter(|key| key.starts_with("uploads/")).count(), sent.len());
    stack.json(&["destroy", "--yes", "--delete-images"]);
    assert_eq!(stack.emulator.witness(&["resources", "cloudpix-pictures"]), json!([]));
    assert!(!stack.state_file().exists());
    assert_eq!(stack.json(&["destroy", "--yes"])["applied"], json!([]), "destroying twice");
}

#[test]
fn a_presigned_upload_takes_what_was_promised_once_and_nothing_else() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("presigned");
    let outputs = stack.outputs();
    let bytes = std::fs::read(&pictures()[0]).unwrap();
    let answer =
        outputs.post(&json!({"fileName": "猫 1.jpg", "contentType": "image/jpeg", "size": bytes.len()}));
    let ticket = answer.json();
    assert_eq!(
        (answer.status, &ticket["status"], &ticket["method"]),
        (201, &json!("pending"), &json!("PUT")),
        "{ticket}"
    );

    let record = stack.emulator.witness(&["record", &outputs.table, ticket["imageId"].as_str().unwrap()]);
    assert_eq!(
        (&record["ImageStatus"], &record["FileName"]),
        (&json!("pending"), &json!("猫 1.jpg")),
        "{record}"
    );
    assert!(record["ExpiresAt"].is_string() && record["UploadOrder"].is_null(), "{record}");
    assert_eq!(outputs.get("/list").json()["count"], 0, "a pending image is listed");

    let headers = ticket["headers"].as_object().unwrap();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (&name[..], value.as_str().unwrap())).collect();
    let without = |name: &str| {
        headers.iter().copied().filter(|(key, _)| !key.eq_ignore_ascii_case(name)).collect::<Vec<_>>()
    };
    let url = ticket["uploadUrl"].as_str().unwrap();
    let mut html = without("content-type");
    html.push(("content-type", "text/html"));
    assert_eq!(send("PUT", url, &html, &bytes).status, 403, "another type was taken");
    assert_eq!(
        send("PUT", url, &without("content-length"), &bytes[1..]).status,
        403,
        "another length was taken"
    );
    assert_eq!(send("PUT", url, &without("content-length"), &bytes).status, 200);
    assert_eq!(send("PUT", url, &without("content-length"), &bytes).status, 412, "a second PUT was taken");

    let object =
        stack.emulator.witness(&["object", &outputs.bucket, record["S3ObjectKey"].as_str().unwrap()]);
    assert_eq!(STANDARD.decode(object["data"].as_str().unwrap()).unwrap(), bytes);

    let id = ticket["imageId"].as_str().unwrap();
    let image = finished(&outputs, id);
    assert_eq!(image["status"], "ready", "{image}");
    check_everywhere(&stack, &outputs, &image, "猫 1.jpg", &bytes);
    check_thumbnails(&outputs, id);
    assert_eq!(outputs.get("/list").json()["images"][0]["imageId"], id);
    // What the object says now is all that its record says: the table can be lost.
    let metadata =
        stack.emulator.witness(&["object", &outputs.bucket, record["S3ObjectKey"].as_str().unwrap()]);
    assert_eq!(metadata["metadata"]["uploaded-at"], image["uploadedAt"], "{metadata}");
    stack.emulator.witness(&["empty", &outputs.table]);
    assert_eq!(stack.json(&["reindex"])["written"], 1);
    assert_eq!(outputs.get(&format!("/images/{id}")).json()["uploadedAt"], image["uploadedAt"]);
    stack.json(&["backfill"]);
    check_thumbnails(&outputs, id);
}

#[test]
fn what_is_not_what_was_announced_is_removed_and_its_sender_told() {
    if skipped() {
        return;
    }
    let stack = Stack::applied("rejects");
    let outputs = stack.outputs();
    let page = b"<html><script>alert(1)</script></html>";
    let image = finished(&outputs, &announced_and_sent(&outputs, "image/png", page));
    assert_eq!(image["status"], "rejected", "{image}");
    assert!(image["reason"].as_str().unwrap().starts_with("this is no image"), "{image}");
    let gone = || stack.emulator.witness(&["objects", &outputs.bucket]) == json!([]);
    assert!(eventually(gone), "the object is still there");
    assert_eq!(outputs.get("/list").json()["count"], 0);
}

/// Asks for a URL and sends an image to it; its id.
pub fn announced_and_sent(outputs: &Outputs, content_type: &str, bytes: &[u8]) -> String {
    let about = json!({"fileName": "a", "contentType": content_type, "size": bytes.len()});
    let ticket = outputs.post(&about).json();
    let headers = ticket["headers"].as_object().unwrap().iter();
    let headers = headers.filter(|(name, _)| *name != "content-length");
    let headers: Vec<_> = headers.map(|(name, value)| (&name[..], value.as_str().unwrap())).collect();
    assert_eq!(send("PUT", ticket["uploadUrl"].as_str().unwrap(), &headers, bytes).status, 200);
    ticket["imageId"].as_str().unwrap().to_owned()
}

pub fn eventually(holds: impl Fn() -> bool) -> bool {
    (0..300).any(|_| {
        holds() || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            false
        }
    })
}

/// An announced image once `process` has judged it.
pub fn finished(outputs: &Outputs, id: &str) -> Value {
    let image = || outputs.get(&format!("/images/{id}")).json();
    assert!(eventually(|| image()["status"] != "pending"), "still pending: {}", image());
    image()
}

/// Waits for an image's thumbnails and looks at each.
#[track_caller]
fn check_thumbnails(outputs: &Outputs, id: &str) {
    let image = || outputs.get(&format!("/images/{id}")).json();
    assert!(eventually(|| image()["thumbnails"].is_array()), "no thumbnails: {}", image());
    let image = image();
    let thumbnails = image["thumbnails"].as_array().unwrap();
    if ["image/avif", "image/heic"].contains(&image["contentType"].as_str().unwrap()) {
        assert!(thumbnails.is_empty(), "{image}");
        assert_eq!(outputs.get(&format!("/images/{id}/thumbnail?width=160")).status, 404);
        return;
    }
    let upright = image["orientation"].as_u64().unwrap_or(1) < 5;
    let side = |of: &Value, name: &str| of[name].as_u64().unwrap();
    let (mut width, mut height) = (side(&image, "width"), side(&image, "height"));
    if !upright {
        std::mem::swap(&mut width, &mut height);
    }
    let edges: Vec<u64> = thumbnails.iter().map(|one| side(one, "width").max(side(one, "height"))).collect();
    let long = width.max(height);
    let expected: Vec<u64> = [(160, 0), (480, 160), (1280, 480)]
        .into_iter()
        .filter(|(_, smaller)| long > *smaller)
        .map(|(edge, _)| edge.min(long))
        .collect();
    assert_eq!(edges, expected, "{image}");
    for thumbnail in thumbnails {
        let got = send("GET", thumbnail["url"].as_str().unwrap(), &[], b"");
        assert_eq!((got.status, got.header("content-type")), (200, "image/webp"), "{thumbnail}");
        assert_eq!(got.body.len() as u64, side(thumbnail, "size"));
        let ratio = |width: u64, height: u64| {
            f64::from(u32::try_from(width).unwrap()) / f64::from(u32::try_from(height).unwrap())
        };
        let off = ratio(side(thumbnail, "width"), side(thumbnail, "height")) / ratio(width, height);
        assert!((off - 1.0).abs() < 0.02, "another shape: {thumbnail} {image}");
    }
    assert!(STANDARD.decode(image["thumbHash"].as_str().unwrap()).unwrap().len() < 40, "{image}");
    let url = format!("{}/images/{id}/thumbnail?width=160", outputs.url);
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
    let request = config.new_agent().get(&url).header("x-api-key", &outputs.key).call().unwrap();
    let location = request.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(request.status().as_u16(), 307);
    assert!(location.contains(&format!("/thumbnails/{id}/160.webp?")), "{location}");
}

#[test]
fn two_environments_live_side_by_side() {
    if skipped() {
        return;
    }
    let (one, other) = (Stack::applied("one"), Stack::applied("other"));
    let bytes = std::fs::read(&pictures()[0]).unwrap();
    let body = json!({"fileName": "a.jpg", "data": STANDARD.encode(&bytes)});
    assert_eq!(one.outputs().post(&body).status, 201);
    assert_eq!(other.outputs().get("/list").json()["count"], 0);
    other.json(&["destroy", "--yes"]);
    assert_eq!(one.outputs().get("/list").json()["count"], 1);
    one.json(&["destroy", "--yes", "--delete-images"]);
}
