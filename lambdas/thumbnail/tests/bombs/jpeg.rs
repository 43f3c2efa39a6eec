//! JPEG: scans without end, over many pixels, with few bytes.

use crate::{Bomb, MAX_BYTES};

pub(crate) const BOMBS: [Bomb; 14] = [
    ("jpeg: arithmetic, 98 scans", || arithmetic(0xca, 98)),
    ("jpeg: arithmetic, sequential", || arithmetic(0xc9, 1)),
    ("jpeg: lossless", || sequential(0xc3, &[0x11; 3], 0)),
    ("jpeg: hierarchical", || sequential(0xc5, &[0x11; 3], 0)),
    ("jpeg: sequential, no data", || sequential(0xc0, &[0x11; 3], 0)),
    ("jpeg: sequential, 2 bits a block", || sequential(0xc0, &[0x11; 3], MAX_BYTES - 4096)),
    ("jpeg: sequential, 4:2:0, 2 bits a block", || sequential(0xc0, &[0x22, 0x11, 0x11], MAX_BYTES - 4096)),
    ("jpeg: inks", || sequential(0xc0, &[0x11; 4], MAX_BYTES - 4096)),
    ("jpeg: progressive, empty scans", || progressive(&[0x11], 400, &[], 0)),
    ("jpeg: progressive, long runs of zeros", || progressive(&[0x22, 0x11, 0x11], 400, &zeros(48), 0)),
    ("jpeg: progressive, one component, zeros", || progressive(&[0x11], 400, &zeros(96), 0)),
    ("jpeg: a restart at each block", || progressive(&[0x11], 400, &[], 1)),
    ("jpeg: a million segments", || [&SOI, &[0xff, 0xdd, 0, 4, 0, 0].repeat(600_000)[..]].concat()),
    ("jpeg: stray bytes", || [&SOI, &[0xff, 0].repeat(2_000_000)[..], &plain()[2..]].concat()),
];

const SOI: [u8; 2] = [0xff, 0xd8];

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], body].concat()
}

/// Of each component its sampling factors, horizontal and vertical.
fn frame(kind: u8, width: u16, height: u16, sampling: &[u8]) -> Vec<u8> {
    let mut body = vec![8];
    body.extend(height.to_be_bytes());
    body.extend(width.to_be_bytes());
    body.push(u8::try_from(sampling.len()).unwrap());
    for (number, factors) in (1..).zip(sampling) {
        body.extend([number, *factors, 0]);
    }
    segment(kind, &body)
}

/// Of components with the first tables, a band of coefficients and two bits' places.
fn scan(components: &[u8], (first, last): (u8, u8), places: u8) -> Vec<u8> {
    let mut body = vec![u8::try_from(components.len()).unwrap()];
    body.extend(components.iter().flat_map(|number| [*number, 0]));
    body.extend([first, last, places]);
    segment(0xda, &body)
}

/// A table with a code of one bit, `0`.
fn table(class: u8, symbol: u8) -> Vec<u8> {
    let mut body = vec![class << 4, 1];
    body.extend([0; 15]);
    body.push(symbol);
    segment(0xc4, &body)
}

fn begun() -> Vec<u8> {
    let mut quantisation = vec![0];
    quantisation.extend([1; 64]);
    [&SOI[..], &segment(0xdb, &quantisation)].concat()
}

fn arithmetic(kind: u8, scans: usize) -> Vec<u8> {
    let mut bytes = begun();
    bytes.extend(frame(kind, 10_000, 10_000, &[0x11]));
    let last = if kind == 0xc9 { 63 } else { 0 };
    bytes.extend(scan(&[1], (0, last), 0));
    bytes.extend([0x4b, 0xc6]);
    for number in 1..scans {
        bytes.extend(segment(0xcc, &[0x10, 5]));
        bytes.extend(scan(&[1], (1, 63), if number == 1 { 1 } else { 0x10 }));
        bytes.extend([0x4b, 0xc6]);
    }
    bytes
}

/// All blocks that `bytes` of zeros have, and the rest missing.
fn sequential(kind: u8, sampling: &[u8], bytes: usize) -> Vec<u8> {
    let all: Vec<u8> = (1..).take(sampling.len()).collect();
    let parts =
        [begun(), frame(kind, 10_000, 10_000, sampling), table(0, 0), table(1, 0), scan(&all, (0, 63), 0)];
    [&parts.concat()[..], &vec![0; bytes]].concat()
}

/// As many runs of 32,767 blocks without a coefficient as the blocks of a component take.
fn zeros(runs: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut held, mut count) = (0_u32, 0);
    for _ in 0..runs {
        // A bit of code, and 14 bits of the run's length.
        held = held << 15 | 0x3fff;
        count += 15;
        while count >= 8 {
            count -= 8;
            let byte = u8::try_from(held >> count & 0xff).unwrap();
            bytes.push(byte);
            if byte == 0xff {
                bytes.push(0);
            }
        }
    }
    bytes
}

/// Coefficients of one bit more with each scan, and again from the first.
fn progressive(sampling: &[u8], scans: usize, data: &[u8], restarts: u8) -> Vec<u8> {
    let mut bytes = begun();
    bytes.extend(frame(0xc2, 10_000, 10_000, sampling));
    bytes.extend(segment(0xdd, &[0, restarts]));
    // The end of a band, for 2¹⁴ blocks and what 14 bits say.
    bytes.extend([table(0, 0), table(1, 0xe0)].concat());
    let all: Vec<u8> = (1..).take(sampling.len()).collect();
    bytes.extend(scan(&all, (0, 0), 0));
    bytes.extend(vec![0; 100_000]);
    for number in 0..scans {
        let places = [0x0d, 0xdc, 0xcb, 0xba, 0xa9, 0x98, 0x87, 0x76, 0x65, 0x54, 0x43, 0x32, 0x21, 0x10];
        bytes.extend(scan(&[1], (1, 63), places[number % places.len()]));
        bytes.extend(data);
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

/// A picture that harms nobody.
pub(crate) fn plain() -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels: Vec<u8> = (0..=255).cycle().take(3 * 64 * 48).collect();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.encode(&pixels, 64, 48, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}
