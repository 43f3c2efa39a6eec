//! Strips and tiles to bytes: what each compression leaves, as if there were none.

use flate2::{Decompress, FlushDecompress, Status};
use weezl::{BitOrder, LzwStatus};

use super::coded::Jpegs;
use super::directory::Order;
use super::page::Page;
use super::tags::{Compression, Meaning, Predictor};
use super::{coded, fax};
use crate::Unmade;

pub(super) struct Pieces<'a> {
    page: &'a Page<'a>,
    places: Vec<(usize, usize)>,
    /// Bytes of the file that may yet be read. Pieces may share them, as those of one colour do, but not
    /// so often that reading takes longer than what comes out of it is worth.
    budget: u64,
    inflate: Decompress,
    lzw: [Option<weezl::decode::Decoder>; 2],
    jpegs: Option<Jpegs>,
    reversed: Vec<u8>,
    units: Vec<u8>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(page: &'a Page<'a>) -> Self {
        Self {
            page,
            places: page.places(),
            budget: 2 * (page.directory.file.len() as u64).saturating_add(page.decoded_bytes()),
            inflate: Decompress::new(true),
            lzw: [None, None],
            jpegs: None,
            reversed: Vec::new(),
            units: Vec::new(),
        }
    }

    /// The first `rows` rows of a piece, each of the page's `row_bytes`. A piece that is not in the file,
    /// as writers of maps leave out empty ones, is zero.
    pub(super) fn read(&mut self, index: usize, rows: usize, out: &mut Vec<u8>) -> Result<(), Unmade> {
        let missing = || Unmade::Damaged(format!("TIFF without piece {index}"));
        let (offset, length) = self.places.get(index).copied().ok_or_else(missing)?;
        let stored = self.page.directory.file.get(offset..offset + length).ok_or_else(missing)?;
        let wanted = rows * self.page.row_bytes();
        out.clear();
        if length == 0 {
            out.resize(wanted, 0);
            return Ok(());
        }
        let coded = self.page.is_coded();
        let subsampled = !coded && self.page.subsampling != (1, 1);
        let read = if self.page.reversed && !coded {
            self.reversed.clear();
            self.reversed.extend(stored.iter().map(|byte| byte.reverse_bits()));
            let stored = std::mem::take(&mut self.reversed);
            let read = self.decompress(&stored, rows, subsampled, out);
            self.reversed = stored;
            read?
        } else {
            self.decompress(stored, rows, subsampled, out)?
        };
        self.budget = self
            .budget
            .checked_sub(read as u64)
            .ok_or_else(|| Unmade::TooLarge("TIFF whose pieces are read many times over".to_owned()))?;
        if subsampled {
            std::mem::swap(&mut self.units, out);
            spread(&self.units, self.page, rows, out);
        }
        if out.len() < wanted {
            return Err(Unmade::Damaged(format!("piece {index} ends early")));
        }
        self.undo_prediction(out);
        Ok(())
    }

    /// Returns how many bytes of `stored` were read.
    fn decompress(
        &mut self,
        stored: &[u8],
        rows: usize,
        subsampled: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, Unmade> {
        let page = self.page;
        let wanted = if subsampled { units_bytes(page, rows) } else { rows * page.row_bytes() };
        Ok(match page.compression {
            Compression::None => {
                out.extend_from_slice(&stored[..wanted.min(stored.len())]);
                out.len()
            }
            Compression::Fax(code) => {
                let width = page.piece.0 as usize;
                if fax::decode(stored, code, width, rows, out) == 0 {
                    return Err(Unmade::Damaged("facsimile without a row".to_owned()));
                }
                stored.len()
            }
            Compression::Lzw => self.unpack_lzw(stored, wanted, out),
            Compression::Deflate => self.inflate(stored, wanted, out),
            Compression::PackBits => unpack_bits(stored, wanted, out),
            Compression::Jpeg => {
                let jpegs = match &mut self.jpegs {
                    Some(jpegs) => jpegs,
                    none => none.insert(Jpegs::new(page)?),
                };
                jpegs.decode(stored, page, rows, out)?;
                stored.len()
            }
            Compression::WebP => {
                coded::webp(stored, page, rows, out)?;
                stored.len()
            }
            Compression::OldJpeg => return Err(Unmade::Unsupported("TIFF with JPEG in its oldest form")),
        })
    }

    /// In the form before TIFF 6.0, codes are from the right, as in GIF, which the first one shows: it is 256.
    fn unpack_lzw(&mut self, stored: &[u8], wanted: usize, out: &mut Vec<u8>) -> usize {
        let old = matches!(stored, [0, second, ..] if second & 1 == 1);
        let decoder = self.lzw[usize::from(old)].get_or_insert_with(|| {
            if old {
                weezl::decode::Decoder::new(BitOrder::Lsb, 8)
            } else {
                weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8)
            }
        });
        decoder.reset();
        out.resize(wanted, 0);
        let (mut read, mut written) = (0, 0);
        while written < wanted {
            let step = decoder.decode_bytes(&stored[read..], &mut out[written..]);
            read += step.consumed_in;
            written += step.consumed_out;
            if !matches!(step.status, Ok(LzwStatus::Ok)) {
                break;
            }
        }
        out.truncate(written);
        read
    }

    fn inflate(&mut self, stored: &[u8], wanted: usize, out: &mut Vec<u8>) -> usize {
        self.inflate.reset(true);
        out.resize(wanted, 0);
        let (mut read, mut written) = (0, 0);
        while written < wanted {
            let status = self.inflate.decompress(&stored[read..], &mut out[written..], FlushDecompress::None);
            let place = |total: u64| usize::try_from(total).unwrap_or(0);
            let now = (place(self.inflate.total_in()), place(self.inflate.total_out()));
            let stuck = now == (read, written);
            (read, written) = (now.0.min(stored.len()), now.1.min(wanted));
            if stuck || !matches!(status, Ok(Status::Ok)) {
                break;
            }
        }
        out.truncate(written);
        read
    }

    fn undo_prediction(&self, out: &mut [u8]) {
        let page = self.page;
        let (bytes, together) = (usize::from(page.bits / 8), page.together());
        for row in out.chunks_exact_mut(page.row_bytes().max(1)) {
            match page.predictor {
                Predictor::None => return,
                Predictor::Difference => add_up(row, bytes, together, page.order()),
                Predictor::Float => join_floats(row, bytes, together),
            }
        }
    }
}

