//! What an image's own bytes say about it: its format and its size in pixels, from the header alone
//! and before any decoding. What callers or file names claim is never believed, and only the formats of
//! `format` get in: SVG and HTML have no header of these and so never do.

use crate::format::{Format, bitmap, taken};

pub mod far;
mod gif;
mod jpeg;

/// What was found in an image's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    pub format: Format,
    /// In pixels, as stored: EXIF's orientation is not applied. AVIF and HEIC have no such orientation but
    /// transforms of their own, which are.
    pub width: u32,
    pub height: u32,
}

/// Why a file is not taken, in words for its sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("this is no image. {}", taken())]
    NoImage,
    #[error("the {} header is damaged", .0.media_type())]
    Damaged(Format),
    #[error("declared as {}, but the bytes are {}", .declared.media_type(), .found.media_type())]
    OtherFormat { declared: Format, found: Format },
    #[error("{0:?} is not taken. {taken}", taken = taken())]
    OtherType(String),
    #[error("the image has {width} x {height} pixels; at most {max_pixels} are taken")]
    TooManyPixels { width: u32, height: u32, max_pixels: u64 },
}

/// The format that a sender's media type names, which must be one that is taken.
pub fn declared(media_type: &str) -> Result<Format, Unfit> {
    Format::named(media_type).ok_or_else(|| Unfit::OtherType(media_type.to_owned()))
}

/// Reads the header, and checks it against what the caller declared and how many pixels are allowed.
pub fn inspect(bytes: &[u8], declared: Option<Format>, max_pixels: u64) -> Result<Picture, Unfit> {
    let found = Format::of(bytes).ok_or(Unfit::NoImage)?;
    if let Some(declared) = declared.filter(|declared| *declared != found) {
        return Err(Unfit::OtherFormat { declared, found });
    }
    let (width, height) = size(found, bytes).ok_or(Unfit::Damaged(found))?;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(Unfit::TooManyPixels { width, height, max_pixels });
    }
    Ok(Picture { format: found, width, height })
}

