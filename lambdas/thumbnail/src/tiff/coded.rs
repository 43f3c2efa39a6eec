//! Strips and tiles that are pictures in a format of their own: JPEG (TIFF Technical Note 2) and WebP.

use std::io::Cursor;

use image_rs::ImageDecoder;
use image_rs::codecs::webp::WebPDecoder;
use turbojpeg::{Decompressor, Error, Image, PixelFormat};

use super::page::Page;
use super::tags::Meaning;
use crate::Unmade;

/// What all scans of a picture may walk over together, in pixels. One of several scans is rare in TIFF.
const SCANNED_PIXELS: u64 = 500_000_000;

pub(super) struct Jpegs {
    decoder: Decompressor,
    format: PixelFormat,
    stream: Vec<u8>,
}

impl Jpegs {
    pub(super) fn new(page: &Page<'_>) -> Result<Self, Unmade> {
        let format = match page.together() {
            1 => PixelFormat::GRAY,
            3 => PixelFormat::RGB,
            4 => PixelFormat::CMYK,
            _ => return Err(Unmade::Unsupported("TIFF with JPEG of this many colours")),
        };
        let mut decoder = Decompressor::new()?;
        let scans = (SCANNED_PIXELS / page.padded_pixels().max(1)).clamp(4, 100);
        decoder.set_scan_limit(u32::try_from(scans).unwrap_or(4))?;
        Ok(Self { decoder, format, stream: Vec::new() })
    }

    pub(super) fn decode(
        &mut self,
        stored: &[u8],
        page: &Page<'_>,
        rows: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Unmade> {
        self.stream.clear();
        self.stream.extend([0xff, 0xd8]);
        // Tells the decoder what the three colours are, which TIFF says by tags. Four are always kept.
        let transform = u8::from(page.meaning == Meaning::YCbCr && !page.planar);
        self.stream.extend(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0");
        self.stream.push(transform);
        if let Some(tables) = page.directory.bytes(347) {
            copy_segments(tables, &mut self.stream)?;
        }
        let (width, height) = copy_segments(stored, &mut self.stream)?
            .ok_or_else(|| Unmade::Damaged("JPEG without a picture".to_owned()))?;
        if width == 0 || height == 0 || width > page.piece.0 as usize || height > page.piece.1 as usize {
            return Err(Unmade::Damaged(format!("JPEG of {width} x {height} in {:?}", page.piece)));
        }
        let format = self.format;
        let pitch = width * format.size();
        out.resize(pitch * height, 0);
        let image = Image { pixels: &mut out[..], width, height, pitch, format };
        match self.decoder.decompress(&self.stream, image) {
            Err(Error::TurboJpegError(text)) if text.contains("extraneous bytes before marker") => (),
            decoded => decoded?,
        }
        fit(out, pitch, page.row_bytes(), rows);
        Ok(())
    }
}

/// Copies all segments but the start, the end, comments and those of applications; from the first scan
/// on, all. Returns the sides of the picture, if there is a scan.
fn copy_segments(from: &[u8], to: &mut Vec<u8>) -> Result<Option<(usize, usize)>, Unmade> {
    let mut sides = None;
    let mut rest = from;
    while let [0xff, marker, after @ ..] = rest {
        match (*marker, after) {
            (0xff, _) => rest = &rest[1..],
            (0x01 | 0xd0..=0xd8, _) => rest = after,
            (0xd9, _) => break,
            (0xda, _) => {
                to.extend_from_slice(rest);
                return Ok(sides);
            }
            (marker, [high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low])).max(2);
                let Some(body) = after.get(2..length) else { break };
                match (marker, body) {
                    // Baseline, extended and progressive, by Huffman's code.
                    (0xc0..=0xc2, [8, h1, h2, w1, w2, ..]) => {
                        let side = |high: &u8, low: &u8| usize::from(u16::from_be_bytes([*high, *low]));
                        sides = Some((side(w1, w2), side(h1, h2)));
                    }
                    (0xc0..=0xcf, _) if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                        return Err(Unmade::Unsupported("TIFF with this kind of JPEG"));
                    }
                    _ => (),
                }
                if !matches!(marker, 0xe0..=0xef | 0xfe) {
                    to.extend_from_slice(&rest[..2 + length]);
                }
                rest = &after[length..];
            }
            _ => break,
        }
    }
    Ok(None)
}

/// Of lossy or lossless WebP, as GDAL writes tiles of maps.
pub(super) fn webp(stored: &[u8], page: &Page<'_>, rows: usize, out: &mut Vec<u8>) -> Result<(), Unmade> {
    let wrong = |error: &dyn std::fmt::Display| Unmade::Damaged(format!("WebP: {error}"));
    let decoder = WebPDecoder::new(Cursor::new(stored)).map_err(|error| wrong(&error))?;
    let (width, height) = decoder.dimensions();
    let samples = usize::from(decoder.color_type().channel_count());
    if width > page.piece.0 || height > page.piece.1 || samples < page.together() {
        return Err(Unmade::Damaged(format!("WebP of {width} x {height} in {:?}", page.piece)));
    }
    let pixels = width as usize * height as usize;
    out.resize(pixels * samples, 0);
    decoder.read_image(out).map_err(|error| wrong(&error))?;
    if samples > page.together() {
        let together = page.together();
        for pixel in 1..pixels {
            out.copy_within(pixel * samples..pixel * samples + together, pixel * together);
        }
        out.truncate(pixels * together);
    }
    fit(out, width as usize * page.together(), page.row_bytes(), rows);
    Ok(())
}

/// Rows of `pitch` bytes to `rows` rows of `wanted` bytes; what there is not is zero.
fn fit(out: &mut Vec<u8>, pitch: usize, wanted: usize, rows: usize) {
    if pitch != wanted {
        let mut fitted = vec![0; wanted * rows];
        for (to, from) in fitted.chunks_exact_mut(wanted.max(1)).zip(out.chunks_exact(pitch.max(1))) {
            let both = wanted.min(pitch);
            to[..both].copy_from_slice(&from[..both]);
        }
        *out = fitted;
    }
    out.resize(wanted * rows, 0);
}
