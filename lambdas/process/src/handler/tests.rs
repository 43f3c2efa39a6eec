//! Whole events, over an AWS that keeps what it is given and with real children that decode.

use catalog::index::Index;
use catalog::store::Store;
use catalog::testing::world::{Break, World};
use image::digest::Sha256;
use image::format::Format;
use image::metadata;
use image::owner::Owner;
use image::thumbnails::Thumbnails;
use process::decoder::Decoder;
use process::sandbox::Bounds;
use serde_json::{Value, json};

use super::*;
use crate::maker::Maker;

pub(crate) const ID: &str = "019aaf2c-0000-7000-8000-000000000001";
pub(crate) const KEY: &str = "uploads/019aaf2c-0000-7000-8000-000000000001.jpg";
pub(crate) const NOW: &str = "2026-11-23T05:00:00.000Z";
pub(crate) const COFFEE: &[u8] = include_bytes!("../../../../tests/images/coffee.jpg");
pub(crate) const HEIC: &[u8] = include_bytes!("../../../../tests/images/chelsea.heic");

/// Its children are real ones, of a program that is built with these tests.
fn decoder() -> Decoder {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/hostile");
    Decoder::new(program, Bounds { address_space: 300 << 20, cpu: 20 })
}

pub(crate) fn over(world: &World) -> Process {
    let settings = thumbnail::Settings {
        edges: vec![16, 64],
        format: thumbnail::Output::Webp,
        quality: 78,
        max_pixels: 1_000_000,
        max_memory: 100 << 20,
    };
    Process {
        store: Store::new(&world.aws(), "pictures"),
        index: Index::new(&world.aws(), "records"),
        maker: Maker::new(settings, decoder()),
        bucket: "pictures".to_owned(),
        max_pixels: 1_000_000,
        max_held: 1 << 20,
        clock: || NOW.parse().unwrap_or_default(),
    }
}

/// What became of the object, and the line that is logged.
pub(crate) async fn run_as(process: &Process, key: &str, way: Way) -> (Result<Outcome, Failure>, Value) {
    let arrival = Arrival { bucket: "pictures".to_owned(), key: key.to_owned(), way, version: None };
    let line = Line::new("request", "cloudpix-process", false);
    let outcome = handle(process, &arrival, &line).await;
    let name = outcome.as_ref().ok().copied().map(Outcome::name);
    (outcome, line.outcome_json(name, NOW.parse().unwrap()))
}

pub(crate) async fn run(world: &World, key: &str) -> Outcome {
    run_as(&over(world), key, Way::Put).await.0.unwrap()
}

/// A record of `coffee.jpg`, announced an hour ago.
pub(crate) fn pending() -> Record {
    Record {
        format: Format::Jpeg,
        size: COFFEE.len() as u64,
        sha256: None,
        status: Status::Pending { expires_at: "2026-11-23T05:20:06Z".parse().unwrap() },
        ..image::testing::record()
    }
}

pub(crate) async fn announce(world: &World, record: &Record) {
    assert_eq!(over(world).index.put(record).await.unwrap(), None);
    world.breaks(None);
}

/// Does what the signed headers of a presigned upload make a client do.
pub(crate) fn send(world: &World, bytes: &[u8]) {
    let name = "%E5%86%99%E7%9C%9F.png";
    world.send(KEY, &[("content-type", "image/jpeg"), ("x-amz-meta-file-name", name)], bytes);
}

pub(crate) async fn record(world: &World) -> Option<Record> {
    let record = over(world).index.get(ID.parse().unwrap()).await.unwrap();
    world.breaks(None);
    record
}

