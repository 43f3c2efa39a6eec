//! TIFF (TIFF 6.0 and its technical notes) and `BigTIFF`, strip by strip or tile by tile.
//!
//! A reader of its own: what scanners, cameras, maps and microscopes write is more than the crates read, and a
//! stranger's file must not make it panic, nor take more time than its pixels.

mod coded;
mod colours;
mod directory;
mod fax;
mod page;
mod pieces;
mod samples;
mod tags;

use self::colours::Colours;
pub(crate) use self::directory::is_tiff;
use self::page::Page;
use self::pieces::Pieces;
use self::samples::Reading;
use self::tags::Compression;
use crate::decoded::{Decoded, opaque};
use crate::limits::{check_memory, check_pixels};
use crate::scale::Picture;
use crate::{Settings, Unmade, jpeg};

/// What a pixel may have on average, if there are as many as may be: bytes take time, also those that are
/// not looked at.
const MAX_PIXEL_BYTES: u64 = 8;

/// Decodes the first page that is no smaller version of another.
pub(crate) fn decode(bytes: &[u8], edge: u32, settings: &Settings) -> Result<Decoded, Unmade> {
    let mut directories = directory::directories(bytes);
    // Reduced or a mask, by the new tag or the old one.
    let aside =
        |tags: &directory::Directory<'_>| tags.uint(254).unwrap_or(0) & 5 != 0 || tags.uint(255) == Some(2);
    let first = directories.iter().position(|tags| tags.uint(256).is_some() && !aside(tags)).unwrap_or(0);
    if directories.is_empty() {
        return Err(Unmade::Damaged("TIFF without a directory".to_owned()));
    }
    let page = Page::new(directories.swap_remove(first))?;
    check_pixels(page.width, page.height, settings)?;
    if page.compression == Compression::OldJpeg {
        return old_jpeg(&page, edge, settings);
    }
    if page.padded_pixels() > settings.max_pixels {
        return Err(Unmade::TooLarge(format!("{} pixels with those of the tiles", page.padded_pixels())));
    }
    let passes = if page.is_whole() { 1 } else { 2 };
    if page.decoded_bytes().saturating_mul(passes) > MAX_PIXEL_BYTES.saturating_mul(settings.max_pixels) {
        return Err(Unmade::TooLarge(format!("{} MB of samples", page.decoded_bytes() / 1_000_000)));
    }
    let colours = Colours::new(&page);
    let count = colours.samples().count();
    check_memory(held(&page, count), settings)?;

    let mut pieces = Pieces::new(&page);
    let reading = Reading::new(&page, &mut pieces)?;
    let mut data = vec![0; page.width as usize * page.height as usize * count];
    let mut kept = vec![0; page.piece.0.min(page.width) as usize * page.kept()];
    each_row(&page, &mut pieces, |row| {
        let kept = &mut kept[..row.width * page.kept()];
        reading.unpack(row, kept);
        let at = (row.y * page.width as usize + row.x) * count;
        colours.convert(kept, page.kept(), &mut data[at..at + row.width * count]);
    })?;
    let picture = Picture::new(page.width, page.height, colours.samples(), data)?;
    let profile = page.directory.bytes(34_675).map(<[u8]>::to_vec);
    Ok(Decoded { picture: opaque(picture), full_edge: page.width.max(page.height), profile })
}

/// A row of a piece: at most as wide as the page from `x` on.
struct Row<'a> {
    page: &'a Page<'a>,
    /// A piece of each plane.
    planes: &'a [Vec<u8>],
    within: usize,
    x: usize,
    y: usize,
    width: usize,
}

impl Row<'_> {
    /// The row's bytes in which a sample of each pixel is, the first pixel's place among their samples, and
    /// the step to the next pixel's.
    fn samples(&self, channel: usize) -> (&[u8], usize, usize) {
        let (plane, first) = if self.page.planar { (channel, 0) } else { (0, channel) };
        let length = self.page.row_bytes();
        let start = self.within * length;
        let bytes = self.planes.get(plane).and_then(|plane| plane.get(start..start + length));
        (bytes.unwrap_or_default(), first, self.page.together())
    }
}

fn each_row<'a>(
    page: &'a Page<'a>,
    pieces: &mut Pieces<'a>,
    mut then: impl FnMut(&Row<'_>),
) -> Result<(), Unmade> {
    let mut planes = vec![Vec::new(); if page.planar { page.kept() } else { 1 }];
    let (across, down) = (page.across() as usize, page.down() as usize);
    for piece in 0..across * down {
        let (x, y) = (piece % across * page.piece.0 as usize, piece / across * page.piece.1 as usize);
        let rows = (page.piece.1 as usize).min(page.height as usize - y);
        for (plane, bytes) in planes.iter_mut().enumerate() {
            pieces.read(plane * across * down + piece, rows, bytes)?;
        }
        let width = (page.piece.0 as usize).min(page.width as usize - x);
        for within in 0..rows {
            then(&Row { page, planes: &planes, within, x, y: y + within, width });
        }
    }
    Ok(())
}

/// Bytes at the peak: the pixels, a piece of each plane as it is decompressed, and what its decoder holds.
fn held(page: &Page<'_>, count: usize) -> u64 {
    let pixels = u64::from(page.width) * u64::from(page.height);
    let planes = if page.planar { page.kept() as u64 } else { 1 };
    let rows = u64::from(if page.tiled { page.piece.1 } else { page.piece.1.min(page.height) });
    let piece = (page.row_bytes() as u64).saturating_mul(rows);
    let inside = match page.compression {
        // All coefficients, if there are several scans.
        Compression::Jpeg => 2,
        Compression::WebP => 4,
        _ if page.subsampling != (1, 1) => 1,
        _ => 0,
    };
    let compressed = if page.reversed { page.directory.file.len() as u64 } else { 0 };
    let pieces = piece.saturating_mul(planes + inside).saturating_add(compressed);
    pixels.saturating_mul(count as u64).saturating_add(pieces)
}

/// The form before Technical Note 2, where a whole JPEG file is inside.
fn old_jpeg(page: &Page<'_>, edge: u32, settings: &Settings) -> Result<Decoded, Unmade> {
    let tags = &page.directory;
    let place = |tag| tags.uint(tag).and_then(|at| usize::try_from(at).ok());
    let told = place(513).and_then(|at| tags.file.get(at..));
    let places = page.places();
    let lone = match &places[..] {
        [(offset, length)] => tags.file.get(*offset..offset + length),
        _ => None,
    };
    match told.into_iter().chain(lone).find(|bytes| jpeg::is_jpeg(bytes)) {
        Some(bytes) => jpeg::decode(bytes, edge, settings),
        None => Err(Unmade::Unsupported("TIFF with JPEG in its oldest form")),
    }
}

#[cfg(test)]
mod tests;
