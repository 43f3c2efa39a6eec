//! `[defaults.thumbnails]`: what the function `process` makes of each image.

use anyhow::ensure;
use contract::limits;
use serde::Deserialize;

use super::check::range;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Webp,
    Jpeg,
}

impl Format {
    /// As in `contract::variable::THUMBNAIL_FORMAT`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Webp => "webp",
            Format::Jpeg => "jpeg",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Thumbnails {
    /// Long edges in pixels, ascending, each once.
    pub sizes: Vec<u32>,
    pub format: Format,
    /// The encoder's, 1 to 100.
    pub quality: u8,
}

impl Default for Thumbnails {
    fn default() -> Thumbnails {
        Thumbnails {
            sizes: limits::DEFAULT_THUMBNAIL_SIZES.to_vec(),
            format: Format::Webp,
            quality: limits::DEFAULT_THUMBNAIL_QUALITY,
        }
    }
}

impl Thumbnails {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Thumbnails { sizes, quality, .. } = self;
        ensure!(
            limits::THUMBNAIL_COUNT.contains(&sizes.len()) && sizes.is_sorted_by(|a, b| a < b),
            "thumbnails.sizes = {sizes:?}: must be one to eight long edges in pixels, ascending, each once"
        );
        for size in sizes {
            range("thumbnails.sizes", *size, limits::THUMBNAIL_SIZE)?;
        }
        range("thumbnails.quality", *quality, limits::THUMBNAIL_QUALITY)
    }
}
