//! Makes of a ready image what can be made of it, and notes that in its record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catalog::answer::Reject;
use catalog::derived::{Derived, Thumbnail, Thumbnails};
use catalog::log::Line;
use catalog::picture::Format;
use catalog::record::Record;
use futures_util::future::try_join_all;
use thumbnail::{Made, Output};

use crate::handler::{Outcome, Process, Step};

/// How thumbnails are made.
pub(crate) struct Maker {
    pub(crate) settings: thumbnail::Settings,
}

impl Maker {
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
    ) -> Result<Step, Reject> {
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
        if line.timed("dynamodbUpdateMs", self.index.note(record.image_id, &derived)).await? {
            return Ok(Step::End(Outcome::Done));
        }
        // It has been deleted meanwhile.
        self.remove_thumbnails(record, line).await?;
        Ok(Step::LookAgain)
    }

    /// The image's bytes, if it is there and, within, if they are few enough.
    async fn read_ready(&self, record: &Record, line: &Line) -> Result<Option<Option<Vec<u8>>>, Reject> {
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

    async fn make(&self, record: &Record, bytes: Vec<u8>, line: &Line) -> Result<Derived, Reject> {
        let facts = thumbnail::facts(&bytes);
        let made = line.timed("makeMs", async { thumbnail::make(&bytes, &self.maker.settings) }).await;
        drop(bytes);
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
            captured_at: facts.captured_at,
            camera: facts.camera,
            orientation: facts.orientation,
        })
    }

    /// Deletes what was made of an image, and what may have been, had its record been written.
    pub(crate) async fn remove_thumbnails(&self, record: &Record, line: &Line) -> Result<(), Reject> {
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
