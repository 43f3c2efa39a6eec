//! The tests make most of their pictures; the others are in `tests/images`.

use std::io::{Cursor, Write};
use std::path::Path;

use image_rs::codecs::gif::GifEncoder;
use image_rs::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use moxcms::ColorProfile;
use proptest::prelude::*;

use crate::{Made, Output, Settings, Unmade, facts, make};

/// As a zlib stream.
pub(crate) fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn settings(edges: &[u32]) -> Settings {
    Settings {
        edges: edges.to_vec(),
        format: Output::Webp,
        quality: 90,
        max_pixels: 100_000_000,
        max_memory: 100_000_000,
    }
}

pub(crate) fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/images").join(name)).unwrap()
}

pub(crate) fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn jpeg(
    data: &[u8],
    width: u16,
    height: u16,
    colour: jpeg_encoder::ColorType,
    segments: &[(u8, &[u8])],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    for (number, data) in segments {
        encoder.add_app_segment(*number, data.to_vec()).unwrap();
    }
    encoder.encode(data, width, height, colour).unwrap();
    bytes
}

/// Red, green, blue and white quarters, from the upper left by rows.
pub(crate) fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| match (x < width / 2, y < height / 2) {
        (true, true) => Rgb([255, 0, 0]),
        (false, true) => Rgb([0, 255, 0]),
        (true, false) => Rgb([0, 0, 255]),
        (false, false) => Rgb([255, 255, 255]),
    })
}

pub(crate) fn only(made: &Made) -> RgbaImage {
    let [thumbnail] = &made.thumbnails[..] else { panic!("{} thumbnails", made.thumbnails.len()) };
    let decoded = image_of(&thumbnail.bytes);
    assert_eq!((decoded.width(), decoded.height()), (thumbnail.width, thumbnail.height));
    decoded
}

fn image_of(bytes: &[u8]) -> RgbaImage {
    if bytes.starts_with(&[0xff, 0xd8]) {
        let image = turbojpeg::decompress(bytes, turbojpeg::PixelFormat::RGBA).unwrap();
        let side = |side: usize| u32::try_from(side).unwrap();
        return RgbaImage::from_raw(side(image.width), side(image.height), image.pixels).unwrap();
    }
    image_rs::load_from_memory(bytes).unwrap().into_rgba8()
}

#[track_caller]
pub(crate) fn assert_near(is: Rgba<u8>, wanted: [u8; 4]) {
    let near = is.0.iter().zip(wanted).all(|(is, wanted)| is.abs_diff(wanted) <= 12);
    assert!(near, "{is:?} is not near {wanted:?}");
}

/// `II`, one directory: each field its tag, type, count and the four bytes of its value or offset.
pub(crate) fn tiff_of(fields: &[(u16, u16, u32, [u8; 4])], after: &[u8]) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend(u16::try_from(fields.len()).unwrap().to_le_bytes());
    for (tag, kind, count, value) in fields {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value);
    }
    bytes.extend([0; 4]);
    bytes.extend(after);
    bytes
}

pub(crate) fn exif_of(tiff: &[u8]) -> Vec<u8> {
    [b"Exif\0\0", tiff].concat()
}

pub(crate) fn long(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap().to_le_bytes()
}

#[test]
fn every_format_is_read_and_sizes_are_exact() {
    for name in [
        "astronaut-orientation-6.jpg",
        "camera.bmp",
        "chelsea.tiff",
        "coffee.gif",
        "coffee.jpg",
        "hubble.webp",
        "rocket-progressive.jpg",
        "rocket.png",
    ] {
        let made = make(&file(name), &settings(&[64])).unwrap();
        let picture = only(&made);
        assert_eq!(picture.width().max(picture.height()), 64, "{name}");
        assert!((5..40).contains(&made.thumb_hash.len()), "{name}: {} bytes of hash", made.thumb_hash.len());
    }
}

#[test]
fn edges_go_up_to_the_first_that_the_original_does_not_exceed() {
    let check = |width, height, wanted: &[(u32, u32, u32)]| {
        let made =
            make(&written(quarters(width, height), ImageFormat::Png), &settings(&[1280, 160, 480])).unwrap();
        let sizes: Vec<_> = made.thumbnails.iter().map(|t| (t.edge, t.width, t.height)).collect();
        assert_eq!(sizes, wanted, "{width} x {height}");
    };
    check(100, 50, &[(160, 100, 50)]);
    check(160, 120, &[(160, 160, 120)]);
    check(161, 120, &[(160, 160, 119), (480, 161, 120)]);
    check(600, 1200, &[(160, 80, 160), (480, 240, 480), (1280, 600, 1200)]);
    check(2000, 1500, &[(160, 160, 120), (480, 480, 360), (1280, 1280, 960)]);
    check(1, 65_535, &[(160, 1, 160), (480, 1, 480), (1280, 1, 1280)]);
    check(1, 1, &[(160, 1, 1)]);
}

