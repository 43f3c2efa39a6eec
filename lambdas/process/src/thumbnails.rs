//! Makes of a ready image what can be made of it, and notes that in its record.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catalog::failure::Failure;
use catalog::log::Line;
use futures_util::future::try_join_all;
use image::facts::{Derived, Facts};
use image::format::Format;
use image::record::Record;
use image::status::Status;
use image::thumbnails::{Thumbnail, Thumbnails};
use process::decoder::{Decoded, Decoder};
use thumbnail::{Made, Output};

use crate::handler::{Outcome, Process, Step};

/// What the function keeps to itself of the time that Lambda gives it, to put thumbnails and write the
/// record. Of a short time it is half.
const RESERVE: Duration = Duration::from_secs(10);
/// What a picture gets of the rest. Lambda gives a function of 1,024 MiB 0.58 of a CPU, so that ten
/// seconds of CPU take 17.
const LONGEST: Duration = Duration::from_secs(25);
/// With less than this a picture could be taken for one that has no end.
const SHORTEST: Duration = Duration::from_millis(500);

/// How thumbnails are made.
pub(crate) struct Maker {
    pub(crate) settings: thumbnail::Settings,
    pub(crate) decoder: Decoder,
    /// When Lambda ends the event at hand.
    until: Cell<Instant>,
    /// What a picture gets of an event that has only begun.
    whole: Cell<Duration>,
}

/// How long a picture may take, or nothing where it would not get a fair share.
fn allowance(left: Duration) -> Option<Duration> {
    let allowed = left.saturating_sub(RESERVE.min(left / 2)).min(LONGEST);
    (allowed >= SHORTEST).then_some(allowed)
}

impl Maker {
    pub(crate) fn new(settings: thumbnail::Settings, decoder: Decoder) -> Maker {
        Maker {
            settings,
            decoder,
            until: Cell::new(Instant::now() + RESERVE + LONGEST),
            whole: Cell::new(LONGEST),
        }
    }

    /// Notes when Lambda is going to end the event at hand.
    pub(crate) fn until(&self, end: Instant) {
        self.until.set(end);
        let left = end.saturating_duration_since(Instant::now());
        self.whole.set(allowance(left).unwrap_or_default());
    }

    async fn decode(&self, bytes: Vec<u8>) -> Result<Decoded, Failure> {
        let left = self.until.get().saturating_duration_since(Instant::now());
        // Where S3 took most of the time, a sound picture could seem to have no end: the next delivery has all of it.
        let allowed = allowance(left).filter(|allowed| *allowed * 2 >= self.whole.get());
        let allowed = allowed.with_context(|| format!("decode: {} ms are left", left.as_millis()));
        let until = Instant::now() + allowed.map_err(Failure::Busy)?;
        self.decoder.decode(bytes, &self.settings, until.into()).await.map_err(Failure::Busy)
    }

    fn format(&self) -> Format {
        match self.settings.format {
            Output::Webp => Format::WebP,
            Output::Jpeg => Format::Jpeg,
        }
    }
}

impl Process {
    /// `bytes` are the image's, if they were read already.
    pub(crate) async fn derive(
        &self,
        record: &Record,
        bytes: Option<Vec<u8>>,
        line: &Line,
    ) -> Result<Step, Failure> {
        let bytes = match bytes {
            Some(bytes) => Some(bytes),
            None => match self.read_ready(record, line).await? {
                Some(bytes) => bytes,
                // No client can have deleted it, since that hides the record first.
                None if self.index.forget(record).await? => return Ok(Step::End(Outcome::Gone)),
                None => return Ok(Step::LookAgain),
            },
        };
        let derived = match bytes {
            Some(bytes) => self.make(record, bytes, line).await?,
            None => {
                line.remark(format!("no thumbnails: {} bytes do not fit in memory", record.size));
                Derived::default()
            }
        };
        if line.timed("dynamodbUpdateMs", self.index.note(record, &derived)).await? {
            return Ok(Step::End(Outcome::Done));
        }
        let now = line.timed("dynamodbGetMs", self.index.get(record.image_id)).await?;
        if let Some(now) = now.filter(|now| matches!(now.status, Status::Ready { .. })) {
            // Other bytes were put there by hand, and what was made of these now lies over theirs.
            return Box::pin(self.derive(&now, None, line)).await;
        }
        // It has been deleted meanwhile.
        self.remove_thumbnails(record, line).await?;
        Ok(Step::LookAgain)
    }

