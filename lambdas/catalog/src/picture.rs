//! What an image's own bytes say about it: its format and its size in pixels, from the header alone
//! and before any decoding. What callers or file names claim is never believed, and only what is
//! listed here gets in: SVG and HTML have no header of ours and so never do.

mod bitmap;
mod far;
mod gif;
mod jpeg;

pub use far::{Far, far};

use crate::answer::{Problem, Reject};

/// The formats taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
    Avif,
    Heic,
    Bmp,
    Tiff,
}

impl Format {
    pub const ALL: [Format; 8] = [
        Format::Jpeg,
        Format::Png,
        Format::Gif,
        Format::WebP,
        Format::Avif,
        Format::Heic,
        Format::Bmp,
        Format::Tiff,
    ];

    pub const fn media_type(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Gif => "image/gif",
            Format::WebP => "image/webp",
            Format::Avif => "image/avif",
            Format::Heic => "image/heic",
            Format::Bmp => "image/bmp",
            Format::Tiff => "image/tiff",
        }
    }

    pub const fn extension(self) -> &'static str {
        match self {
            Format::Jpeg => "jpg",
            Format::Png => "png",
            Format::Gif => "gif",
            Format::WebP => "webp",
            Format::Avif => "avif",
            Format::Heic => "heic",
            Format::Bmp => "bmp",
            Format::Tiff => "tiff",
        }
    }

    /// Extensions, in lower case, by which systems know the format: the usual one first.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Jpeg => &["jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp"],
            Format::Png => &["png", "apng"],
            Format::Gif => &["gif"],
            Format::WebP => &["webp"],
            Format::Avif => &["avif", "avifs"],
            Format::Heic => &["heic", "heif", "hif", "heics", "heifs"],
            Format::Bmp => &["bmp", "dib"],
            Format::Tiff => &["tiff", "tif"],
        }
    }

    /// The format that a media type names, with the aliases that browsers and systems use.
    /// Parameters and case do not matter.
    pub fn named(media_type: &str) -> Option<Format> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        NAMES.iter().find(|(name, _)| *name == essence).map(|(_, format)| *format)
    }

    /// The format that the first bytes show.
    pub fn of(bytes: &[u8]) -> Option<Format> {
        let at =
            |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
        match bytes {
            _ if at(0, b"\xFF\xD8\xFF") => Some(Format::Jpeg),
            _ if at(0, b"\x89PNG\r\n\x1A\n") && at(12, b"IHDR") => Some(Format::Png),
            _ if at(0, b"GIF87a") || at(0, b"GIF89a") => Some(Format::Gif),
            _ if at(0, b"RIFF") && at(8, b"WEBPVP8") => Some(Format::WebP),
            _ if at(0, b"II\x2A\0") || at(0, b"MM\0\x2A") || at(0, b"II\x2B\0") || at(0, b"MM\0\x2B") => {
                Some(Format::Tiff)
            }
            _ if at(4, b"ftyp") => Format::of_brands(bytes),
            _ => bitmap::size(bytes).map(|_| Format::Bmp),
        }
    }

    /// AVIF and HEIC share a container with MP4 and many others. The major brand decides, and where
    /// it is a general one (`mif1`), the first of the compatible brands that is one of ours.
    fn of_brands(bytes: &[u8]) -> Option<Format> {
        let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
        let ftyp = bytes.get(8..length.min(bytes.len()))?;
        let mut brands = ftyp.chunks_exact(4).enumerate().filter(|(place, _)| *place != MINOR_VERSION);
        let (_, major) = brands.next()?;
        match (Format::of_brand(major), major) {
            (Some(format), _) => Some(format),
            (None, b"mif1" | b"msf1" | b"mif2" | b"miaf") => {
                brands.find_map(|(_, brand)| Format::of_brand(brand))
            }
            (None, _) => None,
        }
    }

    fn of_brand(brand: &[u8]) -> Option<Format> {
        match brand {
            b"avif" | b"avis" | b"avio" => Some(Format::Avif),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => {
                Some(Format::Heic)
            }
            _ => None,
        }
    }
}

/// Media types and their aliases; `contract::BINARY_MEDIA_TYPES` has each too.
const NAMES: &[(&str, Format)] = &[
    ("image/jpeg", Format::Jpeg),
    ("image/jpg", Format::Jpeg),
    ("image/pjpeg", Format::Jpeg),
    ("image/png", Format::Png),
    ("image/x-png", Format::Png),
    ("image/apng", Format::Png),
    ("image/gif", Format::Gif),
    ("image/webp", Format::WebP),
    ("image/avif", Format::Avif),
    ("image/avif-sequence", Format::Avif),
    ("image/heic", Format::Heic),
    ("image/heif", Format::Heic),
    ("image/heic-sequence", Format::Heic),
    ("image/heif-sequence", Format::Heic),
    ("image/bmp", Format::Bmp),
    ("image/x-bmp", Format::Bmp),
    ("image/x-ms-bmp", Format::Bmp),
    ("image/tiff", Format::Tiff),
    ("image/tif", Format::Tiff),
    ("image/x-tiff", Format::Tiff),
];

