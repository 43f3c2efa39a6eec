//! An object of which nothing is known but what was announced, or not even that: it is held against
//! its record, and the record becomes `ready` or `rejected`; or it is given one.

use catalog::failure::Failure;
use catalog::log::{self, Line};
use catalog::store::object::Piece;
use contract::PUBLIC_OWNER;
use image::digest::{Hasher, Sha256};
use image::file_name::FileName;
use image::format::Format;
use image::metadata;
use image::picture::far::{Far, far};
use image::picture::{self, Picture, Unfit};
use image::record::{Record, image_of};
use image::status::Status;
use jiff::SignedDuration;

use crate::handler::{Outcome, Process, Step};

/// Bytes that come with the first read. They hold the header of nearly every image.
const FIRST: u64 = 128 * 1024;
/// Bytes of each further read.
const NEXT: u64 = 8 * 1024 * 1024;
/// Reads after a header that is not in front. Each is of [`NEXT`] bytes at most, of which two are held.
const HEADER_READS: usize = 2;
/// How long a client can read why its image was rejected.
const REJECTED_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How old the moment in an object's metadata may be to become that of its record.
pub(crate) const RECENT: SignedDuration = SignedDuration::from_mins(1);

/// What an object turned out to be.
enum Found {
    Image {
        picture: Picture,
        sha256: Sha256,
        bytes: Option<Vec<u8>>,
    },
    /// It is not to be kept, for a reason that its sender may hear.
    Refused(String),
    Gone,
}

impl Process {
    /// Holds the object of a pending record against what was announced.
    pub(crate) async fn finish(&self, pending: Record, line: &Line) -> Result<Step, Failure> {
        let key = pending.object_key();
        let Some(first) = line.timed("s3GetMs", self.store.read_first(&key, FIRST)).await? else {
            return Ok(Step::End(Outcome::Gone));
        };
        line.bytes(first.size);
        if first.size != pending.size {
            let reason = format!("announced as {} bytes, but {} arrived", pending.size, first.size);
            return self.reject(pending, &first, reason, line).await;
        }
        let (picture, sha256, bytes) = match self.examine(&key, &first, Some(pending.format), line).await? {
            Found::Image { picture, sha256, bytes } => (picture, sha256, bytes),
            Found::Refused(reason) => return self.reject(pending, &first, reason, line).await,
            Found::Gone => return Ok(Step::End(Outcome::Gone)),
        };
        if pending.sha256.is_some_and(|announced| announced != sha256) {
            let reason = format!("announced with another SHA-256 than {sha256}, which its bytes have");
            return self.reject(pending, &first, reason, line).await;
        }
        let Some(ready) = self.complete(pending, picture, sha256, &first, line).await? else {
            return Ok(Step::End(Outcome::Gone));
        };
        if !line.timed("dynamodbPutMs", self.index.settle(&ready)).await? {
            self.take_back(&ready, line).await?;
            return Ok(Step::LookAgain);
        }
        line.uploaded();
        self.derive(&ready, bytes, line).await
    }

    /// A client may have deleted the image while its object was being copied. The copy then lies over the
    /// delete marker, and its own event would take it for one that was made by hand.
    async fn take_back(&self, ready: &Record, line: &Line) -> Result<(), Failure> {
        let now = line.timed("dynamodbGetMs", self.index.get(ready.image_id)).await?;
        match now {
            Some(now) if matches!(now.status, Status::Deleted { .. }) => {
                line.timed("s3DeleteMs", self.store.delete(&now)).await
            }
            _ => Ok(()),
        }
    }

