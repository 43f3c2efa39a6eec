//! WebP: one code for all pixels, or a set of codes for each few.

use crate::Bomb;

pub(crate) const BOMBS: [Bomb; 9] = [
    ("webp: lossless", || lossless(16_383, 6_103)),
    ("webp: as many lossless pixels as are taken", || lossless(16_383, 2_580)),
    ("webp: lossy", || lossy(16_383, 2_300)),
    ("webp: lossy of 100 megapixels", || claimed(16_383, 6_103)),
    ("webp: a small frame on a large canvas", || animated(&lossless(64, 64), (5_000, 5_000), (64, 64))),
    ("webp: a large frame on a small canvas", || {
        animated(&lossless(16_383, 16_383), (64, 64), (16_383, 16_383))
    }),
    ("webp: a large frame that is no animation", || extended(&claimed(16_383, 16_383), (64, 64))),
    ("webp: 60,000 sets of deep codes", || many_codes(60_000, false)),
    ("webp: 60,000 sets of 2,048 symbols", || many_codes(60_000, true)),
];

/// Bits from the least of each byte on.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        for place in 0..bits {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::try_from(value >> place & 1).unwrap();
            *self.bytes.last_mut().unwrap() |= bit << (self.count % 8);
            self.count += 1;
        }
    }

    /// A code of one symbol, which takes no bits.
    fn put_single(&mut self, symbol: u32) {
        self.put(1, 1);
        self.put(0, 1);
        self.put(u32::from(symbol > 1), 1);
        self.put(symbol, if symbol > 1 { 8 } else { 1 });
    }

    /// A code of 16 symbols, with lengths of 1, 2, 3, … 15, 15.
    fn put_deep(&mut self) {
        self.put(0, 1);
        // Lengths of the codes of the lengths, of which 16 have 4 bits: 0, of which there are none, is not one.
        self.put(15, 4);
        let order = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        for length in order {
            self.put(if length <= 15 { 4 } else { 0 }, 3);
        }
        // As many symbols as are told: 2 + 2 · 1 bits of 14, which is 16 less 2.
        self.put(1, 1);
        self.put(1, 3);
        self.put(14, 4);
        for length in (1..=15_u32).chain([15]) {
            // The codes of four bits go from the most significant bit on.
            self.put(length.reverse_bits() >> 28, 4);
        }
    }

    /// A code of 2¹¹ symbols of 11 bits each, told by the one length that there is.
    fn put_wide(&mut self) {
        self.put(0, 1);
        self.put(11, 4);
        self.put(0, 3 * 14 - 32);
        self.put(0, 32);
        self.put(1, 3);
        // As many symbols as are told: 2 + 2 · 5 bits of 2¹¹ less 2.
        self.put(1, 1);
        self.put(5, 3);
        self.put(2046, 12);
    }
}

fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    [kind, &length, data, &[0][..data.len() % 2]].concat()
}

fn file(chunks: &[u8]) -> Vec<u8> {
    chunk(b"RIFF", &[b"WEBP", chunks].concat())
}

/// Its width, height, alpha and version.
fn begun(width: u32, height: u32) -> Bits {
    let mut bits = Bits::default();
    bits.put(0x2f, 8);
    bits.put(width - 1, 14);
    bits.put(height - 1, 14);
    bits.put(1, 1);
    bits.put(0, 3);
    bits
}

fn lossless(width: u32, height: u32) -> Vec<u8> {
    let mut bits = begun(width, height);
    // No transform, no cache of colours, one set of codes.
    bits.put(0, 3);
    for _ in 0..5 {
        bits.put_single(0);
    }
    bits.bytes.extend([0; 8]);
    file(&chunk(b"VP8L", &bits.bytes))
}

/// A picture whose every 16 pixels have codes of their own: each with the largest tables, or with as many
/// symbols of one length as a cache of colours makes possible.
fn many_codes(sets: u32, cached: bool) -> Vec<u8> {
    let mut bits = begun(1024, 1024);
    // No transform, and a cache of 2¹¹ colours.
    bits.put(0, 1);
    bits.put(u32::from(cached), 1);
    if cached {
        bits.put(11, 4);
    }
    // Sets of codes, by squares of 4 pixels: 256 × 256 of them, numbered in red and green.
    bits.put(1, 1);
    bits.put(0, 3);
    // The numbers, without a cache: all 256 of green and of red, of 8 bits each.
    bits.put(0, 1);
    for _ in 0..2 {
        bits.put(0, 1);
        // The codes of the lengths: only 8, and 16, which is not used.
        bits.put(8, 4);
        for length in [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8] {
            bits.put(u32::from(length == 8 || length == 16), 3);
        }
        // 256 symbols, each of 8 bits, and for green 24 that have none.
        bits.put(1, 1);
        bits.put(3, 3);
        bits.put(254, 8);
        bits.put(0, 32);
        for _ in 0..7 {
            bits.put(0, 32);
        }
    }
    for _ in 0..3 {
        bits.put_single(0);
    }
    for number in 0..256 * 256_u32 {
        let number = number.min(sets - 1);
        bits.put((number & 0xff).reverse_bits() >> 24, 8);
        bits.put((number >> 8).reverse_bits() >> 24, 8);
    }
    for _ in 0..sets {
        if cached {
            bits.put_wide();
        } else {
            (0..4).for_each(|_| bits.put_deep());
        }
        (0..if cached { 4 } else { 1 }).for_each(|_| bits.put_single(0));
    }
    bits.bytes.extend([0; 64]);
    file(&chunk(b"VP8L", &bits.bytes))
}

fn lossy(width: u32, height: u32) -> Vec<u8> {
    let pixels = vec![128; 3 * width as usize * height as usize];
    webpx::Encoder::new_rgb(&pixels, width, height).method(0).quality(1.0).encode(webpx::Unstoppable).unwrap()
}

/// The header of a small picture, with other sides.
fn claimed(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = lossy(64, 64);
    let start = bytes.windows(3).position(|three| three == [0x9d, 1, 0x2a]).unwrap() + 3;
    bytes[start..start + 2].copy_from_slice(&width.to_le_bytes());
    bytes[start + 2..start + 4].copy_from_slice(&height.to_le_bytes());
    bytes
}

fn sides((width, height): (u32, u32)) -> Vec<u8> {
    [width, height].iter().flat_map(|side| (side - 1).to_le_bytes()[..3].to_vec()).collect()
}

/// A picture on a canvas of other sides.
fn extended(picture: &[u8], canvas: (u32, u32)) -> Vec<u8> {
    let header = [&[0; 4], &sides(canvas)[..]].concat();
    file(&[&chunk(b"VP8X", &header), &picture[12..]].concat())
}

/// An animation of one frame.
fn animated(picture: &[u8], canvas: (u32, u32), of_frame: (u32, u32)) -> Vec<u8> {
    let header = [&[0x12, 0, 0, 0], &sides(canvas)[..]].concat();
    let frame = [&[0; 6], &sides(of_frame)[..], &[100, 0, 0, 0], &picture[12..]].concat();
    file(&[chunk(b"VP8X", &header), chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &frame)].concat())
}
