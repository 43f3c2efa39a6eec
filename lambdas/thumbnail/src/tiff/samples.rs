//! Samples of any kind to 8 bits.

use super::directory::Order;
use super::page::Page;
use super::pieces::Pieces;
use super::tags::{Meaning, Numbers, Predictor};
use super::{Row, each_row};
use crate::Unmade;

/// Which stored number is 0, and which is 255.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

/// How a page's samples are read.
pub(super) struct Reading<'a> {
    page: &'a Page<'a>,
    order: Order,
    colours: Range,
    alpha: Range,
}

impl<'a> Reading<'a> {
    pub(super) fn new(page: &'a Page<'a>, pieces: &mut Pieces<'a>) -> Result<Self, Unmade> {
        // Floats come out of their predictor in that order.
        let order = if page.predictor == Predictor::Float { Order::Big } else { page.order() };
        let full = Range { low: 0.0, high: greatest(page) };
        let mut reading = Self { page, order, colours: full, alpha: full };
        if !page.is_whole() {
            reading.colours = reading.measured(pieces)?;
        }
        Ok(reading)
    }

    /// Large, signed and broken numbers are seldom of colours, but of heights or counts, of which few
    /// writers say what is black and white: the least and the greatest. Floats from 0 to 1 are as they are.
    fn measured(&self, pieces: &mut Pieces<'a>) -> Result<Range, Unmade> {
        let page = self.page;
        let told = (page.directory.number(340), page.directory.number(341));
        if let ((Some(low), Some(high)), Numbers::Unsigned) = (told, page.numbers)
            && low < high
        {
            return Ok(Range { low, high });
        }
        // GDAL's "no data", as text.
        let nothing = page
            .directory
            .bytes(42_113)
            .and_then(|text| std::str::from_utf8(text).ok()?.trim_matches(['\0', ' ']).parse::<f64>().ok());
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut count, mut over) = (0_u64, 0_u64);
        each_row(page, pieces, |row| {
            for colour in 0..page.meaning.colours() {
                let (bytes, first, step) = row.samples(colour);
                for pixel in 0..row.width {
                    let value = self.number(bytes, first + pixel * step);
                    if value.is_finite() && Some(value) != nothing {
                        low = low.min(value);
                        high = high.max(value);
                        count += 1;
                        over += u64::from(value > 1.0);
                    }
                }
            }
        })?;
        // Lights of a scene may be brighter than white.
        let clipped = page.meaning == Meaning::Rgb && 2 * over < count;
        let as_is = page.numbers == Numbers::Float && low >= 0.0 && (high <= 1.0 || clipped);
        Ok(if as_is || low >= high { Range { low: 0.0, high: 1.0 } } else { Range { low, high } })
    }

    /// All samples of a row that are kept, pixel by pixel, in 8 bits. Indices of a palette stay as they are.
    pub(super) fn unpack(&self, row: &Row<'_>, out: &mut [u8]) {
        let (kept, bits) = (self.page.kept(), self.page.bits);
        for channel in 0..kept {
            let (bytes, first, step) = row.samples(channel);
            let to = out[channel..].iter_mut().step_by(kept).take(row.width);
            if self.page.is_whole() && bits == 8 {
                let from = bytes.get(first..).unwrap_or_default().iter().step_by(step);
                to.zip(from).for_each(|(to, from)| *to = *from);
            } else if self.page.is_whole() && bits == 16 {
                let from = bytes.chunks_exact(2).skip(first).step_by(step);
                let signed = self.page.meaning == Meaning::Lab;
                to.zip(from).for_each(|(to, from)| *to = byte_of(self.order.uint(from), signed));
            } else if self.page.is_whole() {
                let greatest =
                    if self.page.meaning == Meaning::Palette && channel == 0 { 255 } else { (1 << bits) - 1 };
                for (pixel, to) in to.enumerate() {
                    let value = bits_at(bytes, first + pixel * step, bits);
                    *to = u8::try_from((value * 255 + greatest / 2) / greatest).unwrap_or(u8::MAX);
                }
            } else {
                let range = if channel < self.page.meaning.colours() { self.colours } else { self.alpha };
                for (pixel, to) in to.enumerate() {
                    *to = range.byte(self.number(bytes, first + pixel * step));
                }
            }
        }
    }

    /// A sample as a number; zero behind the row's end.
    #[expect(clippy::cast_precision_loss, reason = "of what is shown in 8 bits")]
    fn number(&self, bytes: &[u8], index: usize) -> f64 {
        let bits = self.page.bits;
        let value = if bits.is_multiple_of(8) {
            let size = usize::from(bits / 8);
            self.order.uint(bytes.get(index * size..(index + 1) * size).unwrap_or_default())
        } else {
            u64::from(bits_at(bytes, index, bits))
        };
        match self.page.numbers {
            Numbers::Unsigned => value as f64,
            // The sign bit to the left end and back.
            Numbers::Signed => (value << (64 - bits)).cast_signed().wrapping_shr(64 - u32::from(bits)) as f64,
            Numbers::Float => float(value, bits),
        }
    }
}

impl Range {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and clamped")]
    fn byte(self, value: f64) -> u8 {
        // What is no number is 0.
        ((value - self.low) / (self.high - self.low) * 255.0).round().clamp(0.0, 255.0) as u8
    }
}

/// Of an alpha channel: what is opaque.
#[expect(clippy::cast_precision_loss, reason = "of what is shown in 8 bits")]
fn greatest(page: &Page<'_>) -> f64 {
    match page.numbers {
        Numbers::Unsigned => (u64::MAX >> (64 - page.bits)) as f64,
        Numbers::Signed => (u64::MAX >> (65 - page.bits).min(63)) as f64,
        Numbers::Float => 1.0,
    }
}

/// Of 16 bits, rounded; of signed ones the upper half, whose sign is the same.
fn byte_of(value: u64, signed: bool) -> u8 {
    let byte = if signed { value >> 8 } else { (value * 255 + 32_767) / 65_535 };
    u8::try_from(byte).unwrap_or(u8::MAX)
}

/// A number of at most 16 bits, which stand without gaps from the left.
fn bits_at(bytes: &[u8], index: usize, bits: u8) -> u32 {
    let at = index * usize::from(bits);
    let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
    let three = byte(at / 8) << 16 | byte(at / 8 + 1) << 8 | byte(at / 8 + 2);
    three >> (24 - at % 8 - usize::from(bits)) & ((1 << bits) - 1)
}

/// IEEE 754, and the 24 bits of Adobe Photoshop TIFF Technical Note 3: 7 of exponent, 16 of fraction.
fn float(value: u64, bits: u8) -> f64 {
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0);
    let (exponent_bits, fraction_bits) = match bits {
        16 => (5, 10),
        24 => (7, 16),
        32 => return f32::from_bits(low).into(),
        _ => return f64::from_bits(value),
    };
    let fraction = f64::from(low & ((1 << fraction_bits) - 1)) / f64::from(1 << fraction_bits);
    let exponent = i32::try_from(low >> fraction_bits & ((1 << exponent_bits) - 1)).unwrap_or(0);
    let bias = (1 << (exponent_bits - 1)) - 1;
    let size = match exponent {
        0 => fraction * f64::from(1 - bias).exp2(),
        _ if exponent == 2 * bias + 1 => f64::NAN,
        _ => (1.0 + fraction) * f64::from(exponent - bias).exp2(),
    };
    if low >> (bits - 1) & 1 == 1 { -size } else { size }
}
