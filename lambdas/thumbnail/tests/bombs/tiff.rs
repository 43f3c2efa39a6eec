//! TIFF, and EXIF, which is TIFF: many entries or strips, each of which has all of the file.

use crate::Bomb;
use crate::png::zeros;

pub(crate) const BOMBS: [Bomb; 13] = [
    ("tiff: strips of one pixel, Deflate", || overlapping(8, &[&zeros(1)[..], &noise(3_000_000)].concat())),
    ("tiff: strips of one pixel, raw", || overlapping(1, &noise(3_000_000))),
    ("tiff: strips of one pixel, LZW", || {
        overlapping(5, &[b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01", &noise(3_000_000)[..]].concat())
    }),
    ("tiff: strips of one pixel, PackBits", || {
        overlapping(32_773, &[&vec![0x80; 3_000_000][..], &[0, 0]].concat())
    }),
    ("tiff: strips that inflate to 300 MB", || overlapping(8, &zeros(300_000_000))),
    ("tiff: 250,000 strips", || strips(1, 250_000, 1, 8, 250_000, &zeros(1))),
    ("tiff: 100 megapixels of one strip", || strips(10_000, 10_000, 3, 8, 1, &zeros(300_000_000))),
    ("tiff: as many pixels as are taken", || strips(10_000, 5_600, 3, 8, 1, &zeros(168_000_000))),
    ("tiff: 100 megapixels of one row", || strips(10_000, 10_000, 3, 8, 10_000, &zeros(30_000))),
    ("tiff: grey of one row", || strips(10_000, 10_000, 1, 8, 10_000, &zeros(10_000))),
    ("exif: 60,000 entries of 3 MB", || entries(60_000, 3_000_000)),
    ("exif: 60,000 orientations of 3 MB", || {
        directory(&vec![(0x112, 1, 3_000_000, 8); 60_000], &noise(3_000_000))
    }),
    ("exif: directories in a circle", circle),
];

/// What no code compresses.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// `II`, the data, and behind it one directory of tag, type, count, and value or offset.
fn directory(entries: &[(u16, u16, u32, u32)], data: &[u8]) -> Vec<u8> {
    let mut bytes = b"II*\0".to_vec();
    bytes.extend(u32::try_from(8 + data.len()).unwrap().to_le_bytes());
    bytes.extend(data);
    bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
    for (tag, kind, count, value) in entries {
        bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        bytes.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    bytes.extend([0; 4]);
    bytes
}

/// Strips, each of which has all of `data`.
fn strips(width: u32, height: u32, channels: u16, compression: u32, count: u32, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap();
    let mut all = data.to_vec();
    let mut put = |values: &[u32]| {
        let at = u32::try_from(8 + all.len()).unwrap();
        all.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        at
    };
    let one = |value: u32| vec![value; count as usize];
    let (offsets, counts) = if count == 1 { (8, length) } else { (put(&one(8)), put(&one(length))) };
    let bits = if channels == 3 { put(&[0x0008_0008, 8]) } else { 8 };
    let entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, channels.into(), bits),
        (259, 3, 1, compression),
        (262, 3, 1, if channels == 3 { 2 } else { 1 }),
        (273, 4, count, offsets),
        (277, 3, 1, channels.into()),
        (278, 4, 1, height / count),
        (279, 4, count, counts),
    ];
    directory(&entries, &all)
}

fn overlapping(compression: u32, data: &[u8]) -> Vec<u8> {
    strips(1, 100_000, 1, compression, 100_000, data)
}

fn entries(count: u16, size: u32) -> Vec<u8> {
    let sides = [(256, 4, 1, 8), (257, 4, 1, 8)];
    let others = (0..count).map(|number| (1000 + number, 1, size, 8));
    directory(&sides.into_iter().chain(others).collect::<Vec<_>>(), &noise(size as usize))
}

/// The directories of EXIF, of GPS and the next one are the first.
fn circle() -> Vec<u8> {
    let pointers = [34_665, 34_853, 40_965].map(|tag| (tag, 4, 1, 8));
    let mut bytes = directory(&pointers, &[]);
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&8_u32.to_le_bytes());
    bytes
}
