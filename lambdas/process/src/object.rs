//! Reads the objects that have come, piece by piece, and deletes those that are not wanted.

use anyhow::anyhow;
use catalog::failure::Failure;
use catalog::log::Line;
use catalog::store::object::Piece;
use image::digest::{Hasher, Sha256};
use image::format::Format;
use image::metadata;
use image::picture::far::{Far, far};
use image::picture::{self, Picture, Unfit};
use image::record::Record;

use crate::step::Process;

/// Bytes that come with the first read. They hold the header of nearly every image.
const FIRST: u64 = 128 * 1024;
/// Bytes of each further read.
const NEXT: u64 = 8 * 1024 * 1024;
/// Reads after a header that is not in front. Each is of [`NEXT`] bytes at most, of which two are held.
const HEADER_READS: usize = 2;

/// What an object turned out to be.
pub(crate) enum Found {
    Image {
        picture: Picture,
        sha256: Sha256,
        bytes: Option<Vec<u8>>,
    },
    /// It is not to be kept, for a reason that its sender may hear.
    Refused(String),
    Gone,
}

/// Reads an object's first bytes; `None` if it is not there.
pub(crate) async fn read_first(process: &Process, key: &str, line: &Line) -> Result<Option<Piece>, Failure> {
    let first = line.timed("s3GetMs", process.store.read_first(key, FIRST)).await?;
    if let Some(first) = &first {
        line.bytes(first.size);
    }
    Ok(first)
}

/// Looks at the header first, so that what is no image is not read any further.
pub(crate) async fn examine(
    process: &Process,
    key: &str,
    first: &Piece,
    declared: Option<Format>,
    line: &Line,
) -> Result<Found, Failure> {
    let holds_all = first.bytes.len() as u64 == first.size;
    let mut picture = picture::inspect(&first.bytes, declared, process.max_pixels);
    let may_go_on = || Format::of(&first.bytes) == declared && !holds_all;
    match &picture {
        Err(unfit) if matches!(unfit, Unfit::TooManyPixels { .. }) || !may_go_on() => {
            return Ok(Found::Refused(unfit.to_string()));
        }
        _ => (),
    }
    let Some((sha256, bytes)) = read(process, key, first, line).await? else { return Ok(Found::Gone) };
    if picture.is_err() {
        let header = match &bytes {
            Some(bytes) => picture::inspect(bytes, declared, process.max_pixels),
            None => {
                let Some(header) = read_header(process, key, first, line).await? else {
                    return Ok(Found::Gone);
                };
                picture::inspect(&header, declared, process.max_pixels)
            }
        };
        picture = header;
    }
    match picture {
        Ok(picture) => Ok(Found::Image { picture, sha256, bytes }),
        Err(unfit) if bytes.is_some() || matches!(unfit, Unfit::TooManyPixels { .. }) => {
            Ok(Found::Refused(unfit.to_string()))
        }
        Err(_) => Err(Failure::Broken(anyhow!(
            "{key}: its header is not found, and all {} bytes do not fit in memory; raise process.memory",
            first.size
        ))),
    }
}

/// Reads the header of an object that is too large to be held and has it elsewhere than among its first
/// bytes. What comes can be inspected like the first bytes. `None` if the object is gone.
async fn read_header(
    process: &Process,
    key: &str,
    first: &Piece,
    line: &Line,
) -> Result<Option<Vec<u8>>, Failure> {
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
        let more = process.store.read_on(key, first, at, NEXT.min(first.size - at));
        let Some(more) = line.timed("s3GetMs", more).await? else { return Ok(None) };
        left_out = at.saturating_sub(before.len() as u64);
        bytes = [before, more].concat();
        if picture::inspect(&bytes, None, u64::MAX).is_ok() {
            break;
        }
    }
    Ok(Some(bytes))
}

/// Reads all of an object, hashes it, and holds it if it is not too large. `None` if it is gone.
pub(crate) async fn read(
    process: &Process,
    key: &str,
    first: &Piece,
    line: &Line,
) -> Result<Option<(Sha256, Option<Vec<u8>>)>, Failure> {
    let held = usize::try_from(first.size).ok().filter(|_| first.size <= process.max_held);
    let mut bytes = Vec::with_capacity(held.unwrap_or_default());
    let mut hasher = Hasher::default();
    hasher.update(&first.bytes);
    bytes.extend(first.bytes.iter().filter(|_| held.is_some()));
    let mut read = first.bytes.len() as u64;
    while read < first.size {
        let more = process.store.read_on(key, first, read, NEXT.min(first.size - read));
        let Some(more) = line.timed("s3GetMs", more).await? else { return Ok(None) };
        if more.is_empty() {
            return Err(Failure::Busy(anyhow!("read {key}: S3 sent nothing from byte {read} on")));
        }
        hasher.update(&more);
        read += more.len() as u64;
        if held.is_some() {
            bytes.extend_from_slice(&more);
        }
    }
    Ok(Some((hasher.finish(), held.map(|_| bytes))))
}

/// Deletes an object that is not wanted. What was sent by a presigned URL has nobody to miss it, so
/// that nothing of it is kept; all else can be brought back like any deleted image.
pub(crate) async fn discard(
    process: &Process,
    record: &Record,
    there: &Piece,
    line: &Line,
) -> Result<(), Failure> {
    let key = record.object_key();
    if has(there, metadata::FILE_NAME) && !has(there, metadata::UPLOADED_AT) {
        line.timed("s3DeleteMs", process.store.discard(&key, there)).await
    } else {
        line.timed("s3DeleteMs", process.store.delete(record)).await
    }
}

pub(crate) fn has(there: &Piece, name: &str) -> bool {
    there.metadata.contains_key(name)
}