/// Each sample is stored as what it is more than its neighbour to the left (TIFF 6.0, section 14).
fn add_up(row: &mut [u8], bytes: usize, together: usize, order: Order) {
    if bytes == 1 {
        for at in together..row.len() {
            row[at] = row[at].wrapping_add(row[at - together]);
        }
        return;
    }
    for at in (together * bytes..row.len()).step_by(bytes) {
        let left = at - together * bytes;
        let sum = order.uint(&row[at..at + bytes]).wrapping_add(order.uint(&row[left..left + bytes]));
        let big = sum.to_be_bytes();
        row[at..at + bytes].copy_from_slice(&big[8 - bytes..]);
        if order == Order::Little {
            row[at..at + bytes].reverse();
        }
    }
}

/// Bytes of floats are stored by their worth, all first bytes of a row first, and then as differences
/// (Adobe Photoshop TIFF Technical Note 3). What comes out is in the order of big-endian files.
fn join_floats(row: &mut [u8], bytes: usize, together: usize) {
    for at in together..row.len() {
        row[at] = row[at].wrapping_add(row[at - together]);
    }
    let apart = row.to_vec();
    for (worth, plane) in apart.chunks_exact((apart.len() / bytes).max(1)).take(bytes).enumerate() {
        for (float, byte) in row.chunks_exact_mut(bytes).zip(plane) {
            float[worth] = *byte;
        }
    }
}

/// TIFF 6.0, section 9. Returns how many bytes were read.
fn unpack_bits(stored: &[u8], wanted: usize, out: &mut Vec<u8>) -> usize {
    let mut rest = stored;
    while let ([head, after @ ..], true) = (rest, out.len() < wanted) {
        let left = wanted - out.len();
        rest = match *head {
            128 => after,
            length @ 0..128 => {
                let length = usize::from(length) + 1;
                out.extend(after.iter().take(length.min(left)));
                after.get(length..).unwrap_or_default()
            }
            length => {
                let Some((byte, after)) = after.split_first() else { break };
                out.resize(out.len() + (257 - usize::from(length)).min(left), *byte);
                after
            }
        };
    }
    stored.len() - rest.len()
}

fn units_bytes(page: &Page<'_>, rows: usize) -> usize {
    let (h, v) = (usize::from(page.subsampling.0), usize::from(page.subsampling.1));
    (page.piece.0 as usize).div_ceil(h) * rows.div_ceil(v) * (h * v + 2)
}

/// YCbCr as TIFF stores it where pixels share colours: the light of a few pixels, then their colour
/// (TIFF 6.0, section 21). Out come three samples a pixel.
fn spread(units: &[u8], page: &Page<'_>, rows: usize, out: &mut Vec<u8>) {
    debug_assert_eq!(page.meaning, Meaning::YCbCr);
    let (h, v) = (usize::from(page.subsampling.0), usize::from(page.subsampling.1));
    let width = page.piece.0 as usize;
    let across = width.div_ceil(h);
    out.clear();
    if units.len() < units_bytes(page, rows) {
        return;
    }
    out.reserve(rows * width * 3);
    for y in 0..rows {
        for x in 0..width {
            let unit = ((y / v) * across + x / h) * (h * v + 2);
            let light = unit + (y % v) * h + x % h;
            let colour = unit + h * v;
            out.extend([units[light], units[colour], units[colour + 1]]);
        }
    }
}
