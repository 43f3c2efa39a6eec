//! The formats that are taken, by their names and by their first bytes.

use serde::{Deserialize, Serialize};

pub(crate) mod bitmap;

/// The formats taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
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

/// As an answer spells it.
impl From<Format> for &'static str {
    fn from(format: Format) -> &'static str {
        format.media_type()
    }
}

impl TryFrom<String> for Format {
    type Error = String;

    fn try_from(media_type: String) -> Result<Format, String> {
        Format::named(&media_type).ok_or_else(|| format!("{media_type:?} is none of the formats"))
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

/// A sentence for those who sent something else.
pub fn taken() -> String {
    let names: Vec<_> = Format::ALL.iter().map(|format| format.media_type()).collect();
    format!("Taken are: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

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
