//! What decoding a WebP takes, as the file tells it before it is decoded (RFC 9649): frames of other sides
//! than the picture, and sets of prefix codes. A lossless decoder makes tables for all sets before the
//! first pixel, and 10 bytes of the file are enough for a set of 50 KB.

/// Bytes of a set's tables, at the most.
const SET: u64 = 5 * 4096;

/// Bytes of what a code's symbol takes beside the table, if its code is a long one.
const SYMBOL: u64 = 48;

/// Symbols of the five codes of a set: green and lengths, red, blue, alpha, distances.
const ALPHABETS: [usize; 5] = [256 + 24, 256, 256, 256, 40];

/// Pixels of a side.
const MAX_SIDE: u32 = 16_384;

/// Bytes that decoding holds beside the pixels.
pub(crate) fn held(bytes: &[u8]) -> u64 {
    let chunks = bytes.get(12..).unwrap_or_default();
    let Some(header) = first(chunks, *b"VP8X") else { return held_by_picture(chunks, (0, 0)) };
    let canvas = sides(header, 4);
    let animated = first(chunks, *b"ANMF").map_or(0, |frame| {
        // A canvas, and a frame that is put on it.
        let of_frame = sides(frame, 6);
        let inside = held_by_picture(frame.get(16..).unwrap_or_default(), of_frame);
        (4 * (area(canvas) + area(of_frame))).saturating_add(inside)
    });
    held_by_picture(chunks, canvas).saturating_add(animated)
}

/// The data of the first chunk of a kind.
fn first(mut chunks: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    while let Some((kind, [l1, l2, l3, l4, rest @ ..])) = chunks.split_first_chunk::<4>() {
        let length = u32::from_le_bytes([*l1, *l2, *l3, *l4]) as usize;
        if *kind == wanted {
            return Some(&rest[..length.min(rest.len())]);
        }
        chunks = rest.get(length + length % 2..).unwrap_or_default();
    }
    None
}

/// Two numbers of three bytes each, less by one.
fn sides(data: &[u8], at: usize) -> (u32, u32) {
    let side = |at: usize| {
        data.get(at..at + 3).map_or(0, |three| u32::from_le_bytes([three[0], three[1], three[2], 0]) + 1)
    };
    (side(at), side(at + 3))
}

fn area((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// `sides` are those of the canvas or frame.
fn held_by_picture(chunks: &[u8], sides: (u32, u32)) -> u64 {
    // YUV 4:2:0, as large as the frame itself says.
    let lossy = first(chunks, *b"VP8 ").map_or(0, |data| {
        let side =
            |at: usize| data.get(at..at + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]) & 0x3fff);
        2 * area((side(6).into(), side(8).into()))
    });
    // RGBA, and a quarter for what predicts it.
    let lossless = first(chunks, *b"VP8L").map_or(0, |data| {
        let mut bits = Bits { bytes: data, at: 0 };
        bits.sides().map_or(0, |sides| 5 * area(sides) + held_by_codes(bits, sides))
    });
    // A picture of its own without a header, behind a byte that says how it is coded.
    let alpha = first(chunks, *b"ALPH").map_or(0, |data| {
        let bits = Bits { bytes: data.get(1..).unwrap_or_default(), at: 0 };
        5 * area(sides) + held_by_codes(bits, sides)
    });
    lossy + lossless + alpha
}

/// What cannot be read to its codes has none: its decoder does not get further either.
fn held_by_codes(mut bits: Bits, sides: (u32, u32)) -> u64 {
    let Some((sets, cached)) = bits.code_sets(sides) else { return 0 };
    let symbols = ALPHABETS.iter().sum::<usize>() as u64 + cached;
    sets * (SET + symbols * SYMBOL)
}

/// Bits of a stream, from the least significant of each byte on.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A canonical prefix code: of each length how many symbols have it, and all in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn of_lengths(lengths: &[usize]) -> Option<Self> {
        let mut counts = [0; 16];
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        for symbol in &symbols {
            counts[lengths[*symbol]] += 1;
        }
        (!symbols.is_empty()).then_some(Self { counts, symbols })
    }
}

