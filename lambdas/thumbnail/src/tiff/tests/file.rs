//! Writes TIFF files of two halves, of all kinds that the tests need.

use weezl::BitOrder;

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property that a file has or has not")]
pub(super) struct File {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bits: u8,
    pub(super) samples: u16,
    pub(super) compression: u32,
    pub(super) predictor: u32,
    /// Of a strip.
    pub(super) rows: u32,
    pub(super) tile: Option<(u32, u32)>,
    pub(super) planar: bool,
    pub(super) big_endian: bool,
    pub(super) big_tiff: bool,
    pub(super) reversed: bool,
    pub(super) old_lzw: bool,
    /// Four pixels share a colour.
    pub(super) subsampled: bool,
    /// A piece that is not there.
    pub(super) left_out: Option<usize>,
    /// Each strip, as it is.
    pub(super) stored: Option<Vec<u8>>,
    pub(super) halves: [[u64; 4]; 2],
    pub(super) scale: bool,
    pub(super) tags: Vec<(u16, Tag)>,
}

#[derive(Debug, Clone)]
pub(super) enum Tag {
    Numbers(Vec<u32>),
    Bytes(Vec<u8>),
}

/// Of one sample a pixel, black is zero.
pub(super) fn grey(bits: u8, [left, right]: [u64; 2]) -> File {
    let halves = [[left, 0, 0, 0], [right, 0, 0, 0]];
    File { bits, samples: 1, halves, scale: false, ..rgb([0; 4], [0; 4]).with(262, &[1]) }
}

/// Of three samples a pixel, from 8 bits each.
pub(super) fn rgb(left: [u8; 4], right: [u8; 4]) -> File {
    File {
        width: 64,
        height: 32,
        bits: 8,
        samples: 3,
        compression: 1,
        predictor: 1,
        rows: 32,
        tile: None,
        planar: false,
        big_endian: false,
        big_tiff: false,
        reversed: false,
        old_lzw: false,
        subsampled: false,
        left_out: None,
        stored: None,
        halves: [left, right].map(|half| half.map(u64::from)),
        scale: true,
        tags: vec![(262, Tag::Numbers(vec![2]))],
    }
}

/// Text of zeros and ones to bytes.
pub(super) fn bytes(bits: &str) -> Vec<u8> {
    let bits = bits.as_bytes();
    bits.chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | (bit - b'0') << (7 - at)))
        .collect()
}

/// A JPEG's segments up to the first scan, with their markers, and the rest.
fn segments(jpeg: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (mut found, mut at) = (Vec::new(), 2);
    while jpeg[at + 1] != 0xda {
        let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        found.push(&jpeg[at..at + length]);
        at += length;
    }
    (found, &jpeg[at..])
}

fn is_table(segment: &[u8]) -> bool {
    matches!(segment[1], 0xdb | 0xc4)
}

/// A JPEG's tables, as the tag for them has them.
pub(super) fn tables(jpeg: &[u8]) -> Vec<u8> {
    let tables: Vec<u8> =
        segments(jpeg).0.into_iter().filter(|segment| is_table(segment)).flatten().copied().collect();
    [&[0xff, 0xd8], &tables[..], &[0xff, 0xd9]].concat()
}

/// A JPEG without its tables.
pub(super) fn abbreviated(jpeg: &[u8]) -> Vec<u8> {
    let (head, scan) = segments(jpeg);
    let others: Vec<u8> = head.into_iter().filter(|segment| !is_table(segment)).flatten().copied().collect();
    [&[0xff, 0xd8], &others[..], scan].concat()
}

impl File {
    /// With a tag of whole numbers, in place of the one that there is.
    pub(super) fn with(&self, tag: u16, numbers: &[u32]) -> Self {
        self.tag(tag, Tag::Numbers(numbers.to_vec()))
    }

    pub(super) fn bytes(&self, tag: u16, bytes: &[u8]) -> Self {
        self.tag(tag, Tag::Bytes(bytes.to_vec()))
    }

    fn tag(&self, tag: u16, value: Tag) -> Self {
        let mut file = self.clone();
        file.tags.retain(|(other, _)| *other != tag);
        file.tags.push((tag, value));
        file
    }

