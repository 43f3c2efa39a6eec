use image::ImageFormat;
use jpeg_encoder::ColorType;
use proptest::prelude::*;

use crate::tests::{assert_near, crc32, exif_of, jpeg, long, only, quarters, settings, tiff_of, written};
use crate::{Facts, Output, Settings, facts, make};

#[test]
fn facts_are_read_and_stay_out_of_the_thumbnails() {
    // Two directories: the second is EXIF's own, and a third has a latitude of GPS.
    let names = b"NIKON CORPORATION\0NIKON\x01 D90 \0";
    let dates = b"2024:05:01 12:34:56\0+02:00\0";
    let start = 8 + 2 + 3 * 12 + 4;
    let directory = start + names.len();
    let mut after = names.to_vec();
    let dates_at = directory + 2 + 2 * 12 + 4;
    after.extend(
        &tiff_of(&[(0x9003, 2, 20, long(dates_at)), (0x9011, 2, 7, long(dates_at + 20))], dates)[8..],
    );
    let tiff = tiff_of(
        &[(0x10f, 2, 18, long(start)), (0x110, 2, 13, long(start + 18)), (0x8769, 4, 1, long(directory))],
        &after,
    );
    let bytes = jpeg(&quarters(64, 32), 64, 32, ColorType::Rgb, &[(1, &exif_of(&tiff))]);
    let wanted = Facts {
        captured_at: Some("2024-05-01T12:34:56+02:00".to_owned()),
        camera: Some("NIKON D90".to_owned()),
        orientation: None,
    };
    assert_eq!(facts(&bytes), wanted);
    assert_eq!(facts(&tiff), wanted);
    for format in [Output::Webp, Output::Jpeg] {
        let made = make(&bytes, &Settings { format, ..settings(&[32]) }).unwrap();
        let thumbnail = &made.thumbnails[0].bytes;
        assert!(!thumbnail.windows(5).any(|window| window == b"NIKON"));
        assert!(!thumbnail.windows(4).any(|window| window.eq_ignore_ascii_case(b"exif")));
    }
}

/// A chunk of a PNG (PNG 3, 5.3).
fn png_chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let typed = [kind, data].concat();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length[..], &typed, &crc32(&typed).to_be_bytes()].concat()
}

/// A chunk of a RIFF file, padded to an even length.
fn riff_chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    [kind, &long(data.len()), data, &[0][..data.len() % 2]].concat()
}

#[test]
fn a_png_and_a_webp_are_turned_upright_too() {
    let tiff = tiff_of(&[(0x112, 3, 1, [6, 0, 0, 0])], &[]);
    let mut png = written(quarters(64, 32), ImageFormat::Png);
    // After the header, which is 25 bytes behind the signature's 8.
    png.splice(33..33, png_chunk(b"eXIf", &tiff));

    let plain = written(quarters(64, 32), ImageFormat::WebP);
    // EXIF is flagged, and the sides are less by one.
    let extended = riff_chunk(b"VP8X", &[8, 0, 0, 0, 63, 0, 0, 31, 0, 0]);
    let body = [b"WEBP", &extended[..], &plain[12..], &riff_chunk(b"EXIF", &tiff)].concat();
    let webp = riff_chunk(b"RIFF", &body);

    for bytes in [png, webp] {
        assert_eq!(facts(&bytes).orientation, Some(6));
        let picture = only(&make(&bytes, &settings(&[64])).unwrap());
        assert_eq!(picture.dimensions(), (32, 64));
        // What was at the lower left, blue, is at the upper left.
        assert_near(*picture.get_pixel(4, 4), [0, 0, 255, 255]);
    }
}

proptest! {
    #[test]
    fn corrupt_exif_is_no_exif(noise in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..60) {
        let mut tiff = tiff_of(&[(0x112, 3, 1, [1, 0, 0, 0]), (0x10f, 2, 9, [0; 4])], &[0; 30]);
        tiff.truncate(at);
        tiff.extend(noise);
        let bytes = jpeg(&quarters(16, 16), 16, 16, ColorType::Rgb, &[(1, &exif_of(&tiff))]);
        let found = facts(&bytes);
        prop_assert!(found.orientation.is_none_or(|orientation| (1..=8).contains(&orientation)));
        prop_assert!(found.camera.is_none_or(|camera| camera.chars().count() <= 64 && !camera.contains(char::is_control)));
        prop_assert_eq!(make(&bytes, &settings(&[8])).unwrap().thumbnails.len(), 1);
    }
}
