//! An object that comes when its record has been settled: a second one by the same presigned URL, or one
//! that somebody with rights in the account put there by hand.
//!
//! What came by URL is too late, and goes again with all of its bytes: else a URL would be good for as
//! many objects, each kept as an old version, as fit in its time. What came by hand is meant. It gets a
//! record of what it is, and is never deleted here.

use catalog::failure::Failure;
use catalog::log::Line;
use catalog::store::object::Piece;
use image::metadata;
use image::record::Record;

use crate::adopt::adopt;
use crate::draft::RECENT;
use crate::event::{Arrival, Way};
use crate::object::{self, has};
use crate::step::{Outcome, Process, Step};
use crate::thumbnails;

/// Finishes a ready image whose thumbnails are not there yet, and adopts an object that is not the one its record
/// is of: what `process` or `upload` has written repeats the record's size and digest, and other bytes do not.
pub(crate) async fn check_ready(
    process: &Process,
    record: Record,
    arrival: &Arrival,
    line: &Line,
) -> Result<Step, Failure> {
    let there = line.timed("s3HeadMs", process.store.head(&arrival.key)).await?;
    match there {
        Some(there) if !tells_of(&there, &record) => adopt(process, &arrival.key, Some(record), line).await,
        _ if record.derived.is_some() => Ok(Step::End(Outcome::Unchanged)),
        // This function copies an object that it finishes, and hears of that while it is still at work.
        Some(there) if arrival.way == Way::Copied && is_recent(process, &there) => {
            Ok(Step::End(Outcome::Unchanged))
        }
        _ => thumbnails::derive(process, &record, None, line).await,
    }
}

/// Looks at what is there although its record was rejected or deleted.
pub(crate) async fn check_settled(
    process: &Process,
    record: Record,
    arrival: &Arrival,
    line: &Line,
) -> Result<Step, Failure> {
    let gone = Ok(Step::End(Outcome::Gone));
    let Some(there) = line.timed("s3HeadMs", process.store.head(&arrival.key)).await? else {
        // Thumbnails may have been made while the image was being deleted.
        thumbnails::remove(process, &record, line).await?;
        return gone;
    };
    // A version that came since has an event of its own.
    if arrival.version.is_some() && arrival.version != there.version {
        return gone;
    }
    if is_by_hand(&there, arrival) {
        return adopt(process, &arrival.key, Some(record), line).await;
    }
    object::discard(process, &record, &there, line).await?;
    thumbnails::remove(process, &record, line).await?;
    gone
}

fn is_recent(process: &Process, there: &Piece) -> bool {
    there.modified_at.is_some_and(|at| (process.clock)().duration_since(at) < RECENT)
}

fn tells_of(there: &Piece, record: &Record) -> bool {
    let sha256 = record.sha256.map(|sha256| sha256.to_string());
    there.size == record.size && there.metadata.get(metadata::SHA256) == sha256.as_ref()
}

/// A presigned URL makes S3 tell of a `Put`, and signs a file name. Who asks without naming a version is
/// `provision backfill`, of an object that was found in its place: one that says all of itself was an
/// image before, and its delete marker was taken away.
fn is_by_hand(there: &Piece, arrival: &Arrival) -> bool {
    let is_back = arrival.version.is_none() && has(there, metadata::UPLOADED_AT);
    arrival.way != Way::Put || !has(there, metadata::FILE_NAME) || is_back
}

#[cfg(test)]
mod tests {
    use catalog::log::Line;
    use catalog::testing::world::{Break, World};
    use image::digest::Sha256;
    use image::owner::Owner;
    use image::status::Status;

    use super::*;
    use crate::arrival::finish;
    use crate::handler::handle;
    use crate::handler::tests::{
        COFFEE, ID, KEY, NOW, announce, check_whole, over, pending, record, run, send,
    };

    const LATER: &str = "2026-11-23T05:02:00.000Z";
    const SMALL: &[u8] = include_bytes!("../../../tests/images/rocket-progressive.jpg");

    /// Has an event delivered about the version that is there now, or about another one.
    async fn hear(world: &World, way: Way, version: Option<String>) -> Result<Outcome, Failure> {
        let arrival = Arrival { bucket: "pictures".to_owned(), key: KEY.to_owned(), way, version };
        let process = Process { clock: || LATER.parse().unwrap_or_default(), ..over(world) };
        let outcome = handle(&process, &arrival, &Line::new("request", "cloudpix-process", false)).await;
        world.breaks(None);
        outcome
    }

