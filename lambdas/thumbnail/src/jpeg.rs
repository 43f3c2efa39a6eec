//! JPEG (ITU-T T.81), scaled by the decoder while it decodes: 1/2, 1/4 or 1/8.

use jpeg_decoder::{Decoder, Error, PixelFormat};

use crate::decode::{Decoded, check_memory, check_pixels};
use crate::scale::{Picture, Samples};
use crate::{Settings, Unmade};

/// What the decoder does not tell before it decodes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Frame {
    progressive: bool,
    /// Samples of all components, in whole blocks.
    samples: u64,
    /// Adobe's programs store ink inverted, and mark it.
    adobe: bool,
}

pub(crate) fn decode(bytes: &[u8], edge: u32, settings: &Settings) -> Result<Decoded, Unmade> {
    let mut decoder = Decoder::new(bytes);
    decoder.read_info().map_err(|error| unmade(&error))?;
    let Some(info) = decoder.info() else { return Err(Unmade::Damaged("no frame".to_owned())) };
    check_pixels(info.width.into(), info.height.into(), settings)?;
    let full_edge = u32::from(info.width.max(info.height));
    let requested = u16::try_from(edge.min(full_edge)).unwrap_or(u16::MAX);
    let (width, height) = decoder.scale(requested, requested).map_err(|error| unmade(&error))?;

    let frame = frame(bytes);
    // Planes of the scaled samples, the pixels of them, and of a progressive file all coefficients.
    let scaled = u64::from(width) * u64::from(height);
    let ratio = (u64::from(info.width) * u64::from(info.height)).div_ceil(scaled.max(1)).max(1);
    let coefficients = if frame.progressive { 2 * frame.samples } else { 0 };
    check_memory(
        coefficients + frame.samples / ratio + scaled * info.pixel_format.pixel_bytes() as u64,
        settings,
    )?;
    // The decoder counts pixels only, which are checked.
    decoder.set_max_decoding_buffer_size(usize::MAX);
    let data = decoder.decode().map_err(|error| unmade(&error))?;
    let profile = decoder.icc_profile();

    let (samples, data) = match info.pixel_format {
        PixelFormat::L8 => (Samples::Grey, data),
        // The upper byte, in the machine's order.
        PixelFormat::L16 => {
            let high = |pair: &[u8]| if cfg!(target_endian = "little") { pair[1] } else { pair[0] };
            (Samples::Grey, data.chunks_exact(2).map(high).collect())
        }
        PixelFormat::RGB24 => (Samples::Rgb, data),
        PixelFormat::CMYK32 if frame.adobe => (Samples::Cmyk, data),
        // The decoder takes all of them for inverted.
        PixelFormat::CMYK32 => (Samples::Cmyk, data.iter().map(|ink| 255 - ink).collect()),
    };
    Ok(Decoded { picture: Picture::new(width.into(), height.into(), samples, data)?, full_edge, profile })
}

/// Walks the segments up to the first scan (T.81, B.2.2); what is cut off says nothing.
fn frame(bytes: &[u8]) -> Frame {
    let mut frame = Frame::default();
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xff, marker, after @ ..] = rest {
        match (*marker, after) {
            // Fill bytes.
            (0xff, _) => rest = &rest[1..],
            (0xda | 0xd9, _) => break,
            (_, [high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let body = after.get(2..length).unwrap_or_default();
                match *marker {
                    0xc0..=0xc3 => {
                        frame.progressive = *marker == 0xc2;
                        frame.samples = samples(body);
                    }
                    0xee => frame.adobe = body.starts_with(b"Adobe"),
                    _ => (),
                }
                rest = after.get(length.max(2)..).unwrap_or_default();
            }
            _ => break,
        }
    }
    frame
}

/// Of a frame header: precision, height, width, count of components, and three bytes of each.
fn samples(body: &[u8]) -> u64 {
    let [_, h1, h2, w1, w2, _, components @ ..] = body else { return 0 };
    let blocks = |high: &u8, low: &u8| u64::from(u16::from_be_bytes([*high, *low])).div_ceil(8);
    let factors = || {
        components
            .chunks_exact(3)
            .map(|component| (u64::from(component[1] >> 4), u64::from(component[1] & 15)))
    };
    let across = factors().map(|(h, _)| h).max().unwrap_or(1).max(1);
    let down = factors().map(|(_, v)| v).max().unwrap_or(1).max(1);
    let units = blocks(w1, w2).div_ceil(across) * blocks(h1, h2).div_ceil(down);
    units * 64 * factors().map(|(h, v)| h * v).sum::<u64>()
}

fn unmade(error: &Error) -> Unmade {
    let text: String = error.to_string().chars().take(200).collect();
    match error {
        Error::Unsupported(_) => Unmade::Unsupported("this kind of JPEG"),
        _ => Unmade::Damaged(text),
    }
}
