//! A TIFF file's directories of tags (TIFF 6.0, section 2), also those of `BigTIFF`.

/// Directories that are looked at; a file may have them go round in a circle.
const MAX_DIRECTORIES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// Of at most eight bytes.
    pub(super) fn uint(self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        match (self, bytes) {
            (Self::Little, [a, b]) => u16::from_le_bytes([*a, *b]).into(),
            (Self::Big, [a, b]) => u16::from_be_bytes([*a, *b]).into(),
            (Self::Little, [a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]).into(),
            (Self::Big, [a, b, c, d]) => u32::from_be_bytes([*a, *b, *c, *d]).into(),
            (Self::Little, _) => bytes.iter().rev().fold(0, add),
            (Self::Big, _) => bytes.iter().fold(0, add),
        }
    }
}

/// One directory, which describes one picture of the file.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    pub(super) file: &'a [u8],
    pub(super) order: Order,
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    tag: u16,
    kind: u16,
    values: &'a [u8],
}

/// Widths of what differs between the two forms.
struct Form {
    order: Order,
    big: bool,
}

pub(crate) fn is_tiff(bytes: &[u8]) -> bool {
    form(bytes).is_some()
}

fn form(file: &[u8]) -> Option<Form> {
    match file {
        [b'I', b'I', 42, 0, ..] => Some(Form { order: Order::Little, big: false }),
        [b'M', b'M', 0, 42, ..] => Some(Form { order: Order::Big, big: false }),
        [b'I', b'I', 43, 0, 8, 0, 0, 0, ..] => Some(Form { order: Order::Little, big: true }),
        [b'M', b'M', 0, 43, 0, 8, 0, 0, ..] => Some(Form { order: Order::Big, big: true }),
        _ => None,
    }
}

/// The directories of the main chain, in order.
pub(super) fn directories(file: &[u8]) -> Vec<Directory<'_>> {
    let Some(Form { order, big }) = form(file) else { return Vec::new() };
    let (word, count_size) = if big { (8, 8) } else { (4, 2) };
    let read =
        |at: usize, size: usize| -> Option<u64> { Some(order.uint(file.get(at..at.checked_add(size)?)?)) };
    let mut found = Vec::new();
    let mut at = read(if big { 8 } else { 4 }, word).and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
    while at != 0 && found.len() < MAX_DIRECTORIES {
        let Some(count) = read(at, count_size).and_then(|count| usize::try_from(count).ok()) else { break };
        // No directory has more tags than there are numbers for them.
        let count = count.min(usize::from(u16::MAX));
        let first = at + count_size;
        let size = 4 + 2 * word;
        let entries = (0..count).map_while(|entry| {
            let at = first + entry * size;
            let tag = u16::try_from(read(at, 2)?).ok()?;
            let kind = u16::try_from(read(at + 2, 2)?).ok()?;
            let values = values(file, &read, kind, read(at + 4, word)?, at + 4 + word, word);
            Some(Entry { tag, kind, values: values.unwrap_or_default() })
        });
        found.push(Directory { file, order, entries: entries.collect() });
        at = read(first + count * size, word).and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
    }
    found
}

/// Values stand in the entry itself where they fit. What the file's end cuts off is left out.
fn values<'a>(
    file: &'a [u8],
    read: &dyn Fn(usize, usize) -> Option<u64>,
    kind: u16,
    count: u64,
    at: usize,
    word: usize,
) -> Option<&'a [u8]> {
    let length = usize::try_from(count).ok()?.checked_mul(size_of_kind(kind)?)?;
    let start = if length <= word { at } else { usize::try_from(read(at, word)?).ok()? };
    file.get(start..)?.get(..length.min(file.len().saturating_sub(start)))
}

fn size_of_kind(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16..=18 => Some(8),
        _ => None,
    }
}

impl<'a> Directory<'a> {
    fn entry(&self, tag: u16) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.tag == tag && !entry.values.is_empty())
    }

    /// A tag's values as they are stored.
    pub(super) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.entry(tag).map(|entry| entry.values)
    }

    /// The whole numbers of a tag, of any size; those below zero wrap around.
    pub(super) fn uints(&self, tag: u16) -> impl Iterator<Item = u64> + use<'_, 'a> {
        let entry = self.entry(tag).filter(|entry| !matches!(entry.kind, 2 | 5 | 10..=12));
        let size = entry.and_then(|entry| size_of_kind(entry.kind)).unwrap_or(1);
        let values = entry.map_or(&[][..], |entry| entry.values);
        values.chunks_exact(size).map(|value| self.order.uint(value))
    }

    /// The first of a tag's whole numbers.
    pub(super) fn uint(&self, tag: u16) -> Option<u64> {
        self.uints(tag).next()
    }

    /// A tag's first number, of any kind.
    #[expect(clippy::cast_precision_loss, reason = "a number for display")]
    pub(super) fn number(&self, tag: u16) -> Option<f64> {
        self.numbers(tag).next().or_else(|| self.uint(tag).map(|value| value as f64))
    }

    /// The fractions and floats of a tag.
    pub(super) fn numbers(&self, tag: u16) -> impl Iterator<Item = f64> + use<'_, 'a> {
        let entry = self.entry(tag).filter(|entry| matches!(entry.kind, 5 | 11 | 12));
        let (kind, values) = entry.map_or((5, &[][..]), |entry| (entry.kind, entry.values));
        let half = move |bytes: &[u8]| u32::try_from(self.order.uint(bytes)).unwrap_or(0);
        values.chunks_exact(if kind == 11 { 4 } else { 8 }).map(move |value| match kind {
            5 => f64::from(half(&value[..4])) / f64::from(half(&value[4..])),
            11 => f64::from(f32::from_bits(half(value))),
            _ => f64::from_bits(self.order.uint(value)),
        })
    }
}
