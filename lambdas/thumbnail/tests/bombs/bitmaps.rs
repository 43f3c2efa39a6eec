//! GIF and BMP: runs of one colour.

use crate::Bomb;

pub(crate) const BOMBS: [Bomb; 9] = [
    ("gif: 100 megapixels", || gif((10_000, 10_000), (10_000, 10_000), 1)),
    ("gif: as many pixels as are taken", || gif((6_500, 6_500), (6_500, 6_500), 1)),
    ("gif: a frame larger than its screen", || gif((1, 1), (9_000, 9_000), 1)),
    ("gif: a frame beside a large screen", || gif((6_500, 6_500), (6_499, 6_500), 1)),
    ("gif: 20,000 frames", || gif((64, 64), (64, 64), 20_000)),
    ("bmp: runs", || bmp(10_000, 10_000, (8, 1), &runs(10_000, 10_000))),
    ("bmp: runs of 4 bits", || bmp(10_000, 10_000, (4, 2), &runs(10_000, 10_000))),
    ("bmp: no runs at all", || bmp(10_000, 10_000, (8, 1), &[0, 1])),
    ("bmp: ends of rows only", || bmp(1, 1_900_000, (8, 1), &[0, 0].repeat(1_900_000))),
];

/// One colour in LZW: each code is a run longer by one than the one before, until the table is full.
fn lzw(pixels: usize) -> Vec<u8> {
    const CLEAR: u32 = 4;
    const END: u32 = 5;
    let mut bytes = Vec::new();
    let (mut held, mut count) = (0_u64, 0);
    let mut put = |code: u32, bits: u32| {
        held |= u64::from(code) << count;
        count += bits;
        while count >= 8 {
            bytes.push(u8::try_from(held & 0xff).unwrap());
            held >>= 8;
            count -= 8;
        }
    };
    put(CLEAR, 3);
    put(0, 3);
    let (mut done, mut run, mut bits, mut next) = (1, 1, 3, 6_u32);
    while done < pixels {
        if next < 4096 && done + run < pixels {
            put(next, bits);
            run += 1;
            done += run;
            next += 1;
            if next == 1 << bits && bits < 12 {
                bits += 1;
            }
        } else if next == 4096 && done + run <= pixels {
            put(4095, bits);
            done += run;
        } else {
            put(0, bits);
            done += 1;
        }
    }
    put(END, bits);
    put(0, 8);
    bytes
}

fn gif(screen: (u16, u16), frame: (u16, u16), frames: usize) -> Vec<u8> {
    let sides = |(width, height): (u16, u16)| [width.to_le_bytes(), height.to_le_bytes()].concat();
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(sides(screen));
    bytes.extend([0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff]);
    let mut picture = vec![b',', 0, 0, 0, 0];
    picture.extend(sides(frame));
    picture.extend([0, 2]);
    for block in lzw(usize::from(frame.0) * usize::from(frame.1)).chunks(255) {
        picture.push(u8::try_from(block.len()).unwrap());
        picture.extend(block);
    }
    picture.push(0);
    bytes.extend(picture.repeat(frames));
    bytes.push(b';');
    bytes
}

/// Rows of runs of up to 255 pixels of the first colour.
fn runs(width: usize, height: usize) -> Vec<u8> {
    let mut row = [255, 0].repeat(width / 255);
    row.extend([u8::try_from(width % 255).unwrap(), 0, 0, 0]);
    [&row.repeat(height)[..], &[0, 1]].concat()
}

fn bmp(width: u32, height: u32, (bits, compression): (u16, u32), pixels: &[u8]) -> Vec<u8> {
    let length = u32::try_from(pixels.len()).unwrap();
    let mut bytes = b"BM".to_vec();
    bytes.extend([62 + length, 0, 62, 40, width, height].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([1, bits].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([compression, length, 0, 0, 2, 0].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([0, 0, 0, 0, 0xff, 0xff, 0xff, 0]);
    bytes.extend(pixels);
    bytes
}
