//! What one directory says of its picture, checked: how its samples are stored, and what they mean.

use super::directory::{Directory, Order};
use super::tags::{self, Alpha, Compression, Meaning, Numbers, Predictor};
use crate::Unmade;

/// Strips and tiles of a picture, over all planes. A hundred megapixels in tiles of 16 pixels have fewer.
const MAX_PIECES: u64 = 400_000;

/// Pieces that are pictures, of which each takes a decoder's start.
const MAX_PICTURES: u64 = 100_000;

/// The longest row of a facsimile; paper of the widest plotters has a tenth of it.
const MAX_FAX_WIDTH: u32 = 1 << 18;

#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) directory: Directory<'a>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) compression: Compression,
    pub(super) meaning: Meaning,
    pub(super) numbers: Numbers,
    /// Of each sample, 1 to 64.
    pub(super) bits: u8,
    /// Of each pixel, as stored.
    pub(super) samples: u16,
    pub(super) alpha: Alpha,
    /// Each sample of a pixel in a plane of its own.
    pub(super) planar: bool,
    pub(super) predictor: Predictor,
    /// Bits of each byte are from the right.
    pub(super) reversed: bool,
    pub(super) tiled: bool,
    /// Sides of a strip or tile.
    pub(super) piece: (u32, u32),
    /// Across and down: pixels that share a colour.
    pub(super) subsampling: (u8, u8),
}

impl<'a> Page<'a> {
    /// Reads the tags of TIFF 6.0, with its defaults.
    pub(super) fn new(directory: Directory<'a>) -> Result<Self, Unmade> {
        let side = |tag| {
            let side = directory.uint(tag).and_then(|side| u32::try_from(side).ok()).unwrap_or(0);
            if side == 0 { Err(Unmade::Damaged("TIFF without width or height".to_owned())) } else { Ok(side) }
        };
        let (width, height) = (side(256)?, side(257)?);
        let compression = tags::compression(&directory)?;
        let samples = directory.uint(277).map_or(Ok(1), u16::try_from).unwrap_or(0);
        let bits = tags::bits(&directory)?;
        let meaning = tags::meaning(&directory, samples, compression)?;
        let planar = directory.uint(284) == Some(2) && samples > 1;
        let tiled = directory.uint(322).is_some();
        let piece = if tiled {
            (side(322)?, side(323)?)
        } else {
            let rows = directory.uint(278).and_then(|rows| u32::try_from(rows).ok()).unwrap_or(u32::MAX);
            (width, rows.clamp(1, height))
        };
        let factor = |at| directory.uints(530).nth(at).and_then(|f| u8::try_from(f).ok()).unwrap_or(2);
        let page = Self {
            width,
            height,
            compression,
            meaning,
            numbers: tags::numbers(&directory)?,
            bits,
            samples,
            alpha: tags::alpha(&directory, meaning, samples),
            planar,
            predictor: match (compression, directory.uint(317)) {
                (Compression::Lzw | Compression::Deflate, Some(2)) => Predictor::Difference,
                (Compression::Lzw | Compression::Deflate, Some(3)) => Predictor::Float,
                _ => Predictor::None,
            },
            reversed: directory.uint(266) == Some(2),
            tiled,
            piece,
            subsampling: if meaning == Meaning::YCbCr { (factor(0), factor(1)) } else { (1, 1) },
            directory,
        };
        page.check()?;
        Ok(page)
    }

    /// What is not read, although TIFF knows how to say it.
    fn check(&self) -> Result<(), Unmade> {
        let whole_bytes = matches!(self.bits, 8 | 16 | 32 | 64);
        let colours = self.meaning.colours();
        let unread = match self.compression {
            _ if usize::from(self.samples) < colours => Some("TIFF with fewer samples than colours"),
            Compression::Fax(_) if self.bits != 1 || self.samples != 1 => Some("facsimile of several bits"),
            Compression::Jpeg | Compression::WebP if self.bits != 8 => Some("JPEG of more than 8 bits"),
            Compression::Jpeg | Compression::WebP => None,
            _ if self.numbers == Numbers::Float && !matches!(self.bits, 16 | 24 | 32 | 64) => {
                Some("TIFF with floats of this size")
            }
            _ if self.meaning == Meaning::Palette && self.bits > 8 => Some("TIFF with palettes of 16 bits"),
            _ if self.meaning == Meaning::YCbCr && self.bits != 8 => Some("TIFF with YCbCr of this depth"),
            _ if self.meaning == Meaning::Lab && !matches!(self.bits, 8 | 16) => {
                Some("TIFF with CIELab of this depth")
            }
            _ if ![self.subsampling.0, self.subsampling.1]
                .iter()
                .all(|factor| matches!(factor, 1 | 2 | 4)) =>
            {
                Some("TIFF with colours shared like this")
            }
            _ if self.subsampling != (1, 1) && self.planar => Some("TIFF with smaller planes of colour"),
            _ if self.predictor == Predictor::Difference && !whole_bytes => {
                Some("TIFF with differences of odd size")
            }
            _ if self.predictor == Predictor::Float && self.numbers != Numbers::Float => {
                Some("TIFF with floats of this size")
            }
            _ => None,
        };
        if let Some(unread) = unread {
            return Err(Unmade::Unsupported(unread));
        }
        let fax = matches!(self.compression, Compression::Fax(_));
        let most = if self.is_coded() { MAX_PICTURES } else { MAX_PIECES };
        if self.pieces() > most || (fax && self.piece.0 > MAX_FAX_WIDTH) {
            return Err(Unmade::TooLarge(format!("TIFF in {} pieces", self.pieces())));
        }
        Ok(())
    }

