//! `[defaults.thumbnails]`: what the function `process` makes of each image.

use anyhow::ensure;
use serde::Deserialize;

use super::range;

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnails {
    /// Long edges in pixels, ascending, each once.
    pub sizes: Vec<u32>,
    pub format: Format,
    /// The encoder's, 1 to 100.
    pub quality: u8,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Layer {
    sizes: Option<Vec<u32>>,
    format: Option<Format>,
    quality: Option<u8>,
}

impl Layer {
    /// What this layer says, then what `base` does, then the defaults.
    pub(super) fn or(self, base: Layer) -> Thumbnails {
        Thumbnails {
            sizes: self.sizes.or(base.sizes).unwrap_or_else(|| vec![160, 480, 1280]),
            format: self.format.or(base.format).unwrap_or(Format::Webp),
            quality: self.quality.or(base.quality).unwrap_or(78),
        }
    }
}

impl Thumbnails {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Thumbnails { sizes, quality, .. } = self;
        ensure!(
            (1..=8).contains(&sizes.len()) && sizes.is_sorted_by(|a, b| a < b),
            "thumbnails.sizes = {sizes:?}: must be one to eight long edges in pixels, ascending, each once"
        );
        for size in sizes {
            range("thumbnails.sizes", *size, 16, 4096)?;
        }
        range("thumbnails.quality", *quality, 1, 100)
    }
}
