//! What the 8 bits of a page's samples mean: to grey, RGB, RGBA or CMYK.

use super::directory::Directory;
use super::page::Page;
use super::tags::{Alpha, Meaning};
use crate::scale::Samples;

/// Steps of linear light that are told apart before they become sRGB.
const LIGHTS: usize = 4096;

pub(super) struct Colours {
    meaning: Meaning,
    alpha: Alpha,
    palette: Vec<[u8; 3]>,
    ycbcr: YCbCr,
    lights: Vec<u8>,
}

impl Colours {
    pub(super) fn new(page: &Page<'_>) -> Self {
        // The decoder of JPEG and WebP has done that.
        let done = page.meaning == Meaning::YCbCr && page.is_coded() && !page.planar;
        Self {
            meaning: if done { Meaning::Rgb } else { page.meaning },
            alpha: page.alpha,
            palette: palette(&page.directory, page.bits),
            ycbcr: YCbCr::new(&page.directory),
            lights: if page.meaning == Meaning::Lab { lights() } else { Vec::new() },
        }
    }

    pub(super) fn samples(&self) -> Samples {
        match self.meaning {
            Meaning::Cmyk => Samples::Cmyk,
            _ if self.alpha != Alpha::None => Samples::Rgba,
            Meaning::WhiteIsZero | Meaning::BlackIsZero => Samples::Grey,
            _ => Samples::Rgb,
        }
    }

    /// A row of what is kept of each pixel to as many pixels of [`Colours::samples`].
    pub(super) fn convert(&self, row: &[u8], kept: usize, out: &mut [u8]) {
        let to = out.chunks_exact_mut(self.samples().count());
        for (from, to) in row.chunks_exact(kept).zip(to) {
            match (self.meaning, from, &mut *to) {
                (Meaning::Cmyk, from, to) => to.copy_from_slice(from),
                (Meaning::BlackIsZero, [grey], [to]) => *to = *grey,
                (Meaning::WhiteIsZero, [grey], [to]) => *to = u8::MAX - *grey,
                (meaning, [colours @ .., alpha], [rgb @ .., to_alpha]) if self.alpha != Alpha::None => {
                    let straight = self.rgb(meaning, colours).map(|colour| self.straight(colour, *alpha));
                    rgb.copy_from_slice(&straight);
                    *to_alpha = *alpha;
                }
                (meaning, from, to) => to.copy_from_slice(&self.rgb(meaning, from)),
            }
        }
    }

    fn straight(&self, colour: u8, alpha: u8) -> u8 {
        match (self.alpha, alpha) {
            (Alpha::Premultiplied, 1..) => {
                let (colour, alpha) = (u32::from(colour), u32::from(alpha));
                u8::try_from((colour * 255 + alpha / 2) / alpha).unwrap_or(u8::MAX)
            }
            _ => colour,
        }
    }

    fn rgb(&self, meaning: Meaning, colours: &[u8]) -> [u8; 3] {
        match (meaning, colours) {
            (Meaning::Palette, [index]) => self.palette.get(usize::from(*index)).copied().unwrap_or_default(),
            (Meaning::WhiteIsZero, [grey]) => [u8::MAX - *grey; 3],
            (_, [grey]) => [*grey; 3],
            (Meaning::YCbCr, [y, cb, cr]) => self.ycbcr.rgb([*y, *cb, *cr].map(f32::from)),
            (Meaning::Lab, [l, a, b]) => {
                lab([f32::from(*l), a.cast_signed().into(), b.cast_signed().into()], &self.lights)
            }
            (_, [r, g, b]) => [*r, *g, *b],
            _ => [0; 3],
        }
    }
}

/// 16 bits a colour; some writers left 8 in them.
fn palette(directory: &Directory<'_>, bits: u8) -> Vec<[u8; 3]> {
    let count = 1 << bits.min(8);
    let all: Vec<u64> = directory.uints(320).take(3 * count).collect();
    let shift = if all.iter().all(|colour| *colour < 256) { 0 } else { 8 };
    let colour = |at: usize| u8::try_from(all.get(at).copied().unwrap_or(0) >> shift).unwrap_or(u8::MAX);
    (0..count).map(|at| [colour(at), colour(count + at), colour(2 * count + at)]).collect()
}

/// TIFF 6.0, sections 20 and 21.
struct YCbCr {
    /// What red, green and blue have of the light.
    light: [f32; 3],
    /// Codes of black and white, or of no colour and all of it.
    reference: [f32; 6],
}

impl YCbCr {
    #[expect(clippy::cast_possible_truncation, reason = "a few digits are enough")]
    fn new(directory: &Directory<'_>) -> Self {
        let mut light = [0.299, 0.587, 0.114];
        let mut reference = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
        let told: Vec<f32> = directory.numbers(529).take(3).map(|number| number as f32).collect();
        if told.len() == 3 && told.iter().all(|part| *part > 0.0 && *part < 1.0) {
            light.copy_from_slice(&told);
        }
        let told: Vec<f32> = directory.numbers(532).take(6).map(|number| number as f32).collect();
        if told.len() == 6 && told.chunks(2).all(|pair| pair[1] - pair[0] >= 1.0) {
            reference.copy_from_slice(&told);
        }
        Self { light, reference }
    }

    fn rgb(&self, [y, cb, cr]: [f32; 3]) -> [u8; 3] {
        let [red_light, green_light, blue_light] = self.light;
        let [black, white, no_blue, all_blue, no_red, all_red] = self.reference;
        let y = (y - black) * 255.0 / (white - black);
        let cb = (cb - no_blue) * 127.0 / (all_blue - no_blue);
        let cr = (cr - no_red) * 127.0 / (all_red - no_red);
        let red = y + cr * (2.0 - 2.0 * red_light);
        let blue = y + cb * (2.0 - 2.0 * blue_light);
        [red, (y - blue_light * blue - red_light * red) / green_light, blue].map(byte)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and clamped")]
fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// IEC 61966-2-1
#[expect(clippy::cast_precision_loss, reason = "below 4096")]
fn lights() -> Vec<u8> {
    let curve = |light: f32| {
        if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
    };
    (0..LIGHTS).map(|light| byte(255.0 * curve(light as f32 / (LIGHTS - 1) as f32))).collect()
}

/// CIE L*a*b* under D50 to sRGB, whose white is D65 (Bradford's adaptation, as ICC profiles of sRGB have it).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
#[expect(clippy::cast_precision_loss, reason = "below 4096")]
fn lab([lightness, red_green, yellow_blue]: [f32; 3], lights: &[u8]) -> [u8; 3] {
    let middle = (lightness * 100.0 / 255.0 + 16.0) / 116.0;
    let part = |f: f32| if f > 6.0 / 29.0 { f * f * f } else { (f - 4.0 / 29.0) * 108.0 / 841.0 };
    let x = 0.9642 * part(middle + red_green / 500.0);
    let y = part(middle);
    let z = 0.8249 * part(middle - yellow_blue / 200.0);
    let linear = [
        3.133_856 * x - 1.616_867 * y - 0.490_615 * z,
        -0.978_768 * x + 1.916_142 * y + 0.033_454 * z,
        0.071_945 * x - 0.228_991 * y + 1.405_243 * z,
    ];
    linear.map(|light| {
        let step = (light * (LIGHTS - 1) as f32).round().clamp(0.0, (LIGHTS - 1) as f32) as usize;
        lights.get(step).copied().unwrap_or(0)
    })
}