    pub(super) fn written(&self) -> Vec<u8> {
        let header = self.header_length();
        let (body, directory) = self.body(header);
        [self.header(directory), body].concat()
    }

    /// A file of two pages.
    pub(super) fn then(&self, next: &Self) -> Vec<u8> {
        let header = self.header_length();
        let (mut first, directory) = self.body(header);
        let (second, next_directory) = next.body(header + first.len());
        let end = first.len() - 4;
        first[end..].copy_from_slice(&self.number(next_directory as u64, 4));
        [self.header(directory), first, second].concat()
    }

    fn header_length(&self) -> usize {
        if self.big_tiff { 16 } else { 8 }
    }

    fn header(&self, directory: usize) -> Vec<u8> {
        let mark = if self.big_endian { b"MM" } else { b"II" };
        let mut header = mark.to_vec();
        if self.big_tiff {
            header.extend([self.number(43, 2), self.number(8, 2), self.number(0, 2)].concat());
        } else {
            header.extend(self.number(42, 2));
        }
        header.extend(self.number(directory as u64, self.word()));
        header
    }

    fn word(&self) -> usize {
        if self.big_tiff { 8 } else { 4 }
    }

    fn number(&self, value: u64, size: usize) -> Vec<u8> {
        if self.big_endian {
            value.to_be_bytes()[8 - size..].to_vec()
        } else {
            value.to_le_bytes()[..size].to_vec()
        }
    }