    /// Gives an object the record that its metadata tells of, or that its bytes do: one that has none, or
    /// one whose record, `over`, is of what was there before.
    pub(crate) async fn adopt(&self, key: &str, over: Option<Record>, line: &Line) -> Result<Step, Failure> {
        let left = Ok(Step::End(Outcome::Left));
        let extension = key.rsplit_once('.').map(|(_, extension)| extension);
        let format = Format::ALL.into_iter().find(|format| Some(format.extension()) == extension);
        let (Some(image_id), Some(format)) = (image_of(key), format) else { return left };
        let Some(first) = line.timed("s3GetMs", self.store.read_first(key, FIRST)).await? else {
            return Ok(Step::End(Outcome::Gone));
        };
        line.bytes(first.size);
        let told = |name: &str| first.metadata.get(name).map(String::as_str);
        let whole = metadata::read(key, &first.content_type, first.size, told).ok();
        if let (Some(record), None) = (&whole, &over) {
            return self.adopt_as(record, over.as_ref(), None, line).await;
        }
        // Its record has expired, or somebody put it there by hand.
        let was_announced = told(metadata::FILE_NAME).is_some();
        let name = told(metadata::FILE_NAME).unwrap_or_default();
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        let name = FileName::parse(&name).ok().or_else(|| Some(over.as_ref()?.file_name.clone()));
        let Some(file_name) = name.or_else(|| FileName::kept(key.rsplit('/').next()?)) else { return left };
        let record = Record {
            image_id,
            file_name,
            format,
            size: first.size,
            sha256: None,
            created_at: over.as_ref().map_or_else(self.clock, |over| over.created_at),
            status: over.as_ref().map_or(Status::Deleting, |over| over.status.clone()),
            derived: None,
        };
        match self.examine(key, &first, Some(format), line).await? {
            Found::Image { picture, sha256, bytes } => {
                let sides = (picture.width, picture.height);
                let is_of = |it: &Record| {
                    let is_sized =
                        matches!(it.status, Status::Ready { width, height, .. } if (width, height) == sides);
                    it.sha256 == Some(sha256) && is_sized
                };
                let ready = match whole.filter(is_of) {
                    Some(ready) => Some(ready),
                    None => self.complete(record, picture, sha256, &first, line).await?,
                };
                match ready {
                    Some(ready) => self.adopt_as(&ready, over.as_ref(), bytes, line).await,
                    None => Ok(Step::End(Outcome::Gone)),
                }
            }
            Found::Refused(reason) => match over {
                Some(over) => self.refuse(over, reason, line).await,
                None if was_announced => {
                    let rejected = Record { status: self.rejected(reason), ..record };
                    if line.timed("dynamodbPutMs", self.index.put(&rejected)).await?.is_some() {
                        return Ok(Step::LookAgain);
                    }
                    self.discard(&rejected, &first, line).await?;
                    Ok(Step::End(Outcome::Rejected))
                }
                None => {
                    log::failure(&anyhow::anyhow!("{key} has no record and gets none: {reason}"));
                    left
                }
            },
            Found::Gone => Ok(Step::End(Outcome::Gone)),
        }
    }

    /// An upload that failed halfway takes its object back first and its record second, so a record
    /// that is written here stays only if the object is still there after that.
    async fn adopt_as(
        &self,
        record: &Record,
        over: Option<&Record>,
        bytes: Option<Vec<u8>>,
        line: &Line,
    ) -> Result<Step, Failure> {
        let is_written = match over {
            None => line.timed("dynamodbPutMs", self.index.put(record)).await?.is_none(),
            Some(over) => {
                let is_written = line.timed("dynamodbPutMs", self.index.replace(record, over)).await?;
                if is_written {
                    // Those of other bytes; what is made of these may be fewer. Not before: who comes second
                    // would take away what the first has made.
                    self.remove_thumbnails(over, line).await?;
                }
                is_written
            }
        };
        if !is_written {
            return Ok(Step::LookAgain);
        }
        if line.timed("s3HeadMs", self.store.look(&record.object_key())).await?.is_none() {
            self.index.forget(record).await?;
            return Ok(Step::End(Outcome::Gone));
        }
        self.derive(record, bytes, line).await
    }