#[test]
fn a_jpeg_of_any_shape_has_the_same_sizes_as_another_format() {
    let grey = |width: u16, height: u16| {
        let data = vec![128; usize::from(width) * usize::from(height)];
        make(&jpeg(&data, width, height, jpeg_encoder::ColorType::Luma, &[]), &settings(&[480]))
    };
    for (width, height) in [(4001, 2999), (1, 65_500), (65_500, 1), (9, 7)] {
        let made = grey(width, height).unwrap();
        let picture = only(&made);
        assert_eq!(picture.width().max(picture.height()), u32::from(width.max(height)).min(480));
        assert_near(*picture.get_pixel(0, 0), [128, 128, 128, 255]);
    }
    // libjpeg's limit
    assert!(matches!(grey(1, 65_501), Err(Unmade::TooLarge(_))));
}

#[test]
fn all_orientations_are_turned_upright() {
    // The colour that belongs in the upper left, and in the upper right.
    let (red, green, blue, white) = ([255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [255; 4]);
    let corners = [
        (1, red, green),
        (2, green, red),
        (3, white, blue),
        (4, blue, white),
        (5, red, blue),
        (6, blue, red),
        (7, white, green),
        (8, green, white),
    ];
    for (orientation, left, right) in corners {
        let exif = exif_of(&tiff_of(&[(0x112, 3, 1, [orientation, 0, 0, 0])], &[]));
        let bytes = jpeg(&quarters(64, 32), 64, 32, jpeg_encoder::ColorType::Rgb, &[(1, &exif)]);
        assert_eq!(facts(&bytes).orientation, Some(orientation));
        let picture = only(&make(&bytes, &settings(&[64])).unwrap());
        assert_eq!(picture.dimensions(), if orientation >= 5 { (32, 64) } else { (64, 32) });
        assert_near(*picture.get_pixel(4, 4), left);
        assert_near(*picture.get_pixel(picture.width() - 5, 4), right);
    }
}

#[test]
fn an_icc_profile_changes_the_pixels() {
    let data: Vec<u8> = [200, 60, 60].repeat(64 * 64);
    let mut swapped = ColorProfile::new_srgb();
    std::mem::swap(&mut swapped.red_colorant, &mut swapped.green_colorant);
    let check = |profile: Option<&ColorProfile>, wanted| {
        let icc = profile.map(|p| [b"ICC_PROFILE\0\x01\x01", &p.encode().unwrap()[..]].concat());
        let segments: Vec<(u8, &[u8])> = icc.iter().map(|icc| (2, &icc[..])).collect();
        let bytes = jpeg(&data, 64, 64, jpeg_encoder::ColorType::Rgb, &segments);
        assert_near(*only(&make(&bytes, &settings(&[32])).unwrap()).get_pixel(9, 9), wanted);
    };
    check(None, [200, 60, 60, 255]);
    check(Some(&ColorProfile::new_srgb()), [200, 60, 60, 255]);
    check(Some(&swapped), [60, 200, 60, 255]);
    // Out of the colours of sRGB: more red, less of the others.
    check(Some(&ColorProfile::new_display_p3()), [218, 43, 52, 255]);
    // Of other channels than the picture.
    check(Some(&ColorProfile::new_gray_with_gamma(2.2)), [200, 60, 60, 255]);
}

#[test]
fn cmyk_and_16_bits_come_out_right() {
    for colour in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
        // Full magenta and yellow, no cyan, no black.
        let bytes = jpeg(&[0, 255, 255, 0].repeat(64 * 64), 64, 64, colour, &[]);
        assert_near(*only(&make(&bytes, &settings(&[32])).unwrap()).get_pixel(9, 9), [255, 0, 0, 255]);
    }
    let deep = image_rs::ImageBuffer::<Rgb<u16>, _>::from_pixel(64, 64, Rgb([0xffff, 0x8000, 0]));
    let bytes = written(deep, ImageFormat::Png);
    assert_near(*only(&make(&bytes, &settings(&[32])).unwrap()).get_pixel(9, 9), [255, 128, 0, 255]);
}

