//! Defaults and limits of what is set in `cloudpix.toml` and handed to the functions by [`variable`](crate::variable).
//! `provision` refuses what is beyond them, and a function does so too, since whoever runs one by hand may set anything.

use std::ops::RangeInclusive;

/// Largest image taken, in pixels.
pub const DEFAULT_MAX_PIXELS: u64 = 100_000_000;

/// Largest object taken through a presigned URL, in bytes.
pub const DEFAULT_MAX_UPLOAD_BYTES: u64 = 100 << 20;
/// S3 takes no more in a single PUT.
pub const LARGEST_PUT: u64 = 5 << 30;

/// Long edges of the thumbnails in pixels, ascending.
pub const DEFAULT_THUMBNAIL_SIZES: [u32; 3] = [160, 480, 1280];
/// The long edge of a thumbnail.
pub const THUMBNAIL_SIZE: RangeInclusive<u32> = 16..=4096;
/// How many thumbnails there are of an image.
pub const THUMBNAIL_COUNT: RangeInclusive<usize> = 1..=8;

pub const DEFAULT_THUMBNAIL_FORMAT: &str = "webp";

pub const DEFAULT_THUMBNAIL_QUALITY: u8 = 78;
pub const THUMBNAIL_QUALITY: RangeInclusive<u8> = 1..=100;