fn size(format: Format, bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, height) = match format {
        Format::Bmp => bitmap::size(bytes)?,
        Format::Avif | Format::Heic => heif::size(bytes)?,
        Format::Gif => gif::size(bytes)?,
        Format::Jpeg => jpeg::size(bytes)?,
        _ => {
            let size = imagesize::blob_size(bytes).ok()?;
            (u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?)
        }
    };
    (width > 0 && height > 0).then_some((width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: u64 = 100_000_000;

    /// An ISO box.
    fn iso(kind: &[u8], content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        let length = u32::try_from(content.len() + 8).unwrap();
        [&length.to_be_bytes()[..], kind, &content].concat()
    }

    /// The boxes of AVIF and HEIC, down to the one that holds width and height, which is the first item's.
    fn heif(brands: &[u8], width: u32, height: u32) -> Vec<u8> {
        let ispe = iso(b"ispe", &[&[0; 4], &width.to_be_bytes(), &height.to_be_bytes()]);
        let ipma = iso(b"ipma", &[&[0; 4], b"\0\0\0\x01\0\x01\x01\x01"]);
        let iprp = iso(b"iprp", &[&iso(b"ipco", &[&ispe]), &ipma]);
        let pitm = iso(b"pitm", &[&[0; 4], b"\0\x01"]);
        [iso(b"ftyp", &[brands]), iso(b"meta", &[&[0; 4], &pitm, &iprp])].concat()
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        [
            b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR",
            &width.to_be_bytes()[..],
            &height.to_be_bytes(),
            b"\x08\x06\0\0\0",
        ]
        .concat()
    }

    fn webp(kind: &[u8], rest: &[u8]) -> Vec<u8> {
        [b"RIFF\x20\0\0\0WEBP", kind, b"\x14\0\0\0", rest].concat()
    }

    fn bmp(header: &[u8]) -> Vec<u8> {
        [b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0", header].concat()
    }

    #[track_caller]
    fn check(bytes: &[u8], format: Format, width: u32, height: u32) {
        let picture = inspect(bytes, Some(format), PLENTY).unwrap();
        assert_eq!(picture, Picture { format, width, height });
    }

    #[test]
    fn each_format_is_known_by_its_bytes() {
        let jpeg =
            b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xFF\xC0\0\x11\x08\0\x02\0\x03\x03";
        check(jpeg, Format::Jpeg, 3, 2);
        check(&png(3, 2), Format::Png, 3, 2);
        check(b"GIF89a\x03\0\x02\0\x80\0\0", Format::Gif, 3, 2);
        check(b"GIF87a\x03\0\x02\0\x80\0\0", Format::Gif, 3, 2);
        // Without a screen: two colours, an extension, and a frame.
        let frame = b"GIF89a\0\0\0\0\x80\0\0rgbRGB\x21\xFE\x02ab\x01c\0\x2C\0\0\0\0\x03\0\x02\0\0";
        check(frame, Format::Gif, 3, 2);
        check(&webp(b"VP8 ", b"\x30\x01\0\x9D\x01\x2A\x03\0\x02\0"), Format::WebP, 3, 2);
        check(&webp(b"VP8L", b"\x2F\x02\x40\0\0\0"), Format::WebP, 3, 2);
        check(&webp(b"VP8X", b"\0\0\0\0\x02\0\0\x01\0\0"), Format::WebP, 3, 2);
        let entries = |entry: fn(u16, u16) -> Vec<u8>| [entry(0x100, 3), entry(0x101, 2)].concat();
        let little = |tag: u16, value: u16| {
            [&tag.to_le_bytes()[..], b"\x03\0\x01\0\0\0", &value.to_le_bytes(), b"\0\0"].concat()
        };
        check(&[b"II\x2A\0\x08\0\0\0\x02\0", &entries(little)[..]].concat(), Format::Tiff, 3, 2);
        let big = |tag: u16, value: u16| {
            [&tag.to_be_bytes()[..], b"\0\x03\0\0\0\x01", &value.to_be_bytes(), b"\0\0"].concat()
        };
        check(&[b"MM\0\x2A\0\0\0\x08\0\x02", &entries(big)[..]].concat(), Format::Tiff, 3, 2);
    }

    #[test]
    fn brands_tell_avif_and_heic_apart_and_from_films() {
        for (brands, format) in [
            (&b"avif\0\0\0\0avifmif1miaf"[..], Format::Avif),
            (b"mif1\0\0\0\0mif1avifmiaf", Format::Avif),
            (b"heic\0\0\0\0mif1heic", Format::Heic),
            (b"heix\0\0\0\0mif1heix", Format::Heic),
            (b"mif1\0\0\0\0mif1heic", Format::Heic),
            (b"mif1\0\0\0\0miafheicavif", Format::Heic),
        ] {
            check(&heif(brands, 3, 2), format, 3, 2);
        }
        for brands in
            [&b"isom\0\0\0\0avc1"[..], b"mp42\0\0\0\0heic", b"mif1heic", b"mif1\0\0\0\0mif1", b"qt  "]
        {
            assert_eq!(Format::of(&heif(brands, 3, 2)), None, "{brands:?}");
        }
    }

    #[test]
    fn bitmaps_of_all_ages_are_read() {
        check(&bmp(b"\x0C\0\0\0\x03\0\x02\0\x01\0\x18\0"), Format::Bmp, 3, 2);
        check(&bmp(b"\x10\0\0\0\x03\0\0\0\x02\0\0\0\x01\0\x18\0"), Format::Bmp, 3, 2);
        check(&bmp(b"\x28\0\0\0\x03\0\0\0\x02\0\0\0\x01\0\x18\0"), Format::Bmp, 3, 2);
        check(&bmp(b"\x7C\0\0\0\x03\0\0\0\xFE\xFF\xFF\xFF\x01\0\x20\0"), Format::Bmp, 3, 2);
        assert_eq!(Format::of(b"BMW is a maker of cars, and this is a text"), None);
    }

    #[track_caller]
    fn check_refused(bytes: &[u8], declared: Option<Format>, unfit: &Unfit, detail: &str) {
        let found = inspect(bytes, declared, PLENTY).unwrap_err();
        assert_eq!((&found, found.to_string().as_str()), (unfit, detail));
    }

    #[test]
    fn what_is_no_image_of_ours_is_refused() {
        let taken = "this is no image. Taken are: image/jpeg, image/png, image/gif, image/webp, image/avif, \
                     image/heic, image/bmp, image/tiff";
        for bytes in [
            &b""[..],
            b"\xFF\xD8",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<?xml version=\"1.0\"?><svg/>",
            b"<!DOCTYPE html><html></html>",
            b"%PDF-1.7 and more",
            b"PK\x03\x04 and more bytes",
            b"\0\0\x01\0\x01\0\x10\x10 an icon",
            b"8BPS\0\x01 a photoshop file",
            b"\x89PNG\r\n\x1A\n<script>alert(1)</script>",
            b"GIF88a and so on and on",
            b"RIFF\x20\0\0\0WAVEfmt ",
        ] {
            check_refused(bytes, None, &Unfit::NoImage, taken);
        }
    }

    #[test]
    fn a_damaged_header_is_refused() {
        for (bytes, format) in [
            (&b"\xFF\xD8\xFF\xE0\0\x10JFIF"[..], Format::Jpeg),
            (b"\xFF\xD8\xFF\xE0\0\0\0\0\0\0\0\0\0\0\0\0", Format::Jpeg),
            (&png(3, 2)[..20], Format::Png),
            (&png(0, 2), Format::Png),
            (b"GIF89a\x03\0", Format::Gif),
            (&heif(b"avif\0\0\0\0avif", 3, 2)[..40], Format::Avif),
            (&webp(b"VP8?", &[0; 20]), Format::WebP),
            (b"II\x2A\0\xFF\xFF\xFF\xFF\x02\0\0\0", Format::Tiff),
        ] {
            let detail = format!("the {} header is damaged", format.media_type());
            check_refused(bytes, None, &Unfit::Damaged(format), &detail);
        }
    }

    #[test]
    fn another_type_than_declared_is_refused() {
        check_refused(
            &png(3, 2),
            Some(Format::Jpeg),
            &Unfit::OtherFormat { declared: Format::Jpeg, found: Format::Png },
            "declared as image/jpeg, but the bytes are image/png",
        );
    }

    #[test]
    fn pixels_are_counted_before_any_decoding() {
        check(&png(10_000, 10_000), Format::Png, 10_000, 10_000);
        check_refused(
            &png(10_000, 10_001),
            None,
            &Unfit::TooManyPixels { width: 10_000, height: 10_001, max_pixels: PLENTY },
            "the image has 10000 x 10001 pixels; at most 100000000 are taken",
        );
        let largest = inspect(&png(u32::MAX, u32::MAX), None, PLENTY).unwrap_err();
        assert!(largest.to_string().contains("4294967295 x 4294967295"));
    }

    #[test]
    fn no_cut_or_changed_header_makes_it_panic() {
        let gif = b"GIF89a\0\0\0\0\x80\0\0rgbRGB\x21\xFE\x02ab\0\x2C\0\0\0\0\x03\0\x02\0\0".to_vec();
        let headers =
            [gif, png(3, 2), heif(b"mif1\0\0\0\0mif1heic", 3, 2), bmp(&[0x28; 20]), webp(b"VP8X", &[9; 20])];
        for header in &headers {
            for length in 0..header.len() {
                inspect(&header[..length], None, PLENTY).ok();
                for byte in [0, 1, 0x7F, 0x80, 0xFF] {
                    let mut changed = header.clone();
                    changed[length] = byte;
                    inspect(&changed, None, PLENTY).ok();
                }
            }
        }
    }
}
