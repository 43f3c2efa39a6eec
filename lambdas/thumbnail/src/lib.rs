//! Thumbnails of an image, its placeholder, and what its EXIF says: bytes in, bytes out.
//!
//! Knows nothing of AWS, records or requests. All input is a stranger's: it is decoded within the
//! limits of [`Settings`] or refused.

mod bmp;
mod colour;
mod decode;
mod decoded;
mod encode;
mod exif;
mod gif;
mod jpeg;
mod limits;
mod png;
mod scale;
mod tiff;
mod webp_limits;

pub use crate::encode::Output;
pub use crate::exif::{Facts, facts};

/// How thumbnails are made, and what that may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Long edges in pixels, in any order; above 16,383, WebP's limit, they count as that.
    pub edges: Vec<u32>,
    pub format: Output,
    /// 1 to 100, as libwebp and libjpeg count.
    pub quality: u8,
    /// Width times height of the original.
    pub max_pixels: u64,
    /// Bytes that decoding may hold beside the file itself. Making thumbnails of the decoded
    /// picture takes about 20 MB more at 1280 pixels.
    pub max_memory: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// The edge of the settings. A small original has a shorter one.
    pub edge: u32,
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Smallest first; at least one, if the settings have an edge.
    pub thumbnails: Vec<Thumbnail>,
    /// [ThumbHash](https://evanw.github.io/thumbhash/), under 40 bytes.
    pub thumb_hash: Vec<u8>,
}

/// Why there are no thumbnails of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmade {
    #[error("no decoder for {0}")]
    Unsupported(&'static str),
    #[error("damaged image: {0}")]
    Damaged(String),
    #[error("image too large: {0}")]
    TooLarge(String),
}

/// Has the C library keep what is freed for the next picture. It would give the top of the heap back to
/// the kernel when that is more than twice the largest block freed so far
/// ([mallopt(3)](https://man7.org/linux/man-pages/man3/mallopt.3.html)), and every page that comes again
/// is a page fault: a twentieth of a picture's time. To be called once, before the first picture.
pub fn keep_freed_memory() {
    // Not written to, so that it takes no memory.
    drop(std::hint::black_box(Vec::<u8>::with_capacity(16 << 20)));
}

/// Makes the thumbnails of an image: upright, in sRGB, without metadata, of an animation its first
/// frame, and never larger than the original.
///
/// Ascending, each edge is made until the first that the original does not exceed.
///
/// # Errors
/// [`Unmade`], where the image cannot be decoded within the limits.
pub fn make(bytes: &[u8], settings: &Settings) -> Result<Made, Unmade> {
    let mut edges: Vec<u32> = settings.edges.iter().map(|edge| (*edge).clamp(1, encode::MAX_EDGE)).collect();
    edges.sort_unstable();
    edges.dedup();
    let largest = edges.last().copied().unwrap_or(scale::PLACEHOLDER_EDGE);

    let decoded = decode::decode(bytes, largest, settings)?;
    let full = decoded.full_edge;
    let mut picture = scale::to_edge(decoded.picture, largest.min(full))?;
    picture = colour::to_srgb(picture, decoded.profile.as_deref());
    if let Some(orientation) = facts(bytes).orientation {
        picture = scale::upright(picture, orientation);
    }

    // From large to small, each from the one before: what is left to read is few pixels.
    let wanted = edges.iter().position(|edge| *edge >= full).map_or(edges.len(), |last| last + 1);
    let mut thumbnails = Vec::with_capacity(wanted);
    for edge in edges[..wanted].iter().rev() {
        picture = scale::to_edge(picture, (*edge).min(full))?;
        let bytes = encode::encode(&picture, settings.format, settings.quality)?;
        thumbnails.push(Thumbnail { edge: *edge, width: picture.width, height: picture.height, bytes });
    }
    thumbnails.reverse();
    Ok(Made { thumbnails, thumb_hash: scale::placeholder(picture)? })
}

#[cfg(test)]
mod tests;
