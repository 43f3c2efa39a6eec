//! Checks an object that has come against its pending record, which becomes `ready` or `rejected`.

use catalog::failure::Failure;
use catalog::log::Line;
use catalog::store::object::Piece;
use image::record::Record;
use image::status::Status;

use crate::draft::{self, Draft};
use crate::object::{self, Found};
use crate::step::{Outcome, Process, Step};
use crate::thumbnails;

/// Checks the object of a pending record against what was announced, and finishes the image if it is that.
pub(crate) async fn finish(process: &Process, pending: Record, line: &Line) -> Result<Step, Failure> {
    let key = pending.object_key();
    let Some(first) = object::read_first(process, &key, line).await? else {
        return Ok(Step::End(Outcome::Gone));
    };
    if first.size != pending.size {
        let reason = format!("announced as {} bytes, but {} arrived", pending.size, first.size);
        return reject(process, pending, &first, reason, line).await;
    }
    let (picture, sha256, bytes) =
        match object::examine(process, &key, &first, Some(pending.format), line).await? {
            Found::Image { picture, sha256, bytes } => (picture, sha256, bytes),
            Found::Refused(reason) => return reject(process, pending, &first, reason, line).await,
            Found::Gone => return Ok(Step::End(Outcome::Gone)),
        };
    if pending.sha256.is_some_and(|announced| announced != sha256) {
        let reason = format!("announced with another SHA-256 than {sha256}, which its bytes have");
        return reject(process, pending, &first, reason, line).await;
    }
    let Record { image_id, owner, file_name, format, size, sha256: _, created_at, status: _, derived: _ } =
        pending;
    let draft = Draft { image_id, owner, file_name, format, size, created_at, place: None };
    let Some(ready) = draft::complete(process, draft, picture, sha256, &first, line).await? else {
        return Ok(Step::End(Outcome::Gone));
    };
    if !line.timed("dynamodbPutMs", process.index.replace_pending(&ready)).await? {
        take_back(process, &ready, line).await?;
        return Ok(Step::LookAgain);
    }
    line.uploaded();
    thumbnails::derive(process, &ready, bytes, line).await
}

async fn reject(
    process: &Process,
    pending: Record,
    first: &Piece,
    reason: String,
    line: &Line,
) -> Result<Step, Failure> {
    let rejected = Record { status: draft::rejected(process, reason), ..pending };
    if !line.timed("dynamodbPutMs", process.index.replace_pending(&rejected)).await? {
        return Ok(Step::LookAgain);
    }
    object::discard(process, &rejected, first, line).await?;
    Ok(Step::End(Outcome::Rejected))
}

/// A client may have deleted the image while its object was being copied. The copy then lies over the
/// delete marker, and its own event would take it for one that was made by hand.
async fn take_back(process: &Process, ready: &Record, line: &Line) -> Result<(), Failure> {
    let now = line.timed("dynamodbGetMs", process.index.get(ready.image_id)).await?;
    match now {
        Some(now) if matches!(now.status, Status::Deleted { .. }) => {
            line.timed("s3DeleteMs", process.store.delete(&now)).await
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use catalog::testing::world::World;
    use image::format::Format;

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