impl Bits<'_> {
    /// `None` past the end.
    fn read(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }

    fn symbol(&mut self, code: &Code) -> Option<usize> {
        // One symbol takes no bits.
        if let [symbol] = code.symbols[..] {
            return Some(symbol);
        }
        let (mut value, mut first, mut index) = (0, 0, 0);
        for count in &code.counts[1..] {
            value |= self.read(1)?;
            if let Some(place) = usize::checked_sub(value, first).filter(|place| place < count) {
                return code.symbols.get(index + place).copied();
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        None
    }

    /// Section 3.7.2.1.
    fn code(&mut self, alphabet: usize) -> Option<Code> {
        const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        if self.read(1)? == 1 {
            let two = self.read(1)? == 1;
            let wide = self.read(1)? == 1;
            let mut symbols = vec![self.read(if wide { 8 } else { 1 })?];
            if two {
                symbols.push(self.read(8)?);
            }
            let mut counts = [0; 16];
            counts[1] = symbols.len();
            return Some(Code { counts, symbols });
        }
        let mut of_lengths = [0; 19];
        let told = 4 + self.read(4)?;
        for place in ORDER.iter().take(told) {
            of_lengths[*place] = self.read(3)?;
        }
        let mut left = alphabet;
        if self.read(1)? == 1 {
            let width = 2 + 2 * self.read(3)?;
            left = 2 + self.read(width)?;
        }
        let of_lengths = Code::of_lengths(&of_lengths)?;
        let mut lengths = Vec::with_capacity(alphabet);
        let mut last = 8;
        while lengths.len() < alphabet && left > 0 {
            left -= 1;
            let (length, times) = match self.symbol(&of_lengths)? {
                16 => (last, 3 + self.read(2)?),
                17 => (0, 3 + self.read(3)?),
                18 => (0, 11 + self.read(7)?),
                length => (length, 1),
            };
            if length > 0 {
                last = length;
            }
            lengths.extend(std::iter::repeat_n(length, times));
        }
        Code::of_lengths(&lengths)
    }

    /// Section 3.5.2.1: colours that were there lately, which add to the symbols of green.
    fn cached(&mut self) -> Option<usize> {
        Some(if self.read(1)? == 1 { 1 << self.read(4)? } else { 0 })
    }

    /// Passes an image of one set of codes, and says the largest number that red and green make.
    /// Copies of pixels, and colours of the cache, are of no other.
    fn image(&mut self, width: u32, height: u32) -> Option<u32> {
        let cached = self.cached()?;
        let mut codes = Vec::with_capacity(ALPHABETS.len());
        for (place, alphabet) in ALPHABETS.into_iter().enumerate() {
            codes.push(self.code(alphabet + if place == 0 { cached } else { 0 })?);
        }
        let mut left = u64::from(width) * u64::from(height);
        let mut largest = 0;
        while left > 0 {
            let done = match self.symbol(&codes[0])? {
                green @ ..256 => {
                    let red = self.symbol(&codes[1])?;
                    self.symbol(&codes[2])?;
                    self.symbol(&codes[3])?;
                    largest = largest.max(red << 8 | green);
                    1
                }
                length @ 256..280 => {
                    let length = self.prefixed(length - 256)?;
                    let distance = self.symbol(&codes[4])?;
                    self.prefixed(distance)?;
                    length
                }
                _ => 1,
            };
            // All codes of one symbol: all pixels are this one.
            if codes[..4].iter().all(|code| code.symbols.len() == 1) {
                break;
            }
            left = left.saturating_sub(done as u64);
        }
        u32::try_from(largest).ok()
    }

    /// Section 3.5.2.2: a length or a distance, by its prefix.
    fn prefixed(&mut self, prefix: usize) -> Option<usize> {
        if prefix < 4 {
            return Some(prefix + 1);
        }
        let extra = (prefix - 2) / 2;
        Some(((2 + prefix % 2) << extra) + self.read(extra)? + 1)
    }

    /// Of a stream with a header: a byte, two sides, alpha and a version.
    fn sides(&mut self) -> Option<(u32, u32)> {
        self.read(8)?;
        let (width, height) = (self.read(14)? + 1, self.read(14)? + 1);
        self.read(4)?;
        Some((u32::try_from(width).ok()?, u32::try_from(height).ok()?))
    }

    /// Sets of codes of the picture, and colours in its cache.
    fn code_sets(&mut self, (mut width, height): (u32, u32)) -> Option<(u64, u64)> {
        if width.max(height) > MAX_SIDE {
            return None;
        }
        // Each of four transforms at most once.
        for _ in 0..4 {
            if self.read(1)? == 0 {
                return self.code_sets_of(width, height);
            }
            match self.read(2)? {
                2 => (),
                3 => {
                    let colours = u32::try_from(self.read(8)? + 1).ok()?;
                    self.image(colours, 1)?;
                    // Pixels of few colours share a byte.
                    let pixels = [(2, 8), (4, 4), (16, 2)].iter().find(|(most, _)| colours <= *most);
                    width = width.div_ceil(pixels.map_or(1, |(_, pixels)| *pixels));
                }
                _ => {
                    let side = 4 << self.read(3)?;
                    self.image(width.div_ceil(side), height.div_ceil(side))?;
                }
            }
        }
        (self.read(1)? == 0).then(|| self.code_sets_of(width, height))?
    }

    fn code_sets_of(&mut self, width: u32, height: u32) -> Option<(u64, u64)> {
        let cached = self.cached()? as u64;
        if self.read(1)? == 0 {
            return Some((1, cached));
        }
        let side = 4 << self.read(3)?;
        let largest = self.image(width.div_ceil(side), height.div_ceil(side))?;
        Some((u64::from(largest) + 1, cached))
    }
}

#[cfg(test)]
mod tests {
    use image_rs::{ImageFormat, RgbaImage};

    use super::held;
    use crate::tests::{quarters, written};

    #[test]
    fn a_plain_picture_has_one_set_of_codes() {
        let codes = 5 * 4096 + 48 * 1088;
        assert_eq!(held(&written(quarters(64, 32), ImageFormat::WebP)), 5 * 64 * 32 + codes);
        let mut encoder = webpx::AnimationEncoder::new(32, 16).unwrap();
        encoder.add_frame_rgba(&RgbaImage::new(32, 16), 0).unwrap();
        let taken = held(&encoder.finish(100).unwrap());
        assert!(taken >= (4 + 4 + 2) * 32 * 16, "{taken}");
    }

    #[test]
    fn what_is_cut_or_changed_does_no_harm() {
        let sound = written(quarters(64, 32), ImageFormat::WebP);
        for at in 0..sound.len() {
            held(&sound[..at]);
            for value in [0, 1, 0x55, 0x7f, 0x80, 0xff] {
                let mut changed = sound.clone();
                changed[at] = value;
                held(&changed);
            }
        }
    }
}
