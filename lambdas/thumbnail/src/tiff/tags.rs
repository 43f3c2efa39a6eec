//! What single tags of a directory say of the samples, and which of it is read.

use super::directory::Directory;
use super::fax::Code;
use crate::Unmade;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Fax(Code),
    Lzw,
    /// In the form before TIFF 6.0: a whole file as a browser takes it.
    OldJpeg,
    Jpeg,
    Deflate,
    PackBits,
    WebP,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette,
    Cmyk,
    YCbCr,
    Lab,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Unsigned,
    Signed,
    Float,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    None,
    Straight,
    /// Colours are stored as they are over black.
    Premultiplied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predictor {
    None,
    Difference,
    Float,
}

impl Meaning {
    pub(super) const fn colours(self) -> usize {
        match self {
            Self::WhiteIsZero | Self::BlackIsZero | Self::Palette => 1,
            Self::Rgb | Self::YCbCr | Self::Lab => 3,
            Self::Cmyk => 4,
        }
    }
}

pub(super) fn compression(directory: &Directory<'_>) -> Result<Compression, Unmade> {
    Ok(match directory.uint(259).unwrap_or(1) {
        1 => Compression::None,
        2 | 32_771 => Compression::Fax(Code::Rows),
        3 => {
            let options = directory.uint(292).unwrap_or(0);
            if options & 2 != 0 {
                return Err(Unmade::Unsupported("facsimile with parts that are not compressed"));
            }
            Compression::Fax(Code::Group3 { two_dimensions: options & 1 != 0 })
        }
        4 => Compression::Fax(Code::Group4),
        5 => Compression::Lzw,
        6 => Compression::OldJpeg,
        7 | 34_892 => Compression::Jpeg,
        8 | 32_946 => Compression::Deflate,
        32_773 => Compression::PackBits,
        50_001 => Compression::WebP,
        33_003 | 33_004 | 33_005 | 34_712 => return Err(Unmade::Unsupported("TIFF with JPEG 2000")),
        34_925 => return Err(Unmade::Unsupported("TIFF with LZMA")),
        50_000 | 34_926 => return Err(Unmade::Unsupported("TIFF with Zstandard")),
        34_887 => return Err(Unmade::Unsupported("TIFF with LERC")),
        _ => return Err(Unmade::Unsupported("TIFF with this compression")),
    })
}

pub(super) fn bits(directory: &Directory<'_>) -> Result<u8, Unmade> {
    let mut all = directory.uints(258);
    let bits = all.next().unwrap_or(1);
    if all.any(|other| other != bits) {
        return Err(Unmade::Unsupported("TIFF with samples of several sizes"));
    }
    match u8::try_from(bits) {
        Ok(bits @ (1..=16 | 24 | 32 | 64)) => Ok(bits),
        _ => Err(Unmade::Unsupported("TIFF with samples of this size")),
    }
}

pub(super) fn meaning(
    directory: &Directory<'_>,
    samples: u16,
    compression: Compression,
) -> Result<Meaning, Unmade> {
    Ok(match directory.uint(262) {
        Some(0) => Meaning::WhiteIsZero,
        // A mask for another picture is a picture, if it stands alone.
        Some(1 | 4) => Meaning::BlackIsZero,
        Some(2) => Meaning::Rgb,
        Some(3) => Meaning::Palette,
        // Other inks than these four have a set of their own.
        Some(5) if directory.uint(332).unwrap_or(1) == 1 => Meaning::Cmyk,
        Some(6) => Meaning::YCbCr,
        Some(8) => Meaning::Lab,
        Some(32_803 | 34_892) => return Err(Unmade::Unsupported("a camera's raw data")),
        Some(32_844 | 32_845) => return Err(Unmade::Unsupported("TIFF with LogLuv")),
        Some(_) => return Err(Unmade::Unsupported("TIFF with these colours")),
        // As libtiff guesses.
        None if matches!(compression, Compression::Fax(_)) => Meaning::WhiteIsZero,
        None if samples >= 3 => Meaning::Rgb,
        None => Meaning::BlackIsZero,
    })
}

pub(super) fn numbers(directory: &Directory<'_>) -> Result<Numbers, Unmade> {
    match directory.uint(339) {
        // 4 is "undefined".
        None | Some(1 | 4) => Ok(Numbers::Unsigned),
        Some(2) => Ok(Numbers::Signed),
        Some(3) => Ok(Numbers::Float),
        Some(_) => Err(Unmade::Unsupported("TIFF with complex numbers")),
    }
}

/// The first sample after the colours. Where nothing says what it is, writers of RGB mean alpha.
pub(super) fn alpha(directory: &Directory<'_>, meaning: Meaning, samples: u16) -> Alpha {
    let more = usize::from(samples) > meaning.colours();
    match directory.uint(338) {
        _ if !more || matches!(meaning, Meaning::Cmyk | Meaning::Lab) => Alpha::None,
        Some(1) => Alpha::Premultiplied,
        Some(2) => Alpha::Straight,
        None if meaning == Meaning::Rgb && samples == 4 => Alpha::Straight,
        _ => Alpha::None,
    }
}