#[test]
fn transparency_is_kept_in_webp_and_white_in_jpeg() {
    let half =
        RgbaImage::from_fn(64, 64, |x, _| if x < 32 { Rgba([0, 0, 255, 0]) } else { Rgba([255, 0, 0, 255]) });
    let bytes = written(half, ImageFormat::Png);
    let webp = only(&make(&bytes, &settings(&[32])).unwrap());
    assert_eq!((webp.get_pixel(2, 2)[3], webp.get_pixel(29, 2)[3]), (0, 255));
    let made = make(&bytes, &Settings { format: Output::Jpeg, ..settings(&[32]) }).unwrap();
    let jpeg = only(&made);
    assert_near(*jpeg.get_pixel(2, 2), [255, 255, 255, 255]);
    assert_near(*jpeg.get_pixel(29, 2), [255, 0, 0, 255]);
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let mut bytes = Vec::new();
    let frame = |colour| Frame::new(RgbaImage::from_pixel(32, 32, Rgba(colour)));
    GifEncoder::new(&mut bytes).encode_frames([frame([255, 0, 0, 255]), frame([0, 0, 255, 255])]).unwrap();
    assert_near(*only(&make(&bytes, &settings(&[16])).unwrap()).get_pixel(8, 8), [255, 0, 0, 255]);

    let (red, blue) = (
        RgbaImage::from_pixel(32, 32, Rgba([255, 0, 0, 255])),
        RgbaImage::from_pixel(32, 32, Rgba([0, 0, 255, 255])),
    );
    let mut encoder = webpx::AnimationEncoder::new(32, 32).unwrap();
    encoder.add_frame_rgba(&red, 0).unwrap();
    encoder.add_frame_rgba(&blue, 100).unwrap();
    let bytes = encoder.finish(200).unwrap();
    assert_near(*only(&make(&bytes, &settings(&[16])).unwrap()).get_pixel(8, 8), [255, 0, 0, 255]);
}

#[test]
fn what_is_no_image_or_has_no_decoder_is_unsupported() {
    for bytes in [&b""[..], b"text", b"\xff\xd8", &file("chelsea.heic"), &file("astronaut.avif")] {
        assert!(matches!(make(bytes, &settings(&[32])), Err(Unmade::Unsupported(_))));
    }
}

#[test]
fn a_truncated_file_is_damaged_or_shows_what_there_is() {
    for name in [
        "camera.bmp",
        "chelsea.tiff",
        "coffee.gif",
        "coffee.jpg",
        "hubble.webp",
        "rocket-progressive.jpg",
        "rocket.png",
    ] {
        let bytes = file(name);
        for part in 0..40 {
            let cut = &bytes[..bytes.len() * part / 40];
            match make(cut, &settings(&[32])) {
                Ok(made) => assert_eq!(made.thumbnails.len(), 1),
                Err(Unmade::Damaged(why)) => assert!(!why.is_empty() && why.len() < 500, "{name}: {why}"),
                Err(other) => assert!(part == 0, "{name} at {part}/40: {other}"),
            }
        }
        assert!(matches!(make(&bytes[..40], &settings(&[32])), Err(Unmade::Damaged(_))), "{name}");
    }
}

#[test]
fn bombs_are_too_large() {
    // 30,000 x 30,000 of a PNG's header, and a pixel count within limits whose bytes are not.
    let mut png = written(RgbImage::new(1, 1), ImageFormat::Png);
    let crc = |png: &mut Vec<u8>, width: u32, height: u32| {
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&sum.to_be_bytes());
    };
    for side in [9000, 30_000] {
        crc(&mut png, side, side);
        assert!(matches!(make(&png, &settings(&[32])), Err(Unmade::TooLarge(_))), "{side}");
    }

    let mut gif = written(RgbaImage::new(1, 1), ImageFormat::Gif);
    gif[6..10].fill(0xff);
    assert!(matches!(make(&gif, &settings(&[32])), Err(Unmade::TooLarge(_))));

    // A TIFF of 9000 x 9000 in one strip of four bytes.
    let side = long(9000);
    let fields = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (258, 3, 1, long(8)),
        (259, 3, 1, long(1)),
        (262, 3, 1, long(1)),
        (273, 4, 1, long(8)),
        (278, 4, 1, side),
        (279, 4, 1, long(4)),
    ];
    assert!(matches!(make(&tiff_of(&fields, &[]), &settings(&[32])), Err(Unmade::TooLarge(_))));

    // A progressive JPEG needs all its coefficients: two bytes a sample.
    let progressive = file("rocket-progressive.jpg");
    let tight = Settings { max_memory: 400_000, ..settings(&[32]) };
    assert!(matches!(make(&progressive, &tight), Err(Unmade::TooLarge(_))));
    assert!(make(&file("coffee.jpg"), &tight).is_ok());
}

/// As PNG has it (RFC 2083, 15).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 },
        )
    })
}

proptest! {
    #[test]
    fn a_damaged_file_never_panics(
        name in prop::sample::select(vec!["camera.bmp", "chelsea.tiff", "coffee.gif", "coffee.jpg", "hubble.webp", "rocket-progressive.jpg", "rocket.png"]),
        // Half of the damage is among the headers.
        damage in prop::collection::vec((prop_oneof![0_usize..700, 0_usize..100_000], any::<u8>()), 1..6),
    ) {
        let mut bytes = file(name);
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(made) = make(&bytes, &Settings { max_memory: 20_000_000, ..settings(&[32]) }) {
            prop_assert!(made.thumbnails[0].width.max(made.thumbnails[0].height) <= 32);
        }
    }
}