#[track_caller]
pub(crate) fn check_whole(world: &World, record: &Record) {
    let ready = NOW.parse().unwrap();
    assert_eq!(record.status, Status::Ready { width: 600, height: 400, ready_at: ready });
    assert_eq!(record.sha256, Some(Sha256::of(COFFEE)));
    let derived = record.derived.as_ref().unwrap();
    assert_eq!(derived.thumbnails.all.len(), 2);
    let objects = world.objects();
    assert_eq!(objects.len(), 3, "{:?}", objects.keys());
    for thumbnail in &derived.thumbnails.all {
        let key = format!("thumbnails/{ID}/{}.webp", thumbnail.edge);
        assert_eq!(objects[&key].len() as u64, thumbnail.size);
    }
    let headers = world.headers(KEY);
    for (name, value) in
        [("x-amz-meta-uploaded-at", NOW), ("x-amz-meta-width", "600"), ("x-amz-meta-owner", "public")]
    {
        assert_eq!(headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    let told = |name: &str| headers.get(&format!("x-amz-meta-{name}")).map(String::as_str);
    let rebuilt = metadata::read(KEY, "image/jpeg", record.size, told).unwrap();
    let made = |record: &Record| Record { derived: None, created_at: ready, ..record.clone() };
    assert_eq!(rebuilt, made(record));
    assert_eq!(world.listed(), [ID]);
}

#[tokio::test]
async fn an_announced_image_becomes_ready_with_thumbnails() {
    let world = World::default();
    announce(&world, &pending()).await;
    send(&world, COFFEE);
    let (outcome, line) = run_as(&over(&world), KEY, Way::Put).await;
    assert_eq!(outcome.unwrap(), Outcome::Done);
    assert_eq!(
        world.calls(),
        ["GetItem", "GET object", "PUT object", "PutItem", "PUT object", "PUT object", "UpdateItem"]
    );
    assert_eq!((&line["outcome"], &line["imageId"]), (&json!("done"), &json!(ID)));
    assert_eq!((&line["bytes"], &line["Uploads"]), (&json!(COFFEE.len()), &json!(1)));
    check_whole(&world, &record(&world).await.unwrap());
    // Delivered again, and told of the copy.
    for way in [Way::Put, Way::Copied] {
        let (outcome, _) = run_as(&over(&world), KEY, way).await;
        assert_eq!(outcome.unwrap(), Outcome::Unchanged);
        assert_eq!(world.calls(), ["GetItem", "HEAD object"]);
        world.breaks(None);
    }
}

#[tokio::test]
async fn what_was_sent_inline_gets_its_thumbnails_too() {
    let world = World::default();
    let now = NOW.parse().unwrap();
    let sha256 = Some(Sha256::of(COFFEE));
    let inline = Record {
        status: Status::Ready { width: 600, height: 400, ready_at: now },
        created_at: now,
        sha256,
        ..pending()
    };
    announce(&world, &inline).await;
    over(&world).store.put(&inline, COFFEE.into()).await.unwrap();
    assert_eq!(run(&world, KEY).await, Outcome::Done);
    check_whole(&world, &record(&world).await.unwrap());
}

#[tokio::test]
async fn an_object_that_is_not_what_was_announced_is_removed_and_its_record_says_why() {
    let other = Some(Sha256::of(b"abc"));
    for (record_of, bytes, reason) in [
        (pending(), &COFFEE[..1000], "announced as 56809 bytes, but 1000 arrived"),
        (Record { size: 9, ..pending() }, b"<html></h", "this is no image."),
        (Record { size: 32_958, ..pending() }, HEIC, "declared as image/jpeg, but the bytes are image/heic"),
        (Record { size: 1000, ..pending() }, &[0xFF, 0xD8, 0xFF, 0, 0].repeat(200)[..], "header is damaged"),
        (Record { sha256: other, ..pending() }, COFFEE, "announced with another SHA-256 than"),
    ] {
        let world = World::default();
        announce(&world, &record_of).await;
        send(&world, bytes);
        assert_eq!(run(&world, KEY).await, Outcome::Rejected, "{reason}");
        let record = record(&world).await.unwrap();
        let Status::Rejected { expires_at, reason: found } = &record.status else { panic!("{record:?}") };
        assert!(found.contains(reason), "{found}");
        assert_eq!(expires_at.to_string(), "2026-11-30T05:00:00Z");
        assert!(world.objects().is_empty() && world.listed().is_empty());
        assert_eq!(world.versions(KEY), 0);
        // Its URL may still be good for another try, but the record has been judged.
        send(&world, COFFEE);
        assert_eq!(run(&world, KEY).await, Outcome::Gone);
        assert!(world.objects().is_empty());
        assert_eq!(world.versions(KEY), 0);
    }
}

#[tokio::test]
async fn too_many_pixels_are_rejected_by_the_header() {
    let world = World::default();
    announce(&world, &pending()).await;
    send(&world, COFFEE);
    let small = Process { max_pixels: 239_999, ..over(&world) };
    assert_eq!(run_as(&small, KEY, Way::Put).await.0.unwrap(), Outcome::Rejected);
    assert!(world.objects().is_empty());
}

#[tokio::test]
async fn whatever_breaks_off_is_finished_by_the_next_delivery() {
    for at in 0..7 {
        for takes_effect in [false, true] {
            let world = World::default();
            announce(&world, &pending()).await;
            send(&world, COFFEE);
            world.breaks(Some(Break { at, takes_effect }));
            run_as(&over(&world), KEY, Way::Put).await.0.unwrap_err();
            world.breaks(None);
            let outcome = run(&world, KEY).await;
            let expected = if (at, takes_effect) == (6, true) { Outcome::Unchanged } else { Outcome::Done };
            assert_eq!(outcome, expected, "{at} {takes_effect}");
            check_whole(&world, &record(&world).await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_rejection_that_broke_off_is_finished_by_the_next_delivery() {
    for at in 0..4 {
        for takes_effect in [false, true] {
            let world = World::default();
            announce(&world, &Record { size: 3, ..pending() }).await;
            send(&world, COFFEE);
            world.breaks(Some(Break { at, takes_effect }));
            run_as(&over(&world), KEY, Way::Put).await.0.unwrap_err();
            world.breaks(None);
            run(&world, KEY).await;
            assert_eq!(record(&world).await.unwrap().status.name(), "rejected", "{at} {takes_effect}");
            assert!(world.objects().is_empty());
        }
    }
}

#[tokio::test]
async fn an_image_that_is_deleted_meanwhile_leaves_nothing() {
    // As many calls as `process` makes: the deletion comes after each of them.
    for after in 0..7 {
        let world = World::default();
        announce(&world, &pending()).await;
        send(&world, COFFEE);
        world.breaks(Some(Break { at: after, takes_effect: true }));
        run_as(&over(&world), KEY, Way::Put).await.0.unwrap_err();
        world.breaks(None);
        let (index, store) = (over(&world).index, over(&world).store);
        let (now, id) = (NOW.parse().unwrap(), ID.parse().unwrap());
        let hidden = index.hide(id, &Owner::public(), now).await.unwrap().unwrap();
        store.delete_all(&hidden).await.unwrap();
        index.mark_deleted(&hidden, now).await.unwrap();
        assert_eq!(run(&world, KEY).await, Outcome::Gone, "{after}");
        assert!(world.objects().is_empty(), "{after} {:?}", world.objects().keys());
        assert!(world.listed().is_empty());
    }
}

#[tokio::test]
async fn an_object_without_a_record_gets_one_from_its_metadata() {
    let world = World::default();
    announce(&world, &pending()).await;
    send(&world, COFFEE);
    assert_eq!(run(&world, KEY).await, Outcome::Done);
    let finished = record(&world).await.unwrap();
    over(&world).index.delete(&finished).await.unwrap();
    // A copy of a whole object, by hand.
    assert_eq!(run_as(&over(&world), KEY, Way::Copied).await.0.unwrap(), Outcome::Done);
    let adopted = record(&world).await.unwrap();
    let created_at = finished.created_at;
    assert_eq!(Record { created_at, ..adopted }, finished);
}

#[tokio::test]
async fn an_object_that_says_nothing_gets_a_record_from_its_bytes() {
    let world = World::default();
    world.send(KEY, &[("content-type", "binary/octet-stream")], COFFEE);
    assert_eq!(run(&world, KEY).await, Outcome::Done);
    let adopted = record(&world).await.unwrap();
    assert_eq!(adopted.file_name.as_str(), format!("{ID}.jpg"));
    check_whole(&world, &adopted);
}

#[tokio::test]
async fn what_is_nothing_of_ours_stays_as_it_is() {
    let world = World::default();
    let foreign = format!("uploads/{ID}.html");
    for key in ["uploads/photo.jpg", "uploads/", "other/x.jpg", &foreign] {
        world.send(key, &[], COFFEE);
        assert_eq!(run(&world, key).await, Outcome::Left, "{key}");
    }
    world.send(KEY, &[], b"<html>");
    assert_eq!(run(&world, KEY).await, Outcome::Left);
    assert_eq!(world.objects().len(), 5);
    let elsewhere = Process { bucket: "other".to_owned(), ..over(&world) };
    assert_eq!(run_as(&elsewhere, KEY, Way::Put).await.0.unwrap(), Outcome::Left);
    // Another object beside the one that the record names.
    announce(&world, &pending()).await;
    let beside = KEY.replace("jpg", "png");
    world.send(&beside, &[], COFFEE);
    assert_eq!(run(&world, &beside).await, Outcome::Left);
    assert!(world.objects().contains_key(&beside));
}

#[tokio::test]
async fn what_arrives_wrong_after_its_record_expired_is_told_too() {
    let world = World::default();
    send(&world, b"<html>");
    assert_eq!(run(&world, KEY).await, Outcome::Rejected);
    assert!(world.objects().is_empty());
    assert_eq!(record(&world).await.unwrap().status.name(), "rejected");
}

#[tokio::test]
async fn an_object_that_is_gone_leaves_no_ready_record() {
    let world = World::default();
    announce(&world, &pending()).await;
    assert_eq!(run(&world, KEY).await, Outcome::Gone);
    assert_eq!(record(&world).await.unwrap().status.name(), "pending");

    let world = World::default();
    let now = NOW.parse().unwrap();
    announce(
        &world,
        &Record { status: Status::Ready { width: 600, height: 400, ready_at: now }, ..pending() },
    )
    .await;
    assert_eq!(run(&world, KEY).await, Outcome::Gone);
    assert_eq!(record(&world).await, None);
}

#[tokio::test]
async fn an_image_too_large_or_of_no_use_to_the_decoder_is_ready_without_thumbnails() {
    let world = World::default();
    announce(&world, &pending()).await;
    send(&world, COFFEE);
    let (outcome, line) = run_as(&Process { max_held: 1000, ..over(&world) }, KEY, Way::Put).await;
    assert_eq!(outcome.unwrap(), Outcome::Done);
    assert_eq!(line["remarks"], json!(["no thumbnails: 56809 bytes do not fit in memory"]));
    let ready = record(&world).await.unwrap();
    assert_eq!(ready.derived.unwrap().thumbnails, Thumbnails::default());
    assert_eq!(ready.sha256, Some(Sha256::of(COFFEE)));
}

/// Has the object of alice's image finished, whose record is there or has expired, and looks at whose it is then.
async fn check_is_alices(world: &World) {
    assert_eq!(run(world, KEY).await, Outcome::Done);
    let alice = image::testing::alice();
    assert_eq!(record(world).await.unwrap().owner, alice);
    assert_eq!(world.headers(KEY)["x-amz-meta-owner"], alice.as_str());
    assert_eq!(world.owned_by(alice.as_str()), [ID]);
    assert!(world.listed().is_empty());
}

#[tokio::test]
async fn an_announced_image_is_its_owners_also_if_its_record_has_expired() {
    let alice = image::testing::alice();
    let world = World::default();
    announce(&world, &Record { owner: alice.clone(), ..pending() }).await;
    send(&world, COFFEE);
    check_is_alices(&world).await;

    let world = World::default();
    let headers = [("content-type", "image/jpeg"), ("x-amz-meta-file-name", "a.jpg")];
    let signed = ("x-amz-meta-owner", alice.as_str());
    world.send(KEY, &[&headers[..], &[signed]].concat(), COFFEE);
    check_is_alices(&world).await;
}

#[tokio::test]
async fn an_image_that_somebody_has_got_stays_theirs_whatever_an_older_object_says() {
    let alice = image::testing::alice();
    let world = World::default();
    announce(&world, &pending()).await;
    send(&world, COFFEE);
    assert_eq!(run(&world, KEY).await, Outcome::Done);
    let everybodys = record(&world).await.unwrap();
    let process = over(&world);
    // Both are of the same bytes, and only the record knows what has become of them.
    for status in ["ready", "deleted"] {
        let hers = Record { owner: alice.clone(), sha256: None, ..everybodys.clone() };
        process.index.delete(&everybodys).await.unwrap();
        announce(&world, &hers).await;
        if status == "deleted" {
            let now = NOW.parse().unwrap();
            process.index.hide(hers.image_id, &alice, now).await.unwrap().unwrap();
            process.index.mark_deleted(&hers, now).await.unwrap();
        }
        over(&world).store.complete(&everybodys, &entity_tag(&world)).await.unwrap();
        assert_eq!(run_as(&process, KEY, Way::Copied).await.0.unwrap(), Outcome::Done, "{status}");
        let record = record(&world).await.unwrap();
        assert_eq!((&record.owner, &record.status), (&alice, &everybodys.status), "{status}");
        assert_eq!(world.headers(KEY)["x-amz-meta-owner"], alice.as_str(), "{status}");
    }
}

fn entity_tag(world: &World) -> String {
    format!("\"{}\"", Sha256::of(&world.objects()[KEY]))
}