    async fn hear_of_it(world: &World, way: Way) -> Outcome {
        hear(world, way, world.version(KEY)).await.unwrap()
    }

    async fn ready() -> World {
        let world = World::default();
        announce(&world, &pending()).await;
        send(&world, COFFEE);
        assert_eq!(run(&world, KEY).await, Outcome::Done);
        check_whole(&world, &record(&world).await.unwrap());
        world
    }

    async fn delete(world: &World, broken: Option<Break>) {
        let process = over(world);
        world.breaks(broken);
        let now = NOW.parse().unwrap();
        if let Ok(Some(hidden)) = process.index.hide(ID.parse().unwrap(), &Owner::public(), now).await
            && process.store.delete_all(&hidden).await.is_ok()
        {
            process.index.mark_deleted(&hidden, now).await.ok();
        }
        world.breaks(None);
    }

    async fn status(world: &World) -> String {
        record(world).await.unwrap().status.name().to_owned()
    }

    #[tokio::test]
    async fn an_image_that_was_deleted_while_it_was_copied_stays_deleted() {
        let world = World::default();
        announce(&world, &pending()).await;
        let index = over(&world).index;
        let (id, now) = (ID.parse().unwrap(), NOW.parse().unwrap());
        let hidden = index.hide(id, &Owner::public(), now).await.unwrap().unwrap();
        index.mark_deleted(&hidden, NOW.parse().unwrap()).await.unwrap();
        // As if the copy had come after the delete marker.
        send(&world, COFFEE);
        let line = Line::new("request", "cloudpix-process", false);
        assert!(matches!(finish(&over(&world), pending(), &line).await.unwrap(), Step::LookAgain));
        assert!(world.objects().is_empty(), "{:?}", world.objects().keys());
        world.breaks(None);
        assert_eq!(hear_of_it(&world, Way::Copied).await, Outcome::Gone);
        assert!(matches!(record(&world).await.unwrap().status, Status::Deleted { .. }));
    }

    #[tokio::test]
    async fn what_is_sent_to_a_url_after_its_image_was_deleted_leaves_nothing_that_is_kept() {
        let world = ready().await;
        delete(&world, None).await;
        let kept = world.versions(KEY);
        for _ in 0..3 {
            send(&world, COFFEE);
            assert_eq!(world.versions(KEY), kept + 1);
            assert_eq!(hear_of_it(&world, Way::Put).await, Outcome::Gone);
            assert!(world.objects().is_empty() && world.listed().is_empty());
            assert_eq!((world.versions(KEY), status(&world).await.as_str()), (kept, "deleted"));
        }
    }

    #[tokio::test]
    async fn an_event_of_a_version_that_is_not_there_any_more_changes_nothing() {
        let world = ready().await;
        let first = world.version(KEY);
        delete(&world, None).await;
        let kept = world.versions(KEY);
        for way in [Way::Put, Way::Copied] {
            assert_eq!(hear(&world, way, first.clone()).await.unwrap(), Outcome::Gone);
            // Somebody wants it back, and the event of that is still to come.
            world.restore(KEY);
            assert_eq!(hear(&world, way, first.clone()).await.unwrap(), Outcome::Gone);
            assert_eq!(status(&world).await, "deleted");
            assert_eq!(world.versions(KEY), kept + 1, "what was restored is still there");
            over(&world).store.discard(KEY, &look(&world).await).await.unwrap();
        }
    }