    pub(super) fn across(&self) -> u32 {
        self.width.div_ceil(self.piece.0)
    }

    pub(super) fn down(&self) -> u32 {
        self.height.div_ceil(self.piece.1)
    }

    fn pieces(&self) -> u64 {
        let planes = if self.planar { u64::from(self.samples) } else { 1 };
        u64::from(self.across()) * u64::from(self.down()) * planes
    }

    /// Of each pixel that are looked at: the colours, and after them alpha if there is one.
    pub(super) fn kept(&self) -> usize {
        self.meaning.colours() + usize::from(self.alpha != Alpha::None)
    }

    /// Samples of a pixel that stand side by side in a piece.
    pub(super) fn together(&self) -> usize {
        if self.planar { 1 } else { usize::from(self.samples) }
    }

    /// Bytes of a row in a piece, before compression; with fewer colours than pixels of the rows that
    /// share them, too.
    pub(super) fn row_bytes(&self) -> usize {
        let (width, samples) = (self.piece.0 as usize, self.together());
        (width.saturating_mul(samples).saturating_mul(usize::from(self.bits))).div_ceil(8)
    }

    /// All pixels that pieces decode to, also those that stand out over the edges.
    pub(super) fn padded_pixels(&self) -> u64 {
        let padded = |count: u32, side: u32| u64::from(count) * u64::from(side);
        let rows = if self.tiled { padded(self.down(), self.piece.1) } else { self.height.into() };
        padded(self.across(), self.piece.0).saturating_mul(rows)
    }

    /// Whether black and white are the least and the greatest number of that size; if not, they are looked
    /// for, which takes a pass of its own.
    pub(super) fn is_whole(&self) -> bool {
        self.numbers == Numbers::Unsigned && self.bits <= 16
    }

    /// Bytes of all pieces that are looked at, before compression.
    pub(super) fn decoded_bytes(&self) -> u64 {
        let samples = if self.planar { self.kept() as u64 } else { self.samples.into() };
        self.padded_pixels().saturating_mul(samples * u64::from(self.bits)).div_ceil(8)
    }

    /// Offset and length of each piece in the file. A piece without a length goes on to the next one.
    pub(super) fn places(&self) -> Vec<(usize, usize)> {
        let (offsets, counts) = match self.directory.uint(324) {
            Some(_) => (324, 325),
            None => (273, 279),
        };
        let length = self.directory.file.len();
        let pieces = usize::try_from(self.pieces()).unwrap_or(0);
        let within = |value: u64| usize::try_from(value).unwrap_or(length).min(length);
        let offsets: Vec<usize> = self.directory.uints(offsets).take(pieces).map(within).collect();
        let counts: Vec<usize> = self.directory.uints(counts).take(pieces).map(within).collect();
        let place = |(at, offset): (usize, &usize)| {
            let next = offsets.get(at + 1).copied().filter(|next| next > offset).unwrap_or(length);
            let count = match counts.get(at) {
                // A lone piece of no length is a writer that could not go back to note it.
                Some(0) if pieces == 1 => length,
                Some(count) => *count,
                None => next - offset,
            };
            (*offset, count.min(length - offset))
        };
        offsets.iter().enumerate().map(place).collect()
    }

    /// In pieces that are pictures in a format of their own.
    pub(super) fn is_coded(&self) -> bool {
        matches!(self.compression, Compression::Jpeg | Compression::WebP)
    }

    pub(super) fn order(&self) -> Order {
        self.directory.order
    }
}