    /// Makes a record a ready one, and has its object say so before the table does. Nothing if the
    /// object is gone.
    async fn complete(
        &self,
        record: Record,
        picture: Picture,
        sha256: Sha256,
        first: &Piece,
        line: &Line,
    ) -> Result<Option<Record>, Failure> {
        let now = (self.clock)();
        // An image whose bytes were exchanged stays where it was in every listing.
        let (at, owner) = match &record.status {
            Status::Ready { ready_at, owner, .. } => (*ready_at, owner.clone()),
            _ => (now, PUBLIC_OWNER.to_owned()),
        };
        let ready = |status| Record { sha256: Some(sha256), status, ..record.clone() };
        // An earlier delivery of the event may have got this far, or may be right here.
        let told = |name: &str| first.metadata.get(name).map(String::as_str);
        let there = metadata::read(&record.object_key(), &first.content_type, first.size, told);
        if let Ok(there) = there
            && let Status::Ready { width, height, ready_at, .. } = there.status
            && (there.sha256, width, height) == (Some(sha256), picture.width, picture.height)
            && ready_at <= now
            && now.duration_since(ready_at) < RECENT
        {
            return Ok(Some(ready(there.status)));
        }
        let Picture { width, height, .. } = picture;
        let ready = ready(Status::Ready { width, height, ready_at: at, owner });
        let completed = line.timed("s3CopyMs", self.store.complete(&ready, &first.entity_tag)).await?;
        Ok(completed.then_some(ready))
    }

    async fn reject(
        &self,
        pending: Record,
        first: &Piece,
        reason: String,
        line: &Line,
    ) -> Result<Step, Failure> {
        let rejected = Record { status: self.rejected(reason), ..pending };
        if !line.timed("dynamodbPutMs", self.index.settle(&rejected)).await? {
            return Ok(Step::LookAgain);
        }
        self.discard(&rejected, first, line).await?;
        Ok(Step::End(Outcome::Rejected))
    }

    /// Of an object that was put by hand where an image is or was, and is none: it stays, and no list has
    /// it. Its record says why for a week.
    async fn refuse(&self, over: Record, reason: String, line: &Line) -> Result<Step, Failure> {
        let key = over.object_key();
        line.remark(format!("no image any more: {reason}"));
        log::failure(&anyhow::anyhow!("{key} was put there by hand and is no image: {reason}"));
        if matches!(over.status, Status::Ready { .. }) {
            let rejected = Record { status: self.rejected(reason), derived: None, ..over.clone() };
            if !line.timed("dynamodbPutMs", self.index.replace(&rejected, &over)).await? {
                return Ok(Step::LookAgain);
            }
        }
        self.remove_thumbnails(&over, line).await?;
        Ok(Step::End(Outcome::Left))
    }

    fn rejected(&self, reason: String) -> Status {
        Status::Rejected { expires_at: (self.clock)() + REJECTED_LIFE, reason }
    }

    /// Looks at the header first, so that what is no image is not read any further.
    async fn examine(
        &self,
        key: &str,
        first: &Piece,
        declared: Option<Format>,
        line: &Line,
    ) -> Result<Found, Failure> {
        let holds_all = first.bytes.len() as u64 == first.size;
        let mut picture = picture::inspect(&first.bytes, declared, self.max_pixels);
        let may_go_on = || Format::of(&first.bytes) == declared && !holds_all;
        match &picture {
            Err(unfit) if matches!(unfit, Unfit::TooManyPixels { .. }) || !may_go_on() => {
                return Ok(Found::Refused(unfit.to_string()));
            }
            _ => (),
        }
        let Some((sha256, bytes)) = self.read(key, first, line).await? else { return Ok(Found::Gone) };
        if picture.is_err() {
            let header = match &bytes {
                Some(bytes) => picture::inspect(bytes, declared, self.max_pixels),
                None => {
                    let Some(header) = self.read_header(key, first, line).await? else {
                        return Ok(Found::Gone);
                    };
                    picture::inspect(&header, declared, self.max_pixels)
                }
            };
            picture = header;
        }
        match picture {
            Ok(picture) => Ok(Found::Image { picture, sha256, bytes }),
            Err(unfit) if bytes.is_some() || matches!(unfit, Unfit::TooManyPixels { .. }) => {
                Ok(Found::Refused(unfit.to_string()))
            }
            Err(_) => Err(Failure::Broken(anyhow::anyhow!(
                "{key}: its header is not found, and all {} bytes do not fit in memory; raise process.memory",
                first.size
            ))),
        }
    }

