//! The facsimile codes of ITU-T T.4 and T.6, as TIFF holds them (TIFF 6.0, sections 10 and 11).
//!
//! The code tables are of the crate `fax`; its decoder knows neither rows in two dimensions of T.4 nor rows
//! without an end code, and sides of at most 65,535.

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Compression 2: each row in one dimension, from a whole byte.
    Rows,
    /// T.4, also with rows that refer to the one before.
    Group3 { two_dimensions: bool },
    /// T.6
    Group4,
}

/// Decodes `rows` rows of `width` pixels into bits: 1 is black. What a damaged code leaves out is white;
/// returns how many rows there were.
pub(super) fn decode(bytes: &[u8], code: Code, width: usize, rows: usize, out: &mut Vec<u8>) -> usize {
    let mut bits = Bits { bytes, at: 0 };
    let mut before = Vec::new();
    let mut row = Vec::new();
    let stride = width.div_ceil(8);
    out.clear();
    for done in 0..rows {
        row.clear();
        let whole = match code {
            Code::Rows => {
                bits.at = bits.at.next_multiple_of(8);
                one_dimension(&mut bits, width, &mut row)
            }
            Code::Group3 { two_dimensions } => {
                if bits.past_end_codes(two_dimensions) {
                    two_dimensions_of(&mut bits, width, &before, &mut row)
                } else {
                    one_dimension(&mut bits, width, &mut row)
                }
            }
            Code::Group4 => two_dimensions_of(&mut bits, width, &before, &mut row),
        };
        let over = bits.left() == 0 && row.is_empty();
        if whole.is_none() && (over || !matches!(code, Code::Group3 { .. }) || !bits.seek_end_code()) {
            out.resize(rows * stride, 0);
            return done;
        }
        let start = out.len();
        out.resize(start + stride, 0);
        paint(&row, width, &mut out[start..]);
        std::mem::swap(&mut before, &mut row);
    }
    rows
}

/// Places where the colour changes, from white at the left; the last may be `width`.
fn one_dimension(bits: &mut Bits<'_>, width: usize, row: &mut Vec<usize>) -> Option<()> {
    let mut at = 0;
    let mut is_black = false;
    while at < width {
        // No run begins with as many zeros; the row is short.
        if bits.peek(9) == Some(0) || row.len() > 2 * width {
            return (!row.is_empty()).then_some(());
        }
        at = (at + run(bits, is_black)?).min(width);
        row.push(at);
        is_black = !is_black;
    }
    Some(())
}

/// A length: any number of parts that are multiples of 64, and one below 64.
fn run(bits: &mut Bits<'_>, is_black: bool) -> Option<usize> {
    let mut sum = 0;
    loop {
        let part = if is_black { black::decode(bits) } else { white::decode(bits) };
        let part = usize::from(part?);
        sum += part;
        if part < 64 {
            return Some(sum);
        }
    }
}

/// T.4, 4.2: each change of colour stands in relation to one of the row before.
fn two_dimensions_of(
    bits: &mut Bits<'_>,
    width: usize,
    before: &[usize],
    row: &mut Vec<usize>,
) -> Option<()> {
    // `at` is a0, which begins before the first pixel; `next` points at or before b1.
    let mut at = 0;
    let mut next = 0_usize;
    let mut begun = false;
    while at < width {
        let is_black = row.len() % 2 == 1;
        if row.len() > 2 * width {
            return None;
        }
        // Changes to the other colour than this one have the parity of the next one of this row.
        next = next.saturating_sub(2);
        while before.get(next).is_some_and(|change| *change < at || (*change == at && begun)) {
            next += 1;
        }
        if next % 2 != row.len() % 2 {
            next += 1;
        }
        let change = |place: usize| before.get(place).copied().unwrap_or(width);
        match mode::decode(bits)? {
            Mode::Pass => at = change(next + 1),
            Mode::Vertical(by) => {
                at = change(next).checked_add_signed(by.into())?.clamp(at, width);
                row.push(at);
            }
            Mode::Horizontal => {
                for is_black in [is_black, !is_black] {
                    at = (at + run(bits, is_black)?).min(width);
                    row.push(at);
                }
            }
            Mode::Extension | Mode::EOF => return None,
        }
        begun = true;
    }
    Some(())
}

fn paint(changes: &[usize], width: usize, out: &mut [u8]) {
    for run in changes.chunks(2) {
        let (from, to) = (run[0], run.get(1).copied().unwrap_or(width));
        let mut at = from;
        while at < to {
            if at.is_multiple_of(8) && to - at >= 8 {
                out[at / 8] = u8::MAX;
                at += 8;
            } else {
                out[at / 8] |= 0x80 >> (at % 8);
                at += 1;
            }
        }
    }
}

/// Bits from the left of each byte; `at` counts them.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        (8 * self.bytes.len()).saturating_sub(self.at)
    }

    /// Goes past the end codes at the start of a row, and what fills up to them. Tells whether the row is
    /// in two dimensions, which is the bit after each.
    fn past_end_codes(&mut self, two_dimensions: bool) -> bool {
        let mut refers = false;
        while self.peek(11) == Some(0) && self.seek_end_code() {
            self.at += 12;
            if two_dimensions {
                refers = self.peek(1) == Some(0);
                self.at += 1;
            }
        }
        refers
    }

    /// To the next eleven zeros and a one.
    fn seek_end_code(&mut self) -> bool {
        let mut zeros = 0;
        while self.left() > 0 {
            let one = self.peek(1) == Some(1);
            self.at += 1;
            if one && zeros >= 11 {
                self.at -= 12;
                return true;
            }
            zeros = if one { 0 } else { zeros + 1 };
        }
        false
    }
}

impl BitReader for Bits<'_> {
    type Error = ();

    /// Behind the end are zeros, since a table may ask for more bits than the last code has.
    fn peek(&self, bits: u8) -> Option<u16> {
        if bits > 16 || self.left() == 0 {
            return None;
        }
        let byte = |at: usize| u32::from(self.bytes.get(at).copied().unwrap_or(0));
        let first = self.at / 8;
        let three = byte(first) << 16 | byte(first + 1) << 8 | byte(first + 2);
        let shift = 24 - self.at % 8 - usize::from(bits);
        u16::try_from(three >> shift & ((1 << bits) - 1)).ok()
    }

    fn consume(&mut self, bits: u8) -> Result<(), ()> {
        self.at += usize::from(bits);
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        u8::try_from(self.at.wrapping_neg() % 8).unwrap_or(0)
    }
}
