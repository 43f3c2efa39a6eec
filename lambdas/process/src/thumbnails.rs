//! Makes of a ready image what can be made of it, and notes that in its record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catalog::failure::Failure;
use catalog::log::Line;
use futures_util::future::try_join_all;
use image::facts::{Derived, Facts};
use image::record::Record;
use image::status::Status;
use image::thumbnails::{Thumbnail, Thumbnails};
use process::decoder::Decoded;
use thumbnail::Made;

use crate::object;
use crate::step::{Outcome, Process, Step};

/// Makes what can be made of a ready image. `bytes` are the image's, if they were read already.
pub(crate) async fn derive(
    process: &Process,
    record: &Record,
    bytes: Option<Vec<u8>>,
    line: &Line,
) -> Result<Step, Failure> {
    let bytes = match bytes {
        Some(bytes) => Some(bytes),
        None => match read_ready(process, record, line).await? {
            Some(bytes) => bytes,
            // No client can have deleted it, since that hides the record first.
            None if process.index.delete_unchanged(record).await? => return Ok(Step::End(Outcome::Gone)),
            None => return Ok(Step::LookAgain),
        },
    };
    let derived = match bytes {
        Some(bytes) => make(process, record, bytes, line).await?,
        None => {
            line.remark(format!("no thumbnails: {} bytes do not fit in memory", record.size));
            Derived::default()
        }
    };
    if line.timed("dynamodbUpdateMs", process.index.add_derived(record, &derived)).await? {
        return Ok(Step::End(Outcome::Done));
    }
    let now = line.timed("dynamodbGetMs", process.index.get(record.image_id)).await?;
    if let Some(now) = now.filter(|now| matches!(now.status, Status::Ready { .. })) {
        // Other bytes were put there by hand, and what was made of these now lies over theirs.
        return Box::pin(derive(process, &now, None, line)).await;
    }
    // It has been deleted meanwhile.
    remove(process, record, line).await?;
    Ok(Step::LookAgain)
}

/// The image's bytes: `None` if it is not there, `Some(None)` if they are too many to be held.
async fn read_ready(
    process: &Process,
    record: &Record,
    line: &Line,
) -> Result<Option<Option<Vec<u8>>>, Failure> {
    let key = record.object_key();
    let limit = if record.size <= process.max_held { record.size.max(1) } else { 1 };
    let first = line.timed("s3GetMs", process.store.read_first(&key, limit)).await?;
    line.bytes(record.size);
    let Some(first) = first else { return Ok(None) };
    if first.size > process.max_held {
        return Ok(Some(None));
    }
    Ok(object::read(process, &key, &first, line).await?.map(|(_, bytes)| bytes))
}

async fn make(process: &Process, record: &Record, bytes: Vec<u8>, line: &Line) -> Result<Derived, Failure> {
    let Decoded { facts, made } = line.timed("makeMs", process.maker.decode(bytes)).await?;
    let Made { thumbnails, thumb_hash } = made.unwrap_or_else(|cause| {
        line.remark(format!("no thumbnails: {cause}"));
        Made { thumbnails: Vec::new(), thumb_hash: Vec::new() }
    });
    let format = process.maker.format();
    let all = thumbnails.iter().map(|thumbnail| Thumbnail {
        edge: thumbnail.edge,
        width: thumbnail.width,
        height: thumbnail.height,
        size: thumbnail.bytes.len() as u64,
    });
    let thumbnails_made = Thumbnails { format, all: all.collect() };
    let puts = thumbnails.into_iter().map(|thumbnail| {
        process.store.put_thumbnail(record.image_id, thumbnail.edge, format, thumbnail.bytes.into())
    });
    line.timed("s3PutMs", try_join_all(puts)).await?;
    let thumbnail::Facts { captured_at, camera, orientation } = facts;
    Ok(Derived {
        thumbnails: thumbnails_made,
        thumb_hash: (!thumb_hash.is_empty()).then(|| STANDARD.encode(thumb_hash)),
        facts: Facts { captured_at, camera, orientation },
    })
}

/// Deletes what was made of an image, and what may have been, had its record been written.
pub(crate) async fn remove(process: &Process, record: &Record, line: &Line) -> Result<(), Failure> {
    let format = process.maker.format();
    let mut all: Vec<_> = process.maker.settings.edges.iter().map(|edge| (*edge, format)).collect();
    all.extend(record.thumbnails());
    all.sort_unstable_by_key(|(edge, format)| (*edge, format.extension()));
    all.dedup();
    let deletes =
        all.into_iter().map(|(edge, format)| process.store.delete_thumbnail(record.image_id, edge, format));
    line.timed("s3DeleteMs", try_join_all(deletes)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use catalog::testing::world::World;
    use image::thumbnails::Thumbnails;

    use super::*;
    use crate::event::Way;
    use crate::handler::tests::{COFFEE, KEY, announce, over, pending, record, run_as, send};

    #[tokio::test]
    async fn a_picture_that_ends_its_decoder_is_ready_without_thumbnails() {
        let world = World::default();
        let process = over(&world);
        let picture = [COFFEE, b"\0abort"].concat();
        announce(&world, &Record { size: picture.len() as u64, ..pending() }).await;
        send(&world, &picture);
        let (outcome, line) = run_as(&process, KEY, Way::Put).await;
        assert_eq!(outcome.unwrap(), Outcome::Done);
        assert_eq!(line["remarks"][0], "no thumbnails: its decoder died of signal 6");
        let ready = record(&world).await.unwrap();
        assert_eq!(ready.derived.as_ref().unwrap().thumbnails, Thumbnails::default());
        // There is nothing left to do, for `backfill` neither, and the next one is none the worse.
        assert_eq!(run_as(&process, KEY, Way::Put).await.0.unwrap(), Outcome::Unchanged);
        process.index.delete(&ready).await.unwrap();
        announce(&world, &pending()).await;
        send(&world, COFFEE);
        assert_eq!(run_as(&process, KEY, Way::Put).await.0.unwrap(), Outcome::Done);
        assert_eq!(record(&world).await.unwrap().derived.unwrap().thumbnails.all.len(), 2);
    }

    #[tokio::test]
    async fn an_event_that_is_nearly_over_leaves_the_picture_to_its_next_delivery() {
        let world = World::default();
        let process = over(&world);
        announce(&world, &pending()).await;
        send(&world, COFFEE);
        process.maker.until(Instant::now() + Duration::from_millis(900));
        run_as(&process, KEY, Way::Put).await.0.unwrap_err();
        assert_eq!(record(&world).await.unwrap().derived, None);
        process.maker.until(Instant::now() + Duration::from_mins(1));
        assert_eq!(run_as(&process, KEY, Way::Put).await.0.unwrap(), Outcome::Done);
    }
}
