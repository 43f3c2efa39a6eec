//! Many at once: nothing that was answered with 201 is lost, listed twice, or changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::cloud::{Emulator, Outputs, Stack, skipped};
use crate::pictures::{Answer, send};

const CLIENTS: usize = 32;
const WALKERS: usize = 2;

/// How many images are uploaded. The embedded AWS runs a process for each request that is under way,
/// so that the number of CI would be too slow for everybody's every run.
fn images() -> usize {
    let text = std::env::var("CLOUDPIX_CROWD").unwrap_or_else(|_| "300".to_owned());
    text.parse().expect("CLOUDPIX_CROWD is a number of images")
}

/// A bitmap of one pixel, in a colour that no other number has.
fn bitmap(number: usize) -> Vec<u8> {
    let mut bytes = b"BM\x3A\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
    bytes.resize(54, 0);
    bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
    bytes
}

/// Every second one as JSON, the others as they are.
fn upload(outputs: &Outputs, number: usize) -> Answer {
    let (name, bytes) = (format!("{number}.bmp"), bitmap(number));
    if number.is_multiple_of(2) {
        return outputs.post(&json!({"fileName": name, "data": STANDARD.encode(bytes)}));
    }
    let headers = [("x-api-key", outputs.key.as_str()), ("content-type", "image/bmp")];
    send("POST", &format!("{}/upload?fileName={name}", outputs.url), &headers, &bytes)
}

/// The images of all pages, in the order of the listing, with where to download them.
fn walk(outputs: &Outputs, order: &str, limit: usize) -> Vec<(String, String)> {
    let (mut met, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = outputs.get(&format!("/list?order={order}&limit={limit}{cursor}"));
        let page = answer.json();
        assert_eq!(answer.status, 200, "{page}");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let images = page["images"].as_array().unwrap();
        met.extend(images.iter().map(|image| (text(&image["imageId"]), text(&image["downloadUrl"]))));
        let Some(next) = page["nextCursor"].as_str() else { return met };
        assert_eq!(images.len(), limit, "a page that is not the last is full");
        cursor = format!("&cursor={next}");
    }
}

/// Walks again and again until the last upload was answered, and answers how often.
fn walk_meanwhile(outputs: &Outputs, answered: &Mutex<BTreeMap<String, usize>>, ended: &AtomicBool) -> usize {
    for round in 0.. {
        if ended.load(Ordering::Relaxed) {
            return round;
        }
        let before: Vec<String> = answered.lock().unwrap().keys().cloned().collect();
        let order = ["desc", "asc"][round % 2];
        let met = walk(outputs, order, 37);
        let ids: BTreeSet<&str> = met.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids.len(), met.len(), "an image was met twice, {order}");
        let missed: Vec<&String> = before.iter().filter(|id| !ids.contains(id.as_str())).collect();
        assert!(missed.is_empty(), "{order}: of {} answered before, missed {missed:?}", before.len());
    }
    unreachable!("the rounds do not end")
}

/// Runs an action for each number below a count, on as many threads as there are clients.
fn crowd(count: usize, action: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        numbers.take_while(|number| *number < count).for_each(&action);
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(work);
        }
    });
}

#[test]
fn of_a_crowd_nobody_loses_an_image() {
    if skipped() {
        return;
    }
    // An emulator of its own, so that other tests do not wait for it.
    let folder = tempfile::tempdir().unwrap();
    let emulator: &'static Emulator = Box::leak(Box::new(Emulator::start(folder.path(), 0)));
    let stack = Stack { emulator, env: "crowd", state: tempfile::tempdir().unwrap() };
    stack.apply_unthrottled();
    let outputs = stack.outputs();

    let (count, began) = (images(), std::time::Instant::now());
    let (answered, ended) = (Mutex::new(BTreeMap::new()), AtomicBool::new(false));
    let walks: usize = thread::scope(|scope| {
        let walker = || walk_meanwhile(&outputs, &answered, &ended);
        let walkers: Vec<_> = (0..WALKERS).map(|_| scope.spawn(walker)).collect();
        // If an upload fails, the walkers must be told all the same, or nobody would hear of it.
        let uploads = scope.spawn(|| {
            crowd(count, |number| {
                let answer = upload(&outputs, number);
                let image = answer.json();
                assert_eq!(answer.status, 201, "{number}: {image}");
                let id = image["imageId"].as_str().unwrap().to_owned();
                assert_eq!(answered.lock().unwrap().insert(id, number), None, "an id was given twice");
            });
        });
        let uploads = uploads.join();
        ended.store(true, Ordering::Relaxed);
        uploads.unwrap();
        walkers.into_iter().map(|walker| walker.join().unwrap()).sum()
    });
    let uploaded = began.elapsed();

    let answered = answered.into_inner().unwrap();
    let listed = walk(&outputs, "desc", 200);
    let mut ids: Vec<&str> = listed.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(answered.len(), count);
    assert_eq!(ids, answered.keys().collect::<Vec<_>>(), "each 201 is in the list once, and nothing else");
    crowd(count, |place| {
        let (id, url) = &listed[place];
        let download = send("GET", url, &[], b"");
        assert_eq!((download.status, download.body), (200, bitmap(answered[id])), "{id}");
    });
    assert!(walks >= WALKERS, "{walks} walks are too few to have met anything");
    let total = began.elapsed();
    eprintln!("{count} uploads and {walks} walks in {uploaded:.0?}, with all downloads in {total:.0?}");
    stack.emulator.stop();
}