/// Which four bytes of `ftyp` are no brand.
const MINOR_VERSION: usize = 1;

/// What was found in an image's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    pub format: Format,
    /// In pixels, as stored: EXIF's orientation is not applied. AVIF and HEIC have no such orientation but
    /// transforms of their own, which are.
    pub width: u32,
    pub height: u32,
}

/// Reads the header, and holds it against what the caller declared and how many pixels are allowed.
pub fn inspect(bytes: &[u8], declared: Option<Format>, max_pixels: u64) -> Result<Picture, Reject> {
    let unsupported = |detail: String| Reject::refused(Problem::UnsupportedMediaType, detail);
    let format = Format::of(bytes).ok_or_else(|| unsupported(format!("this is no image. {}", taken())))?;
    if let Some(declared) = declared.filter(|declared| *declared != format) {
        let (declared, found) = (declared.media_type(), format.media_type());
        return Err(unsupported(format!("declared as {declared}, but the bytes are {found}")));
    }
    let (width, height) = size(format, bytes)
        .ok_or_else(|| unsupported(format!("the {} header is damaged", format.media_type())))?;
    if u64::from(width) * u64::from(height) > max_pixels {
        let detail = format!("the image has {width} x {height} pixels; at most {max_pixels} are taken");
        return Err(Reject::refused(Problem::TooManyPixels, detail));
    }
    Ok(Picture { format, width, height })
}

/// A sentence for those who sent something else.
pub fn taken() -> String {
    let names: Vec<_> = Format::ALL.iter().map(|format| format.media_type()).collect();
    format!("Taken are: {}", names.join(", "))
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
    fn check_refused(bytes: &[u8], declared: Option<Format>, status: Problem, detail: &str) {
        match inspect(bytes, declared, PLENTY).unwrap_err() {
            Reject::Refused { problem, detail: found, .. } => {
                assert_eq!((problem, found.as_str()), (status, detail));
            }
            other => panic!("{other:?}"),
        }
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
            check_refused(bytes, None, Problem::UnsupportedMediaType, taken);
        }
    }

    #[test]
    fn a_damaged_header_is_refused() {
        let detail = |kind: &str| format!("the image/{kind} header is damaged");
        for (bytes, kind) in [
            (&b"\xFF\xD8\xFF\xE0\0\x10JFIF"[..], "jpeg"),
            (b"\xFF\xD8\xFF\xE0\0\0\0\0\0\0\0\0\0\0\0\0", "jpeg"),
            (&png(3, 2)[..20], "png"),
            (&png(0, 2), "png"),
            (b"GIF89a\x03\0", "gif"),
            (&heif(b"avif\0\0\0\0avif", 3, 2)[..40], "avif"),
            (&webp(b"VP8?", &[0; 20]), "webp"),
            (b"II\x2A\0\xFF\xFF\xFF\xFF\x02\0\0\0", "tiff"),
        ] {
            check_refused(bytes, None, Problem::UnsupportedMediaType, &detail(kind));
        }
    }

    #[test]
    fn another_type_than_declared_is_refused() {
        check_refused(
            &png(3, 2),
            Some(Format::Jpeg),
            Problem::UnsupportedMediaType,
            "declared as image/jpeg, but the bytes are image/png",
        );
    }

    #[test]
    fn pixels_are_counted_before_any_decoding() {
        check(&png(10_000, 10_000), Format::Png, 10_000, 10_000);
        check_refused(
            &png(10_000, 10_001),
            None,
            Problem::TooManyPixels,
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

    #[test]
    fn media_types_have_aliases_parameters_and_any_case() {
        for (text, format) in [
            ("image/jpg", Some(Format::Jpeg)),
            ("IMAGE/PNG; charset=binary", Some(Format::Png)),
            (" image/heif ", Some(Format::Heic)),
            ("image/x-ms-bmp", Some(Format::Bmp)),
            ("image/svg+xml", None),
            ("image/x-icon", None),
            ("image/*", None),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(Format::named(text), format, "{text}");
        }
        for format in Format::ALL {
            assert_eq!(Format::named(format.media_type()), Some(format));
        }
    }

    /// Under a name that the gateway does not list an image comes as text, and none survives that.
    #[test]
    fn the_gateway_hands_over_our_formats_as_bytes_by_every_name() {
        for (name, _) in NAMES {
            assert!(contract::BINARY_MEDIA_TYPES.contains(name), "{name}");
        }
        for format in Format::ALL {
            assert!(NAMES.contains(&(format.media_type(), format)), "{format:?}");
        }
        for media_type in contract::BINARY_MEDIA_TYPES {
            let known = Format::named(media_type).is_some();
            assert!(known || media_type == "application/octet-stream", "{media_type}");
        }
    }
}
