//! How large the picture is shown.

use crate::boxes::{Boxes, MAX_ENTRIES, Reader};

/// As many properties as `ipma` can name.
const MAX_PROPERTIES: usize = 0x7fff;

/// Of the item that `meta` says is the picture. Without one that has a size of its own there is none:
/// other items are tiles, thumbnails and masks.
pub(crate) fn of_primary_item(meta: &[u8]) -> Option<(u32, u32)> {
    let meta = meta.get(4..)?;
    let primary = primary(meta)?;
    // Half of it could leave out a rotation.
    let iprp = Boxes::new(meta).find_whole(*b"iprp")?;
    let all: Vec<_> = Boxes::new(Boxes::new(iprp).find(*b"ipco")?).take(MAX_PROPERTIES).collect();
    let tables = Boxes::new(iprp).of(*b"ipma");
    let own: Vec<_> = tables.filter_map(|ipma| associated(ipma.content, primary)).flatten().collect();
    // Index 0 is no property.
    let own = own.into_iter().filter_map(|index| all.get(index.checked_sub(1)?));
    let mut extents = own.clone().filter(|property| property.kind == *b"ispe");
    let mut size = extents.find_map(|ispe| {
        let mut content = Reader(ispe.content.get(4..)?);
        Some((content.u32()?, content.u32()?))
    })?;
    // Each is applied to what those before it have made of the picture, in their order here. To mirror
    // it (`imir`) changes no side.
    for property in own {
        match (&property.kind, property.content) {
            (b"clap", content) => size = clean_aperture(content, size).unwrap_or(size),
            // A quarter turn is 1 and three of them are 3.
            (b"irot", [turns, ..]) if turns & 1 == 1 => size = (size.1, size.0),
            _ => (),
        }
    }
    Some(size)
}

pub(crate) fn primary(meta: &[u8]) -> Option<u32> {
    let mut pitm = Reader(Boxes::new(meta).find(*b"pitm")?);
    let (version, _) = pitm.version()?;
    pitm.id(version > 0)
}

/// The properties that `ipma` has for an item, as their places in `ipco` from 1 on.
fn associated(ipma: &[u8], item: u32) -> Option<Vec<usize>> {
    let mut ipma = Reader(ipma);
    let (version, flags) = ipma.version()?;
    let wide = flags & 1 == 1;
    for _ in 0..(ipma.u32()? as usize).min(MAX_ENTRIES) {
        let id = ipma.id(version > 0)?;
        let count = usize::from(ipma.u8()?);
        let indexes = ipma.bytes(if wide { 2 * count } else { count })?;
        if id == item {
            // The highest bit says that the property is essential.
            let index = |bytes: &[u8]| match bytes {
                [high, low] => usize::from(u16::from_be_bytes([high & 0x7f, *low])),
                bytes => bytes.first().map_or(0, |byte| usize::from(byte & 0x7f)),
            };
            return Some(indexes.chunks(if wide { 2 } else { 1 }).map(index).collect());
        }
    }
    None
}

/// The sides that are left of a picture: rational numbers, rounded as libheif does. One that makes no
/// sense leaves the picture as it is.
fn clean_aperture(clap: &[u8], (width, height): (u32, u32)) -> Option<(u32, u32)> {
    let mut clap = Reader(clap);
    let mut side = |whole: u32| {
        let (numerator, denominator) = (u64::from(clap.u32()?), u64::from(clap.u32()?));
        let rounded = (numerator + denominator / 2).checked_div(denominator)?;
        Some(u32::try_from(rounded).ok().filter(|side| *side > 0)?.min(whole))
    };
    Some((side(width)?, side(height)?))
}

/// Of the first track of pictures that `moov` has, as a player shows it.
pub(crate) fn of_track(moov: &[u8]) -> Option<(u32, u32)> {
    Boxes::new(moov).of(*b"trak").find_map(|trak| {
        let mdia = Boxes::new(trak.content).find(*b"mdia")?;
        let handler = Boxes::new(mdia).find(*b"hdlr")?.get(8..12)?;
        let tkhd = Boxes::new(trak.content).find(*b"tkhd")?;
        matches!(handler, b"pict" | b"vide").then(|| of_track_header(tkhd).or_else(|| of_samples(mdia)))?
    })
}

/// `tkhd`: times and a duration of 32 or 64 bits, then a matrix, width and height in 1/65,536 pixels.
fn of_track_header(tkhd: &[u8]) -> Option<(u32, u32)> {
    let mut tkhd = Reader(tkhd);
    let (version, _) = tkhd.version()?;
    tkhd.bytes(if version == 1 { 32 + 16 } else { 20 + 16 })?;
    let mut matrix = Reader(tkhd.bytes(36)?);
    let (xx, xy, _, yx, yy) = (matrix.u32()?, matrix.u32()?, matrix.u32()?, matrix.u32()?, matrix.u32()?);
    let (width, height) = (tkhd.u32()? >> 16, tkhd.u32()? >> 16);
    let quarter_turn = (xx, yy) == (0, 0) && xy != 0 && yx != 0;
    let size = if quarter_turn { (height, width) } else { (width, height) };
    (width > 0 && height > 0).then_some(size)
}

/// Of the first sample entry, as encoded.
fn of_samples(mdia: &[u8]) -> Option<(u32, u32)> {
    let stbl = Boxes::new(Boxes::new(mdia).find(*b"minf")?).find(*b"stbl")?;
    // Version, flags and a count stand before the entries.
    let entry = Boxes::new(Boxes::new(stbl).find(*b"stsd")?.get(8..)?).next()?;
    let mut content = Reader(entry.content.get(24..)?);
    Some((content.u16()?.into(), content.u16()?.into()))
}
