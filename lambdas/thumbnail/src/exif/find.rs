//! Where a file of each format has its EXIF. What cannot be read is passed over.

use std::borrow::Cow;

use super::tiff::Tiff;
use crate::png::inflated;

/// What stands before the TIFF header in a JPEG. It has no place in other formats, where libvips, sharp,
/// Pillow and others write it nonetheless.
const PREFIX: &[u8] = b"Exif\0\0";
/// Bytes of a PNG's text: two digits for each byte of EXIF, of which a JPEG takes 64 KiB.
const MAX_TEXT: usize = 1 << 20;
/// Texts of a PNG that are inflated.
const MAX_TEXTS: usize = 4;

/// The file's EXIF, from its TIFF header on.
pub(crate) fn find(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    match bytes {
        [0xff, 0xd8, segments @ ..] => jpeg(segments).map(Cow::Borrowed),
        [0x89, b'P', b'N', b'G', _, _, _, _, chunks @ ..] => png(chunks),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', chunks @ ..] => {
            webp(chunks).map(Cow::Borrowed)
        }
        _ if is_heif(bytes) => heif::exif(bytes).and_then(cut_to_tiff),
        _ => tiff_in(bytes).map(Cow::Borrowed),
    }
}

/// Whether a file is AVIF or HEIC, as far as it can be one of the formats that have EXIF.
pub(crate) fn is_heif(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"ftyp")
}

fn tiff_in(mut block: &[u8]) -> Option<&[u8]> {
    while let Some(rest) = block.strip_prefix(PREFIX) {
        block = rest;
    }
    Tiff::new(block).map(|_| block)
}

fn cut_to_tiff(block: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    match block {
        Cow::Borrowed(block) => tiff_in(block).map(Cow::Borrowed),
        Cow::Owned(mut block) => {
            let length = tiff_in(&block)?.len();
            block.drain(..block.len() - length);
            Some(Cow::Owned(block))
        }
    }
}

/// An application segment 1 (EXIF 2.32, 4.7.2) before the first scan. Between segments there may be any
/// number of fill bytes (ITU-T T.81, B.1.1.2), and some writers leave others.
fn jpeg(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let marker = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff))?;
        let after = &rest[marker + 2..];
        let length = match rest[marker + 1] {
            // Markers without a segment.
            0x01 | 0xd0..=0xd8 => 0,
            // The end, and a scan.
            0xd9 | 0xda => return None,
            _ => usize::from(u16::from_be_bytes(*after.first_chunk()?)).max(2),
        };
        let body = after.get(2..).map_or(&[][..], |body| &body[..length.saturating_sub(2).min(body.len())]);
        // The sixth byte is not always zero.
        if rest[marker + 1] == 0xe1
            && let Some([_, block @ ..]) = body.strip_prefix(&PREFIX[..5])
            && let Some(tiff) = tiff_in(block)
        {
            return Some(tiff);
        }
        rest = after.get(length..)?;
    }
}

/// `EXIF` of WebP's container.
fn webp(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        if kind.eq_ignore_ascii_case(b"EXIF")
            && let Some(tiff) = tiff_in(&after[..length.min(after.len())])
        {
            return Some(tiff);
        }
        // Padded to an even length.
        rest = after.get(length.saturating_add(length % 2)..)?;
    }
}

/// `eXIf` (PNG 3, 11.3.4.5), or else the text in which ImageMagick and others have EXIF.
fn png(mut rest: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut texts = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk()
        && let Some((kind, after)) = after.split_first_chunk::<4>()
    {
        let length = u32::from_be_bytes(*length) as usize;
        let data = &after[..length.min(after.len())];
        if kind == b"eXIf"
            && let Some(tiff) = tiff_in(data)
        {
            return Some(Cow::Borrowed(tiff));
        }
        if matches!(kind, b"tEXt" | b"zTXt" | b"iTXt") && data.starts_with(b"Raw profile type ") {
            texts.push((kind, data));
            texts.truncate(MAX_TEXTS);
        }
        // A sum of four bytes follows.
        rest = after.get(length.saturating_add(4)..).unwrap_or_default();
    }
    texts.into_iter().find_map(|(kind, data)| cut_to_tiff(Cow::Owned(profile(&text(*kind, data)?))))
}

/// What follows the keyword of a text's chunk (PNG 3, 11.3.3), inflated.
fn text(kind: [u8; 4], data: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (_, rest) = split_at_nul(data)?;
    match (&kind, rest) {
        (b"tEXt", text) => Some(Cow::Borrowed(text)),
        (b"zTXt", [0, text @ ..]) => inflated(text, MAX_TEXT).map(Cow::Owned),
        // Compressed or not, method, language, the keyword in that language.
        (b"iTXt", [compressed, _, rest @ ..]) => {
            let (_, rest) = split_at_nul(rest)?;
            let (_, text) = split_at_nul(rest)?;
            if *compressed == 1 {
                inflated(text, MAX_TEXT).map(Cow::Owned)
            } else {
                Some(Cow::Borrowed(text))
            }
        }
        _ => None,
    }
}

fn split_at_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// The bytes of a profile in ImageMagick's form: an empty line, a name, a count of bytes, and lines of two
/// hexadecimal digits for each.
fn profile(text: &[u8]) -> Vec<u8> {
    let text = &text[..text.len().min(MAX_TEXT)];
    let digits = text.trim_ascii_start().splitn(3, |byte| *byte == b'\n').nth(2).unwrap_or_default();
    let digits = digits.iter().filter(|byte| !byte.is_ascii_whitespace());
    let values = digits.map_while(|digit| char::from(*digit).to_digit(16)?.try_into().ok());
    let values: Vec<u8> = values.collect();
    values.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
