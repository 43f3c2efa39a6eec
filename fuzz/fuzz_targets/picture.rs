//! The header reader: any bytes are a picture within the limits, or refused.

#![no_main]

use image::format::Format;
use image::picture::far::far;
use image::picture::inspect;
use libfuzzer_sys::fuzz_target;

const MAX_PIXELS: u64 = 100_000_000;

fuzz_target!(|bytes: &[u8]| {
    if let Some(far) = far(bytes) {
        assert!(far.at >= far.before.len() as u64);
    }
    let Ok(picture) = inspect(bytes, None, MAX_PIXELS) else { return };
    assert_eq!(Format::of(bytes), Some(picture.format));
    assert!(picture.width > 0 && picture.height > 0);
    assert!(u64::from(picture.width) * u64::from(picture.height) <= MAX_PIXELS);
    for declared in Format::ALL {
        let found = inspect(bytes, Some(declared), MAX_PIXELS);
        assert_eq!(found.ok(), (declared == picture.format).then_some(picture));
    }
});