    /// Reads the header of an object that is too large to be held and has it elsewhere than among its first
    /// bytes. What comes can be inspected like the first bytes. Nothing if the object is gone.
    async fn read_header(&self, key: &str, first: &Piece, line: &Line) -> Result<Option<Vec<u8>>, Failure> {
        let mut bytes = first.bytes.clone();
        // How far the file's bytes are from where they would be had nothing been left out.
        let mut left_out = 0;
        for _ in 0..HEADER_READS {
            // Of other formats it goes on where the first bytes end.
            let Far { at, before } =
                far(&bytes).unwrap_or_else(|| Far { at: bytes.len() as u64, before: bytes.clone() });
            let at = at.saturating_add(left_out);
            if at >= first.size {
                break;
            }
            let more = self.store.read_on(key, first, at, NEXT.min(first.size - at));
            let Some(more) = line.timed("s3GetMs", more).await? else { return Ok(None) };
            left_out = at.saturating_sub(before.len() as u64);
            bytes = [before, more].concat();
            if picture::inspect(&bytes, None, u64::MAX).is_ok() {
                break;
            }
        }
        Ok(Some(bytes))
    }

    /// Reads all of an object, hashes it, and holds it if it is not too large. Nothing if it is gone.
    pub(crate) async fn read(
        &self,
        key: &str,
        first: &Piece,
        line: &Line,
    ) -> Result<Option<(Sha256, Option<Vec<u8>>)>, Failure> {
        let held = usize::try_from(first.size).ok().filter(|_| first.size <= self.max_held);
        let mut bytes = Vec::with_capacity(held.unwrap_or_default());
        let mut hasher = Hasher::default();
        hasher.update(&first.bytes);
        bytes.extend(first.bytes.iter().filter(|_| held.is_some()));
        let mut read = first.bytes.len() as u64;
        while read < first.size {
            let more = self.store.read_on(key, first, read, NEXT.min(first.size - read));
            let Some(more) = line.timed("s3GetMs", more).await? else { return Ok(None) };
            if more.is_empty() {
                return Err(Failure::Busy(anyhow::anyhow!(
                    "read {key}: S3 sent nothing from byte {read} on"
                )));
            }
            hasher.update(&more);
            read += more.len() as u64;
            if held.is_some() {
                bytes.extend_from_slice(&more);
            }
        }
        Ok(Some((hasher.finish(), held.map(|_| bytes))))
    }
}

#[cfg(test)]
mod tests {
    use catalog::testing::world::World;

    use super::*;
    use crate::handler::tests::{COFFEE, HEIC, KEY, announce, pending, record, run};

    #[tokio::test]
    async fn a_header_behind_megabytes_is_read_though_the_file_does_not_fit() {
        let (ftyp, boxes) = HEIC.split_at(u32::from_be_bytes(*HEIC.first_chunk().unwrap()) as usize);
        let data = [&b"\0\x20\0\0mdat"[..], &vec![7; 0x20_0000 - 8]].concat();
        let heic = [ftyp, &data, boxes].concat();
        let comment = [&b"\xFF\xFE\xFF\xFF"[..], &vec![7; 0xFFFD]].concat();
        let jpeg = [&COFFEE[..2], &comment.repeat(40), &COFFEE[2..]].concat();
        let (heif, size) = (Format::Heic, |bytes: &[u8]| bytes.len() as u64);
        for (record_of, bytes, key) in [
            (Record { size: size(&heic), format: heif, ..pending() }, &heic, KEY.replace("jpg", "heic")),
            (Record { size: size(&jpeg), ..pending() }, &jpeg, KEY.to_owned()),
        ] {
            let world = World::default();
            announce(&world, &record_of).await;
            world.send(&key, &[("content-type", record_of.format.media_type())], bytes);
            assert_eq!(run(&world, &key).await, Outcome::Done);
            let Status::Ready { width, height, .. } = record(&world).await.unwrap().status else { panic!() };
            assert!(matches!((width, height), (450, 300) | (600, 400)), "{width} x {height}");
        }
    }
}
