//! Boxes of ISO/IEC 14496-12, 4.2: length, kind, content. All numbers are big-endian.

/// Boxes and entries of a table that are looked at: twice as many as a file with ids of 16 bits has items.
pub(crate) const MAX_ENTRIES: usize = 1 << 17;

/// A box, as far as its bytes are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IsoBox<'a> {
    pub(crate) kind: [u8; 4],
    pub(crate) content: &'a [u8],
    /// Of the box, in bytes from where the walk began.
    pub(crate) start: u64,
    /// Where the next box begins, which can be past the bytes that are there; the highest number if this
    /// one goes on to the end of the file.
    pub(crate) end: u64,
    pub(crate) whole: bool,
}

/// Walks boxes that follow one another, and ends at the first that cannot be one.
#[derive(Clone, Debug)]
pub(crate) struct Boxes<'a> {
    bytes: &'a [u8],
    next: u64,
    left: usize,
}

impl<'a> Boxes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0, left: MAX_ENTRIES }
    }

    pub(crate) fn of(self, kind: [u8; 4]) -> impl Iterator<Item = IsoBox<'a>> {
        self.filter(move |found| found.kind == kind)
    }

    /// The content of the first box of a kind.
    pub(crate) fn find(self, kind: [u8; 4]) -> Option<&'a [u8]> {
        self.of(kind).next().map(|found| found.content)
    }

    /// The same, if all of it is there.
    pub(crate) fn find_whole(self, kind: [u8; 4]) -> Option<&'a [u8]> {
        self.of(kind).next().filter(|found| found.whole).map(|found| found.content)
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = IsoBox<'a>;

    fn next(&mut self) -> Option<IsoBox<'a>> {
        self.left = self.left.checked_sub(1)?;
        let start = self.next;
        let mut rest = Reader(self.bytes.get(usize::try_from(start).ok()?..)?);
        let there = rest.0.len();
        let short = rest.u32()?;
        let kind = rest.array()?;
        let length = match short {
            0 => u64::MAX - start,
            1 => rest.u64()?,
            short => short.into(),
        };
        let content = length.checked_sub((there - rest.0.len()) as u64)?;
        let content = usize::try_from(content).ok().and_then(|content| rest.0.get(..content));
        self.next = start.checked_add(length)?;
        let whole = short == 0 || content.is_some();
        Some(IsoBox { kind, content: content.unwrap_or(rest.0), start, end: self.next, whole })
    }
}

/// Reads from the front of bytes; nothing once they do not suffice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*front)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A number of 16 bits, or of 32 if `wide`.
    pub(crate) fn id(&mut self, wide: bool) -> Option<u32> {
        if wide { self.u32() } else { self.u16().map(u32::from) }
    }

    /// A number of 0, 4 or 8 bytes, as `iloc` has them; of none it is 0.
    pub(crate) fn sized(&mut self, bytes: u8) -> Option<u64> {
        match bytes {
            0 => Some(0),
            4 => self.u32().map(u64::from),
            8 => self.u64(),
            _ => None,
        }
    }

    /// What a full box begins with: its version, and its flags.
    pub(crate) fn version(&mut self) -> Option<(u8, u32)> {
        let both = self.u32()?;
        let [version, ..] = both.to_be_bytes();
        Some((version, both & 0x00ff_ffff))
    }
}
