//! What this function alone is told by its environment.

use anyhow::{Context, bail};
use contract::{limits, variable};
use process::sandbox::Bounds;
use thumbnail::Output;

/// What the process needs beside images, in bytes.
const BASE: u64 = 48 << 20;
/// Seconds of CPU that a picture may take. One of 100 megapixels takes two or three.
const CPU: u64 = 10;
const MIB: u64 = 1 << 20;

pub(crate) struct Settings {
    pub(crate) thumbnails: thumbnail::Settings,
    pub(crate) bounds: Bounds,
    /// Largest object that is held in memory, in bytes.
    pub(crate) max_held: u64,
}

impl Settings {
    pub(crate) fn read(max_pixels: u64) -> anyhow::Result<Settings> {
        Settings::parse(max_pixels, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn parse(max_pixels: u64, lookup: impl Fn(&str) -> Option<String>) -> anyhow::Result<Settings> {
        let or = |name: &str, default: &str| lookup(name).unwrap_or_else(|| default.to_owned());
        let default = limits::DEFAULT_THUMBNAIL_SIZES.map(|size| size.to_string()).join(",");
        let sizes = or(variable::THUMBNAIL_SIZES, &default);
        let edges: Option<Vec<u32>> = sizes.split(',').map(|edge| edge.parse().ok()).collect();
        let edges = edges.filter(|edges| edges.iter().all(|edge| limits::THUMBNAIL_SIZE.contains(edge)));
        let edges = edges.filter(|edges| edges.is_sorted_by(|a, b| a < b));
        let format = or(variable::THUMBNAIL_FORMAT, limits::DEFAULT_THUMBNAIL_FORMAT);
        let quality = or(variable::THUMBNAIL_QUALITY, &limits::DEFAULT_THUMBNAIL_QUALITY.to_string());
        let memory = or("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "");
        let memory: u64 = memory.parse().context("AWS_LAMBDA_FUNCTION_MEMORY_SIZE is no number")?;
        let free = (memory * MIB).saturating_sub(BASE);
        Ok(Settings {
            thumbnails: thumbnail::Settings {
                edges: edges.with_context(|| {
                    format!("{} are no ascending sizes: {sizes}", variable::THUMBNAIL_SIZES)
                })?,
                format: Output::named(&format).with_context(|| {
                    format!("{} is not webp or jpeg: {format}", variable::THUMBNAIL_FORMAT)
                })?,
                quality: match quality.parse() {
                    Ok(quality) if limits::THUMBNAIL_QUALITY.contains(&quality) => quality,
                    _ => bail!("{} is no number from 1 to 100: {quality}", variable::THUMBNAIL_QUALITY),
                },
                max_pixels,
                // The rest is for the file, which whoever decodes may have a second time.
                max_memory: free / 3,
            },
            // While the child decodes, this process does not hold the picture any more.
            bounds: Bounds { address_space: free, cpu: CPU },
            max_held: free / 3,
        })
    }
}
