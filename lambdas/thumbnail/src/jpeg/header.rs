//! The segments of a JPEG before its first scan (T.81, B.2.2), walked as libjpeg walks them, so that
//! what is refused here is what it would have decoded.

use std::borrow::Cow;

use crate::Unmade;

/// What the decoder does not tell before it decodes, or stumbles over.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// Where the marker of the first scan is, or the file ends.
    pub(super) scan: usize,
    /// Coefficients of all components, in whole blocks.
    pub(super) coefficients: u64,
    /// Not all of the picture is in the first scan, so that coefficients are kept.
    pub(super) several_scans: bool,
    /// Parts of the ICC profile as the file has them: number, count of all parts, data.
    profile: Vec<(u8, u8, &'a [u8])>,
    /// Marker of the frame, which says how it is coded.
    frame: Option<u8>,
    components: u8,
    /// Adobe's code of the colours, where there is one.
    transform: Option<u8>,
    /// What libjpeg would warn of stands between the segments, or in JFIF's.
    odd: bool,
    /// Marker and body of what a decoder needs.
    needed: Vec<(u8, &'a [u8])>,
}

impl<'a> Header<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let mut found = Self { scan: bytes.len(), ..Self::default() };
        let mut rest = bytes.get(2..).unwrap_or_default();
        while let Some(start) = memchr::memchr(0xff, rest) {
            found.odd |= start > 0;
            rest = &rest[start..];
            // Any number of fill bytes (B.1.1.2).
            let Some(fill) = rest.iter().position(|byte| *byte != 0xff) else { break };
            let (marker, after) = (rest[fill], &rest[fill + 1..]);
            match marker {
                // No marker at all.
                0 => found.odd = true,
                // Markers without a segment.
                0x01 | 0xd0..=0xd7 => (),
                0xd8 | 0xd9 => break,
                0xda => {
                    found.scan = bytes.len() - after.len() - 2;
                    // The first scan has all components, or others follow.
                    let scanned = after.get(2).copied().unwrap_or_default();
                    found.several_scans |= scanned < found.components;
                    break;
                }
                _ => {
                    let Some(length) = after.first_chunk() else { break };
                    let length = usize::from(u16::from_be_bytes(*length));
                    let Some(body) = after.get(2..length) else { break };
                    found.segment(marker, body);
                    rest = &after[length..];
                    continue;
                }
            }
            rest = after;
        }
        found
    }

    fn segment(&mut self, marker: u8, body: &'a [u8]) {
        match marker {
            // Tables, and the interval of restarts.
            0xc4 | 0xcc | 0xdb | 0xdd => (),
            0xc0..=0xcf => {
                self.frame = Some(marker);
                self.components = body.get(5).copied().unwrap_or(0);
                self.several_scans = marker == 0xc2;
                self.coefficients = coefficients(body);
            }
            // JFIF, whose version is 1 in all editions of T.871.
            0xe0 if body.starts_with(b"JFIF\0") && body.len() >= 14 => self.odd |= body[5] != 1,
            0xe2 => {
                if let Some([number, count, part @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                    self.profile.push((*number, *count, part));
                }
                return;
            }
            0xee if body.starts_with(b"Adobe") && body.len() >= 12 => self.transform = Some(body[11]),
            _ => return,
        }
        self.needed.push((marker, body));
    }

    /// Whether the frame is of a kind that is decoded: Huffman codes, sequential or progressive. Arithmetic codes take a
    /// hundred times as long a byte, which is what a bomb wants, and no browser shows them, nor lossless or
    /// hierarchical frames.
    pub(super) fn check_kind(&self) -> Result<(), Unmade> {
        match self.frame {
            Some(0xc0..=0xc2) => Ok(()),
            Some(0xc3) => Err(Unmade::Unsupported("lossless JPEG")),
            Some(0xc9..=0xcb | 0xcd..=0xcf) => Err(Unmade::Unsupported("JPEG with arithmetic codes")),
            Some(_) => Err(Unmade::Unsupported("hierarchical JPEG")),
            None => Err(Unmade::Damaged("no frame before the first scan".to_owned())),
        }
    }

    /// The ICC profile, if all of it is there (ICC.1, annex B.4): parts numbered from 1.
    pub(super) fn profile(&self) -> Option<Vec<u8>> {
        let mut parts = self.profile.clone();
        parts.sort_by_key(|(number, ..)| *number);
        let in_order = parts
            .iter()
            .zip(1..=u8::MAX)
            .all(|((number, count, _), at)| *number == at && usize::from(*count) == parts.len());
        (in_order && !parts.is_empty()).then(|| parts.iter().flat_map(|(.., part)| *part).copied().collect())
    }

    /// The file, or if libjpeg would warn of its header, one without what it would warn of: its wrapper
    /// gives up at a warning of the header, harmless as these are.
    pub(super) fn without_oddities(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let transform = match (self.components, self.transform) {
            (3, Some(2..)) => Some(1),
            (4, Some(1 | 3..)) => Some(2),
            _ => None,
        };
        // libjpeg also finds a profile of no bytes wrong.
        let profile = self.profile.is_empty() || self.profile().is_some_and(|profile| !profile.is_empty());
        if !self.odd && transform.is_none() && profile {
            return Cow::Borrowed(bytes);
        }
        let scans = &bytes[self.scan..];
        let mut mended = Vec::with_capacity(bytes.len());
        mended.extend([0xff, 0xd8]);
        for (marker, body) in &self.needed {
            // A body was as long as two bytes say.
            let length = u16::try_from(body.len() + 2).unwrap_or(u16::MAX);
            mended.extend([0xff, *marker]);
            mended.extend(length.to_be_bytes());
            let start = mended.len();
            mended.extend(*body);
            match (marker, transform) {
                (0xe0, _) => mended[start + 5] = 1,
                (0xee, Some(transform)) => mended[start + 11] = transform,
                _ => (),
            }
        }
        mended.extend(scans);
        Cow::Owned(mended)
    }
}

/// Of a frame header: precision, height, width, count of components, and three bytes of each.
fn coefficients(body: &[u8]) -> u64 {
    let [_, h1, h2, w1, w2, _, components @ ..] = body else { return 0 };
    let blocks = |high: &u8, low: &u8| u64::from(u16::from_be_bytes([*high, *low])).div_ceil(8);
    let factors = || {
        components
            .chunks_exact(3)
            .map(|component| (u64::from(component[1] >> 4), u64::from(component[1] & 15)))
    };
    let across = factors().map(|(h, _)| h).max().unwrap_or(1).max(1);
    let down = factors().map(|(_, v)| v).max().unwrap_or(1).max(1);
    let units = blocks(w1, w2).div_ceil(across) * blocks(h1, h2).div_ceil(down);
    units * 64 * factors().map(|(h, v)| h * v).sum::<u64>()
}
