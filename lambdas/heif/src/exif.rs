//! Where the EXIF is.

use std::borrow::Cow;

use crate::boxes::{Boxes, MAX_ENTRIES, Reader};
use crate::size::primary;

/// Items of EXIF that are looked at: a picture has one, and so may those beside it.
const MAX_ITEMS: usize = 8;
/// Bytes that are put together from several places. An item in one place is not copied.
const MAX_COPIED: usize = 4 << 20;

/// The EXIF of the primary item, or of another if it has none: from a TIFF header on, or from `Exif`
/// and two zeros before it. What is cut off of it is left out.
pub fn exif(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    Boxes::new(bytes).of(*b"meta").find_map(|meta| {
        let meta = meta.content.get(4..)?;
        let mut items = items(Boxes::new(meta).find(*b"iinf")?);
        if let Some(primary) = primary(meta) {
            let iref = Boxes::new(meta).find(*b"iref").unwrap_or_default();
            // Stable: the others keep their order.
            items.sort_by_cached_key(|item| !describes(iref, *item, primary));
        }
        items.into_iter().find_map(|item| from_tiff_header(data(bytes, meta, item)?))
    })
}

/// Items of EXIF by their id.
fn items(iinf: &[u8]) -> Vec<u32> {
    let is_exif = |infe: &[u8]| {
        let mut infe = Reader(infe);
        let (version @ 2.., _) = infe.version()? else { return None };
        let id = infe.id(version > 2)?;
        // Two bytes of protection are between.
        (infe.bytes(2)?.len() == 2 && infe.array()? == *b"Exif").then_some(id)
    };
    let version = iinf.first().copied().unwrap_or_default();
    let entries = iinf.get(if version == 0 { 6 } else { 8 }..).unwrap_or_default();
    Boxes::new(entries).of(*b"infe").filter_map(|infe| is_exif(infe.content)).take(MAX_ITEMS).collect()
}

/// Whether `iref` says that an item describes another.
fn describes(iref: &[u8], item: u32, other: u32) -> bool {
    let wide = iref.first().is_some_and(|version| *version > 0);
    let says = |content| {
        let mut content = Reader(content);
        if content.id(wide)? != item {
            return None;
        }
        (0..content.u16()?).map_while(|_| content.id(wide)).find(|id| *id == other)
    };
    let references = Boxes::new(iref.get(4..).unwrap_or_default());
    references.of(*b"cdsc").any(|found| says(found.content).is_some())
}

/// The bytes of an item, which `iloc` finds in the file or in `idat`.
fn data<'a>(file: &'a [u8], meta: &'a [u8], item: u32) -> Option<Cow<'a, [u8]>> {
    let mut iloc = Reader(Boxes::new(meta).find(*b"iloc")?);
    let (version, _) = iloc.version()?;
    let [sizes, more_sizes] = iloc.array()?;
    let (of_offset, of_length, of_base) = (sizes >> 4, sizes & 15, more_sizes >> 4);
    let of_index = if version == 0 { 0 } else { more_sizes & 15 };
    for _ in 0..(iloc.id(version > 1)? as usize).min(MAX_ENTRIES) {
        let id = iloc.id(version > 1)?;
        let in_idat = version > 0 && iloc.u16()? & 15 == 1;
        // Which file it is in: this one, whatever is said.
        iloc.u16()?;
        let base = iloc.sized(of_base)?;
        let count = iloc.u16()?;
        let mut extent = || {
            iloc.sized(of_index)?;
            Some((base.checked_add(iloc.sized(of_offset)?)?, iloc.sized(of_length)?))
        };
        if id != item {
            for _ in 0..count {
                extent()?;
            }
            continue;
        }
        let source = if in_idat { Boxes::new(meta).find(*b"idat")? } else { file };
        let slice = |(offset, length): (u64, u64)| {
            let rest = source.get(usize::try_from(offset).ok()?..)?;
            // None told is all there is.
            let length = if length == 0 { rest.len() } else { usize::try_from(length).ok()? };
            rest.get(..length.min(rest.len()))
        };
        if count == 1 {
            return slice(extent()?).map(Cow::Borrowed);
        }
        let mut all = Vec::new();
        for _ in 0..count {
            let Some(part) = extent().and_then(slice) else { break };
            all.extend_from_slice(&part[..part.len().min(MAX_COPIED - all.len())]);
        }
        return Some(Cow::Owned(all));
    }
    None
}

/// An item begins with the distance of the TIFF header from what follows that number. Some writers count
/// from elsewhere.
fn from_tiff_header(item: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let is_start = |start: &usize| {
        let found = item.get(*start..).unwrap_or_default();
        [&b"Exif\0\0"[..], b"II*\0", b"MM\0*"].iter().any(|magic| found.starts_with(magic))
    };
    let told = u32::from_be_bytes(*item.first_chunk()?) as usize;
    let start = [told.saturating_add(4), 4, told, 0].into_iter().find(is_start)?;
    Some(match item {
        Cow::Borrowed(item) => Cow::Borrowed(&item[start..]),
        Cow::Owned(mut item) => Cow::Owned(item.split_off(start)),
    })
}