    async fn look(world: &World) -> Piece {
        over(world).store.head(KEY).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn an_old_version_that_is_copied_back_is_an_image_again_in_its_old_place() {
        for at in 0..12 {
            for takes_effect in [false, true] {
                let world = ready().await;
                delete(&world, None).await;
                world.restore(KEY);
                world.breaks(Some(Break { at, takes_effect }));
                hear(&world, Way::Copied, world.version(KEY)).await.ok();
                hear_of_it(&world, Way::Copied).await;
                // Its moment is that of before, as `check_whole` wants it.
                check_whole(&world, &record(&world).await.unwrap());
                assert_eq!(hear_of_it(&world, Way::Copied).await, Outcome::Unchanged, "{at}");
            }
        }
    }

    #[tokio::test]
    async fn an_image_whose_delete_marker_was_taken_away_comes_back_by_backfill() {
        let world = ready().await;
        delete(&world, None).await;
        world.unmark(KEY);
        assert_eq!(hear(&world, Way::Put, None).await.unwrap(), Outcome::Done);
        check_whole(&world, &record(&world).await.unwrap());
    }

    #[tokio::test]
    async fn a_picture_put_by_hand_over_an_image_becomes_the_image_and_keeps_its_place() {
        for (way, at) in [Way::Put, Way::Copied, Way::Otherwise]
            .into_iter()
            .zip(0..)
            .chain((0..16).map(|at| (Way::Put, at)))
        {
            for takes_effect in [false, true] {
                let world = ready().await;
                world.send(KEY, &[("content-type", "image/jpeg")], SMALL);
                world.breaks(Some(Break { at, takes_effect }));
                hear(&world, way, world.version(KEY)).await.ok();
                hear_of_it(&world, way).await;
                let record = record(&world).await.unwrap();
                assert_eq!(record.sha256, Some(Sha256::of(SMALL)), "{at} {takes_effect}");
                assert_eq!(record.size, SMALL.len() as u64);
                let Status::Ready { width, height, ready_at, .. } = record.status else {
                    panic!("{record:?}")
                };
                assert_eq!(ready_at.to_string(), "2026-11-23T05:00:00Z");
                let shape = imagesize(SMALL);
                assert_eq!((width, height), shape);
                let thumbnails = &record.derived.unwrap().thumbnails.all;
                assert!(thumbnails.iter().all(|one| (one.width > one.height) == (width > height)));
                assert_eq!(world.objects()[KEY], SMALL);
                assert_eq!(world.listed(), [ID]);
                assert_eq!(record.file_name, pending().file_name);
                assert_eq!(hear_of_it(&world, Way::Copied).await, Outcome::Unchanged);
            }
        }
    }

    fn imagesize(bytes: &[u8]) -> (u32, u32) {
        let picture = image::picture::inspect(bytes, None, u64::MAX).unwrap();
        (picture.width, picture.height)
    }

    #[tokio::test]
    async fn what_is_put_by_hand_over_an_image_and_is_none_stays_and_is_listed_no_more() {
        for at in 0..8 {
            for takes_effect in [false, true] {
                let world = ready().await;
                world.send(KEY, &[("content-type", "image/jpeg")], b"<html>");
                world.breaks(Some(Break { at, takes_effect }));
                hear(&world, Way::Put, world.version(KEY)).await.ok();
                assert_eq!(hear_of_it(&world, Way::Put).await, Outcome::Left);
                let left: Vec<_> = world.objects().into_iter().collect();
                assert_eq!(left, [(KEY.to_owned(), b"<html>".to_vec())], "{at} {takes_effect}");
                assert!(world.listed().is_empty());
                assert_eq!(status(&world).await, "rejected");
                // The picture of before is copied back.
                world.send(KEY, &[("content-type", "image/jpeg")], COFFEE);
                assert_eq!(hear_of_it(&world, Way::Copied).await, Outcome::Done);
                assert_eq!((status(&world).await.as_str(), world.listed()), ("ready", vec![ID.to_owned()]));
            }
        }
    }

    #[tokio::test]
    async fn a_deletion_that_broke_off_anywhere_is_found_and_finished() {
        for at in 0..5 {
            for takes_effect in [false, true] {
                let world = ready().await;
                delete(&world, Some(Break { at, takes_effect })).await;
                let is_begun = at > 0 || takes_effect;
                let is_done = (at, takes_effect) == (4, true);
                let found = if is_begun && !is_done { vec![ID.to_owned()] } else { vec![] };
                assert_eq!(world.deleting(), found, "{at} {takes_effect}");
                if !found.is_empty() {
                    // `provision backfill` asks about it.
                    assert_eq!(hear(&world, Way::Put, None).await.unwrap(), Outcome::Gone);
                }
                let expected = if is_begun { "deleted" } else { "ready" };
                assert_eq!(status(&world).await, expected, "{at} {takes_effect}");
                assert_eq!(world.objects().is_empty(), is_begun, "{:?}", world.objects().keys());
                assert!(world.deleting().is_empty());
                // What was deleted can be brought back by those who may.
                assert!(world.versions(KEY) > 0);
            }
        }
    }

    #[tokio::test]
    async fn finishing_a_deletion_can_break_off_too() {
        for at in 0..6 {
            for takes_effect in [false, true] {
                let world = ready().await;
                delete(&world, Some(Break { at: 0, takes_effect: true })).await;
                world.breaks(Some(Break { at, takes_effect }));
                hear(&world, Way::Put, None).await.ok();
                hear(&world, Way::Put, None).await.unwrap();
                assert_eq!(status(&world).await, "deleted", "{at} {takes_effect}");
                assert!(world.objects().is_empty() && world.deleting().is_empty());
            }
        }
    }
}
