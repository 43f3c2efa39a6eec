//! Pixels in memory: scaled, turned upright, and hashed to a placeholder.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3, U8x4};
use fast_image_resize::{FilterType, MulDiv, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::Unmade;

/// `ThumbHash` takes up to 100 pixels, and keeps seven waves a side: a few pixels a wave are enough.
pub(crate) const PLACEHOLDER_EDGE: u32 = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    Grey,
    Rgb,
    /// Not premultiplied.
    Rgba,
    /// Ink: 255 is all of it.
    Cmyk,
}

impl Samples {
    pub(crate) const fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// Rows from the top, 8 bits a sample, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) samples: Samples,
    pub(crate) data: Vec<u8>,
}

impl Picture {
    /// Of `data` that has just the bytes of such a picture; otherwise the decoder or file is wrong.
    pub(crate) fn new(width: u32, height: u32, samples: Samples, data: Vec<u8>) -> Result<Self, Unmade> {
        let expected = u64::from(width) * u64::from(height) * samples.count() as u64;
        if expected == 0 || data.len() as u64 != expected {
            return Err(Unmade::Damaged(format!("{} bytes of pixels for {width} x {height}", data.len())));
        }
        Ok(Self { width, height, samples, data })
    }
}

/// Scales down to `edge` pixels on the long edge; a smaller picture stays as it is.
pub(crate) fn to_edge(picture: Picture, edge: u32) -> Result<Picture, Unmade> {
    let from = (picture.width, picture.height);
    let to = within(from, edge);
    if to == from {
        return Ok(picture);
    }
    let Picture { samples, mut data, .. } = picture;
    if samples == Samples::Rgba {
        // In place: a copy would be as large as the original.
        let mut image =
            TypedImage::<U8x4>::from_buffer(from.0, from.1, &mut data).map_err(|error| wrong(&error))?;
        MulDiv::new().multiply_alpha_inplace_typed(&mut image).map_err(|error| wrong(&error))?;
    }
    let data = resample(&data, samples, from, (from.0.into(), from.1.into()), to)?;
    Picture::new(to.0, to.1, samples, data)
}

fn wrong(error: &dyn std::fmt::Display) -> Unmade {
    Unmade::Damaged(format!("scaling: {error}"))
}

/// Width and height with at most `edge` pixels on the long edge.
pub(crate) fn within((width, height): (u32, u32), edge: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= edge {
        return (width, height);
    }
    let scaled = |side: u32| {
        let exact = (2 * u64::from(side) * u64::from(edge) + u64::from(long)) / (2 * u64::from(long));
        u32::try_from(exact).unwrap_or(edge).clamp(1, edge)
    };
    (scaled(width), scaled(height))
}

/// The upper left `part` of a picture, in pixels, at another size. Lanczos, as sharp and Pillow scale
/// down by default or habit; alpha is to be premultiplied, so that what is transparent does not colour
/// what is not, and is not any more in what is returned.
pub(crate) fn resample(
    data: &[u8],
    samples: Samples,
    from: (u32, u32),
    part: (f64, f64),
    to: (u32, u32),
) -> Result<Vec<u8>, Unmade> {
    // For a type that is known only when it runs, the library is compiled for thirteen: a minute, and megabytes.
    match samples {
        Samples::Grey => resample_typed::<U8>(data, from, part, to),
        Samples::Rgb => resample_typed::<U8x3>(data, from, part, to),
        Samples::Cmyk => resample_typed::<U8x4>(data, from, part, to),
        Samples::Rgba => {
            let mut scaled = resample_typed::<U8x4>(data, from, part, to)?;
            let mut image =
                TypedImage::<U8x4>::from_buffer(to.0, to.1, &mut scaled).map_err(|error| wrong(&error))?;
            MulDiv::new().divide_alpha_inplace_typed(&mut image).map_err(|error| wrong(&error))?;
            Ok(scaled)
        }
    }
}

fn resample_typed<P: PixelTrait>(
    data: &[u8],
    (width, height): (u32, u32),
    part: (f64, f64),
    (to_width, to_height): (u32, u32),
) -> Result<Vec<u8>, Unmade> {
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(0.0, 0.0, part.0, part.1)
        .use_alpha(false);
    let from = TypedImageRef::<P>::from_buffer(width, height, data).map_err(|error| wrong(&error))?;
    let mut scaled = vec![0; to_width as usize * to_height as usize * P::size()];
    let mut to =
        TypedImage::<P>::from_buffer(to_width, to_height, &mut scaled).map_err(|error| wrong(&error))?;
    Resizer::new().resize_typed(&from, &mut to, &options).map_err(|error| wrong(&error))?;
    Ok(scaled)
}

/// Undoes an EXIF orientation (TIFF tag 274), 1 to 8; any other leaves the picture as it is.
pub(crate) fn upright(picture: Picture, orientation: u8) -> Picture {
    if !(2..=8).contains(&orientation) {
        return picture;
    }
    let (width, height) = (picture.width as usize, picture.height as usize);
    let (across, down) = if orientation >= 5 { (height, width) } else { (width, height) };
    let (right, bottom) = (width - 1, height - 1);
    let count = picture.samples.count();
    let mut data = Vec::with_capacity(picture.data.len());
    for y in 0..down {
        for x in 0..across {
            let (from_x, from_y) = match orientation {
                2 => (right - x, y),
                3 => (right - x, bottom - y),
                4 => (x, bottom - y),
                5 => (y, x),
                6 => (y, bottom - x),
                7 => (right - y, bottom - x),
                _ => (right - y, x),
            };
            let at = (from_y * width + from_x) * count;
            data.extend_from_slice(&picture.data[at..at + count]);
        }
    }
    let (width, height) =
        if orientation >= 5 { (picture.height, picture.width) } else { (picture.width, picture.height) };
    Picture { width, height, data, ..picture }
}

/// The `ThumbHash` of a picture in RGB or RGBA.
pub(crate) fn placeholder(picture: Picture) -> Result<Vec<u8>, Unmade> {
    let small = to_edge(picture, PLACEHOLDER_EDGE)?;
    let rgba: Vec<u8> = match small.samples {
        Samples::Rgb => small.data.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], u8::MAX]).collect(),
        _ => small.data,
    };
    Ok(thumbhash::rgba_to_thumb_hash(small.width as usize, small.height as usize, &rgba))
}
