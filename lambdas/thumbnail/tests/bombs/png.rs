//! PNG: a thousand bytes deflate to one, in the pixels and beside them.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::Bomb;

pub(crate) const BOMBS: [Bomb; 14] = [
    ("png: RGB", || picture(10_000, 10_000, 8, 2, false)),
    ("png: RGB and alpha", || picture(10_000, 10_000, 8, 6, false)),
    ("png: as much alpha as is taken", || picture(10_000, 8_500, 8, 6, false)),
    ("png: grey and alpha", || picture(10_000, 10_000, 8, 4, false)),
    ("png: grey of 16 bits", || picture(10_000, 10_000, 16, 0, false)),
    ("png: RGB of 16 bits", || picture(10_000, 5_500, 16, 2, false)),
    ("png: RGBA of 16 bits", || picture(10_000, 2_800, 16, 6, false)),
    ("png: grey of 1 bit", || picture(10_000, 10_000, 1, 0, false)),
    ("png: RGB, interlaced", || picture(10_000, 10_000, 8, 2, true)),
    ("png: one column, interlaced", || picture(1, 983_025, 8, 2, true)),
    ("png: one row", || picture(100_000_000, 1, 8, 2, false)),
    ("png: a profile of 600 MB", || with(&[(b"iCCP", &[b"x\0\0", &zeros(600_000_000)[..]].concat())])),
    ("png: texts of 600 MB", || {
        let text = [b"x\0\0", &zeros(600_000_000)[..]].concat();
        let international = [b"x\0\x01\0\0\0", &zeros(600_000_000)[..]].concat();
        with(&[(b"zTXt", &text), (b"zTXt", &text), (b"zTXt", &text), (b"iTXt", &international)])
    }),
    ("png: 250,000 texts", || with(&vec![(b"tEXt", &b"a\0b"[..]); 250_000])),
];

/// `count` bytes of zero, in zlib's format.
pub(crate) fn zeros(count: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let mut buffer = vec![0; 1 << 20];
    let mut rest = std::io::repeat(0).take(count as u64);
    loop {
        let read = rest.read(&mut buffer).unwrap();
        if read == 0 {
            return encoder.finish().unwrap();
        }
        encoder.write_all(&buffer[..read]).unwrap();
    }
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(&kind);
    sum.update(data);
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length[..], &kind, data, &sum.sum().to_be_bytes()].concat()
}

fn header(width: u32, height: u32, bits: u8, colours: u8, interlaced: bool) -> Vec<u8> {
    let rest = [bits, colours, 0, 0, u8::from(interlaced)];
    let body = [&width.to_be_bytes()[..], &height.to_be_bytes(), &rest].concat();
    [b"\x89PNG\r\n\x1a\n", &chunk(*b"IHDR", &body)[..]].concat()
}

/// All zero: black, and transparent where there is alpha.
fn picture(width: u32, height: u32, bits: u8, colours: u8, interlaced: bool) -> Vec<u8> {
    let channels = [1, 0, 3, 1, 2, 0, 4][usize::from(colours)];
    let pass = |first: (u32, u32), step: (u32, u32)| {
        let across = width.saturating_sub(first.0).div_ceil(step.0) as usize;
        let down = height.saturating_sub(first.1).div_ceil(step.1) as usize;
        // A row begins with the byte of its filter.
        if across == 0 { 0 } else { down * ((across * usize::from(bits) * channels).div_ceil(8) + 1) }
    };
    let passes =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
    let count = if interlaced {
        passes.iter().map(|(x, y, across, down)| pass((*x, *y), (*across, *down))).sum()
    } else {
        pass((0, 0), (1, 1))
    };
    let pixels = chunk(*b"IDAT", &zeros(count));
    [header(width, height, bits, colours, interlaced), pixels, chunk(*b"IEND", b"")].concat()
}

/// A small picture with chunks before its pixels.
fn with(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = header(8, 8, 8, 2, false);
    bytes.extend(chunks.iter().flat_map(|(kind, data)| chunk(**kind, data)));
    bytes.extend([chunk(*b"IDAT", &zeros(8 * 25)), chunk(*b"IEND", b"")].concat());
    bytes
}