    /// Pieces, long values and the directory, and where that is.
    fn body(&self, start: usize) -> (Vec<u8>, usize) {
        let (mut body, mut offsets, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (at, piece) in self.pieces().into_iter().enumerate() {
            let place = start + body.len();
            let missing = self.left_out == Some(at);
            offsets.push(if missing { 0 } else { u32::try_from(place).unwrap() });
            counts.push(if missing { 0 } else { u32::try_from(piece.len()).unwrap() });
            body.extend(piece);
        }
        if self.stored.is_some() {
            offsets = vec![offsets[0]; self.places().len()];
            counts = vec![counts[0]; self.places().len()];
        }
        let mut tags = vec![
            (256, Tag::Numbers(vec![self.width])),
            (257, Tag::Numbers(vec![self.height])),
            (258, Tag::Numbers(vec![self.bits.into(); self.samples.into()])),
            (259, Tag::Numbers(vec![self.compression])),
            (266, Tag::Numbers(vec![if self.reversed { 2 } else { 1 }])),
            (277, Tag::Numbers(vec![self.samples.into()])),
            (284, Tag::Numbers(vec![if self.planar { 2 } else { 1 }])),
            (317, Tag::Numbers(vec![self.predictor])),
        ];
        match self.tile {
            Some((width, height)) => tags.extend([
                (322, Tag::Numbers(vec![width])),
                (323, Tag::Numbers(vec![height])),
                (324, Tag::Numbers(offsets)),
                (325, Tag::Numbers(counts)),
            ]),
            None => tags.extend([
                (273, Tag::Numbers(offsets)),
                (278, Tag::Numbers(vec![self.rows])),
                (279, Tag::Numbers(counts)),
            ]),
        }
        tags.retain(|(tag, _)| self.tags.iter().all(|(other, _)| other != tag));
        tags.extend(self.tags.iter().cloned());
        tags.sort_by_key(|(tag, _)| *tag);
        self.directory(&tags, body, start)
    }

    fn directory(&self, tags: &[(u16, Tag)], mut body: Vec<u8>, start: usize) -> (Vec<u8>, usize) {
        let mut directory = self.number(tags.len() as u64, if self.big_tiff { 8 } else { 2 });
        for (tag, value) in tags {
            let (kind, count, mut bytes) = match value {
                Tag::Numbers(all) => {
                    (4, all.len(), all.iter().flat_map(|one| self.number((*one).into(), 4)).collect())
                }
                Tag::Bytes(all) => (7, all.len(), all.clone()),
            };
            if bytes.len() > self.word() {
                let place = (start + body.len()) as u64;
                body.extend(bytes);
                bytes = self.number(place, self.word());
            }
            bytes.resize(self.word(), 0);
            directory.extend(self.number((*tag).into(), 2));
            directory.extend(self.number(kind, 2));
            directory.extend(self.number(count as u64, self.word()));
            directory.extend(bytes);
        }
        directory.extend(self.number(0, self.word()));
        let place = start + body.len();
        body.extend(directory);
        (body, place)
    }

    fn places(&self) -> Vec<(u32, u32)> {
        let (width, rows) = self.tile.unwrap_or((self.width, self.rows));
        (0..self.height.div_ceil(rows))
            .flat_map(|y| (0..self.width.div_ceil(width)).map(move |x| (x * width, y * rows)))
            .collect()
    }

    /// All pieces, or the one that they share.
    fn pieces(&self) -> Vec<Vec<u8>> {
        let (width, rows) = self.tile.unwrap_or((self.width, self.rows));
        let places = self.places();
        let channels: Vec<Vec<usize>> = if self.planar {
            (0..usize::from(self.samples)).map(|channel| vec![channel]).collect()
        } else {
            vec![(0..usize::from(self.samples)).collect()]
        };
        if let Some(stored) = &self.stored {
            let stored = stored.iter().map(|byte| if self.reversed { byte.reverse_bits() } else { *byte });
            return vec![stored.collect()];
        }
        channels
            .iter()
            .flat_map(|channels| places.iter().map(|place| self.piece(*place, (width, rows), channels)))
            .collect()
    }

    fn piece(&self, (x, y): (u32, u32), (width, rows): (u32, u32), channels: &[usize]) -> Vec<u8> {
        let rows = if self.tile.is_some() { rows } else { rows.min(self.height - y) };
        let mut raw = Vec::new();
        if self.subsampled {
            for _ in 0..rows.div_ceil(2) {
                for unit in 0..width.div_ceil(2) {
                    let [light, blue, red, _] = self.halves[usize::from(2 * unit >= self.width / 2)];
                    let unit = [light, light, light, light, blue, red];
                    raw.extend(unit.map(|sample| u8::try_from(sample).unwrap()));
                }
            }
        } else {
            for _ in 0..rows {
                raw.extend(self.row((x..x + width).map(|x| usize::from(x >= self.width / 2)), channels));
            }
        }
        self.compressed(&raw).into_iter().map(|b| if self.reversed { b.reverse_bits() } else { b }).collect()
    }

    fn row(&self, halves: impl Iterator<Item = usize>, channels: &[usize]) -> Vec<u8> {
        let scale = if self.scale && self.bits == 16 { 257 } else { 1 };
        let mut samples: Vec<u64> = halves
            .flat_map(|half| {
                channels
                    .iter()
                    .map(move |channel| self.halves[half].get(*channel).copied().unwrap_or(0) * scale)
            })
            .collect();
        if self.predictor == 2 {
            for at in (channels.len()..samples.len()).rev() {
                samples[at] = samples[at].wrapping_sub(samples[at - channels.len()]);
            }
        }
        let size = usize::from(self.bits / 8);
        if self.predictor == 3 {
            let mut row: Vec<u8> = (0..size)
                .flat_map(|byte| samples.iter().map(move |sample| sample.to_be_bytes()[8 - size + byte]))
                .collect();
            for at in (channels.len()..row.len()).rev() {
                row[at] = row[at].wrapping_sub(row[at - channels.len()]);
            }
            return row;
        }
        if self.bits.is_multiple_of(8) {
            return samples.iter().flat_map(|sample| self.number(*sample, size)).collect();
        }
        let text: String = samples
            .iter()
            .map(|sample| format!("{sample:0width$b}", width = usize::from(self.bits)))
            .collect();
        bytes(&text)
    }

    fn compressed(&self, raw: &[u8]) -> Vec<u8> {
        match self.compression {
            5 if self.old_lzw => weezl::encode::Encoder::new(BitOrder::Lsb, 8).encode(raw).unwrap(),
            5 => weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8).encode(raw).unwrap(),
            8 | 32_946 => crate::tests::deflated(raw),
            // Runs of one byte, and of one byte alone.
            32_773 => raw
                .chunk_by(|one, next| one == next)
                .flat_map(|run| run.chunks(128))
                .flat_map(|run| match run {
                    [lone] => [0, *lone],
                    run => [u8::try_from(257 - run.len()).unwrap(), run[0]],
                })
                .collect(),
            _ => raw.to_vec(),
        }
    }
}