    /// The image's bytes, if it is there and, within, if they are few enough.
    async fn read_ready(&self, record: &Record, line: &Line) -> Result<Option<Option<Vec<u8>>>, Failure> {
        let key = record.object_key();
        let limit = if record.size <= self.max_held { record.size.max(1) } else { 1 };
        let first = line.timed("s3GetMs", self.store.read_first(&key, limit)).await?;
        line.bytes(record.size);
        let Some(first) = first else { return Ok(None) };
        if first.size > self.max_held {
            return Ok(Some(None));
        }
        Ok(self.read(&key, &first, line).await?.map(|(_, bytes)| bytes))
    }

    async fn make(&self, record: &Record, bytes: Vec<u8>, line: &Line) -> Result<Derived, Failure> {
        let Decoded { facts, made } = line.timed("makeMs", self.maker.decode(bytes)).await?;
        let Made { thumbnails, thumb_hash } = made.unwrap_or_else(|cause| {
            line.remark(format!("no thumbnails: {cause}"));
            Made { thumbnails: Vec::new(), thumb_hash: Vec::new() }
        });
        let format = self.maker.format();
        let all = thumbnails.iter().map(|thumbnail| Thumbnail {
            edge: thumbnail.edge,
            width: thumbnail.width,
            height: thumbnail.height,
            size: thumbnail.bytes.len() as u64,
        });
        let thumbnails_made = Thumbnails { format, all: all.collect() };
        let puts = thumbnails.into_iter().map(|thumbnail| {
            self.store.put_thumbnail(record.image_id, thumbnail.edge, format, thumbnail.bytes.into())
        });
        line.timed("s3PutMs", try_join_all(puts)).await?;
        Ok(Derived {
            thumbnails: thumbnails_made,
            thumb_hash: (!thumb_hash.is_empty()).then(|| STANDARD.encode(thumb_hash)),
            facts: Facts {
                captured_at: facts.captured_at,
                camera: facts.camera,
                orientation: facts.orientation,
            },
        })
    }

    /// Deletes what was made of an image, and what may have been, had its record been written.
    pub(crate) async fn remove_thumbnails(&self, record: &Record, line: &Line) -> Result<(), Failure> {
        let format = self.maker.format();
        let mut all: Vec<_> = self.maker.settings.edges.iter().map(|edge| (*edge, format)).collect();
        all.extend(record.thumbnails());
        all.sort_unstable_by_key(|(edge, format)| (*edge, format.extension()));
        all.dedup();
        let deletes =
            all.into_iter().map(|(edge, format)| self.store.delete_thumbnail(record.image_id, edge, format));
        line.timed("s3DeleteMs", try_join_all(deletes)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use catalog::testing::world::World;
    use image::thumbnails::Thumbnails;

    use super::*;
    use crate::event::Way;
    use crate::handler::tests::{COFFEE, KEY, announce, over, pending, record, run_as, send};

    #[test]
    fn time_is_left_for_the_record() {
        let allowed = |left: u64| allowance(Duration::from_millis(left)).map(|time| time.as_millis());
        let expected = [(0, None), (999, None), (1000, Some(500)), (20_000, Some(10_000))];
        for (left, time) in [&expected[..], &[(30_000, Some(20_000)), (60_000, Some(25_000))]].concat() {
            assert_eq!(allowed(left), time, "{left}");
        }
    }

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
