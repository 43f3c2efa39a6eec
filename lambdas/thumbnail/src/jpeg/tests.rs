use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::decode;
use super::header::Header;
use crate::tests::{assert_near, exif_of, file, jpeg, only, quarters, settings, tiff_of};
use crate::{Settings, Unmade, make, scale};

/// Waves of 64 pixels: red to the right, blue downwards.
fn waves(width: u16, height: u16) -> Vec<u8> {
    let wave = |at: u16| u8::try_from((i32::from(at % 64) * 8 - 252).abs()).unwrap();
    (0..height).flat_map(|y| (0..width).flat_map(move |x| [wave(x), 128, wave(y)])).collect()
}

fn encoded(width: u16, height: u16, set: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    set(&mut encoder);
    encoder.encode(&waves(width, height), width, height, ColorType::Rgb).unwrap();
    bytes
}

#[test]
fn colour_at_any_resolution_lands_where_it_belongs() {
    // Odd thumbnails, and even ones.
    let sides = [
        (801, 599, 331),
        (1500, 1001, 331),
        (640, 480, 331),
        (333, 41, 331),
        (1280, 960, 320),
        (90, 702, 312),
    ];
    for (width, height, edge) in sides {
        let picture = |factor| {
            let bytes = encoded(width, height, |encoder| encoder.set_sampling_factor(factor));
            let picture =
                scale::to_edge(decode(&bytes, edge, &settings(&[])).unwrap().picture, edge).unwrap();
            // Smaller again: one sample of colour for four pixels is no fault.
            scale::to_edge(picture, 150).unwrap()
        };
        let whole = picture(SamplingFactor::R_4_4_4);
        let halved = picture(SamplingFactor::R_4_2_0);
        assert_eq!((halved.width, halved.height), (whole.width, whole.height));
        let (across, down) = (whole.width as usize, whole.height as usize);
        let mean = |first: usize, step: usize, count: usize| {
            let samples = (0..count).flat_map(|n| (0..3).map(move |sample| 3 * (first + n * step) + sample));
            let sum: u32 = samples.map(|at| u32::from(halved.data[at].abs_diff(whole.data[at]))).sum();
            f64::from(sum) / f64::from(u32::try_from(3 * count).unwrap())
        };
        // Half a pixel aside would be five or more.
        for (part, is) in [
            ("all", mean(0, 1, across * down)),
            ("last row", mean(across * (down - 1), 1, across)),
            ("last column", mean(across - 1, across, down)),
        ] {
            assert!(is < 4.0, "{width} x {height}, {part}: {is:.1} off");
        }
    }
}

#[test]
fn coefficients_of_several_scans_count_as_memory() {
    let tight = Settings { max_memory: 6_000_000, ..settings(&[320]) };
    let interleaved = encoded(2000, 1500, |_| ());
    assert!(!Header::read(&interleaved).several_scans && make(&interleaved, &tight).is_ok());
    let scan_by_scan = encoded(2000, 1500, |encoder| encoder.set_optimized_huffman_tables(true));
    assert!(Header::read(&scan_by_scan).several_scans);
    assert!(matches!(make(&scan_by_scan, &tight), Err(Unmade::TooLarge(_))));
    assert!(make(&scan_by_scan, &settings(&[320])).is_ok());
    // A marker without a segment hides nothing.
    let restarted = [&scan_by_scan[..2], &[0xff, 0xd0, 0xff, 0x01], &scan_by_scan[2..]].concat();
    assert!(make(&restarted, &settings(&[320])).is_ok());
    assert!(matches!(make(&restarted, &tight), Err(Unmade::TooLarge(_))));
}

#[test]
fn a_file_of_endless_scans_is_refused() {
    let bytes = file("rocket-progressive.jpg");
    let starts: Vec<usize> =
        bytes.windows(2).enumerate().filter(|(_, two)| *two == [0xff, 0xda]).map(|(at, _)| at).collect();
    let (first, second) = (starts[0], starts[1]);
    let bomb = [&bytes[..first], &bytes[first..second].repeat(200), &bytes[second..]].concat();
    let Err(Unmade::Damaged(why)) = make(&bomb, &settings(&[32])) else { panic!("taken") };
    assert!(why.contains("scans"), "{why}");
}

/// A picture that stands on its side, and where each of its markers is, from SOI to EOI.
fn on_its_side() -> (Vec<u8>, Vec<usize>) {
    let exif = exif_of(&tiff_of(&[(0x112, 3, 1, [6, 0, 0, 0])], &[]));
    let bytes = jpeg(&quarters(64, 32), 64, 32, ColorType::Rgb, &[(1, &exif)]);
    let mut markers = vec![0];
    let mut at = 2;
    while bytes[at + 1] != 0xda {
        markers.push(at);
        at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
    }
    markers.extend([at, bytes.len() - 2]);
    (bytes, markers)
}

#[track_caller]
fn assert_as_good_as(bytes: &[u8], sound: &[u8]) {
    assert_eq!(make(bytes, &settings(&[32])).unwrap(), make(sound, &settings(&[32])).unwrap());
}

#[test]
fn bytes_before_a_marker_harm_nothing() {
    let (sound, markers) = on_its_side();
    assert_eq!(only(&make(&sound, &settings(&[32])).unwrap()).dimensions(), (16, 32));
    for at in &markers[1..] {
        let insert = |between: &[u8]| [&sound[..*at], between, &sound[*at..]].concat();
        assert_as_good_as(&insert(&[0xff]), &sound);
        assert_as_good_as(&insert(&[0xff; 5]), &sound);
        // A file is known by the first three bytes.
        if *at > 2 {
            assert_as_good_as(&insert(&[0, 0x17, 0, 0x2a]), &sound);
            assert_as_good_as(&insert(&[0xff, 0]), &sound);
        }
    }
}

#[test]
fn what_the_decoder_only_warns_of_harms_nothing() {
    let (sound, markers) = on_its_side();
    let (scan, end) = (markers[markers.len() - 2], markers[markers.len() - 1]);
    let with = |at: usize, segment: &[u8]| [&sound[..at], segment, &sound[at..]].concat();
    // Version 2.01 of JFIF, which there is not.
    let mut jfif = sound.clone();
    assert_eq!(&jfif[6..13], b"JFIF\0\x01\x02");
    jfif[11] = 2;
    assert_as_good_as(&jfif, &sound);
    // A band of one coefficient, as some Samsung phones tell of a sequential file.
    let mut samsung = sound.clone();
    assert_eq!(samsung[scan + 11..scan + 14], [0, 63, 0]);
    samsung[scan + 12] = 0;
    assert_as_good_as(&samsung, &sound);
    // Colours of a kind that Adobe does not have, and no word of JFIF's.
    let adobe = with(20, b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\x05");
    assert_as_good_as(&[&adobe[..2], &adobe[20..]].concat(), &sound);
    // The second part of a profile of three, and a profile of nothing.
    assert_as_good_as(&with(20, b"\xff\xe2\0\x12ICC_PROFILE\0\x02\x03ab"), &sound);
    assert_as_good_as(&with(20, b"\xff\xe2\0\x10ICC_PROFILE\0\x01\x01"), &sound);
    // No end, and one that is no marker.
    assert_as_good_as(&sound[..end], &sound);
    assert_as_good_as(&[&sound[..end], &[0xff, 2, 0, 2]].concat(), &sound);
}

#[test]
fn of_a_file_that_is_cut_short_there_is_what_there_is() {
    let bytes = jpeg(&quarters(320, 320), 320, 320, ColorType::Rgb, &[]);
    let picture = only(&make(&bytes[..bytes.len() * 2 / 3], &settings(&[80])).unwrap());
    assert_near(*picture.get_pixel(5, 5), [255, 0, 0, 255]);
    assert_near(*picture.get_pixel(75, 75), [128, 128, 128, 255]);
    let header = Header::read(&bytes).scan;
    for length in [header, header + 14] {
        let Err(Unmade::Damaged(why)) = make(&bytes[..length], &settings(&[80])) else { panic!("{length}") };
        assert!(!why.is_empty());
    }
    // The scans that there are, of all of the picture.
    let bytes = file("rocket-progressive.jpg");
    let whole = only(&make(&bytes, &settings(&[80])).unwrap());
    let half = only(&make(&bytes[..bytes.len() / 2], &settings(&[80])).unwrap());
    let pairs = whole.as_raw().iter().zip(half.as_raw());
    let difference: u32 = pairs.map(|(whole, half)| u32::from(whole.abs_diff(*half))).sum();
    assert!(difference < 10 * u32::try_from(whole.as_raw().len()).unwrap(), "{difference}");
}

#[test]
fn ink_is_inverted_whoever_wrote_it() {
    // Full magenta and yellow, no cyan, no black.
    let bytes = jpeg(&[0, 255, 255, 0].repeat(64 * 64), 64, 64, ColorType::Cmyk, &[]);
    let adobe = bytes.windows(5).position(|five| five == b"Adobe").unwrap() - 4;
    let length = 2 + usize::from(u16::from_be_bytes([bytes[adobe + 2], bytes[adobe + 3]]));
    let without = [&bytes[..adobe], &bytes[adobe + length..]].concat();
    for bytes in [bytes, without] {
        assert_near(*only(&make(&bytes, &settings(&[32])).unwrap()).get_pixel(9, 9), [255, 0, 0, 255]);
    }
}

#[test]
fn frames_that_no_browser_shows_are_unsupported() {
    let (bytes, markers) = on_its_side();
    let frame = *markers.iter().find(|at| bytes[**at + 1] == 0xc0).unwrap();
    for (kind, wanted) in [
        (0xc3, "lossless JPEG"),
        (0xc5, "hierarchical JPEG"),
        (0xc6, "hierarchical JPEG"),
        (0xc7, "hierarchical JPEG"),
        (0xc9, "JPEG with arithmetic codes"),
        (0xca, "JPEG with arithmetic codes"),
        (0xcb, "JPEG with arithmetic codes"),
        (0xcd, "JPEG with arithmetic codes"),
        (0xcf, "JPEG with arithmetic codes"),
    ] {
        let mut bytes = bytes.clone();
        bytes[frame + 1] = kind;
        assert_eq!(make(&bytes, &settings(&[32])), Err(Unmade::Unsupported(wanted)), "{kind:x}");
    }
}

#[test]
fn a_profile_comes_in_parts_of_any_order() {
    let part = |number: u8, count: u8, data: &[u8]| [b"ICC_PROFILE\0", &[number, count][..], data].concat();
    let profile = |parts: &[Vec<u8>]| {
        let parts: Vec<(u8, &[u8])> = parts.iter().map(|part| (2, &part[..])).collect();
        Header::read(&jpeg(&[0; 3], 1, 1, ColorType::Rgb, &parts)).profile()
    };
    assert_eq!(profile(&[]), None);
    assert_eq!(profile(&[part(1, 1, b"all")]), Some(b"all".to_vec()));
    assert_eq!(profile(&[part(2, 3, b"b"), part(3, 3, b"c"), part(1, 3, b"a")]), Some(b"abc".to_vec()));
    assert_eq!(profile(&[part(1, 3, b"a"), part(3, 3, b"c")]), None);
    assert_eq!(profile(&[part(1, 2, b"a"), part(1, 2, b"a")]), None);
    // As many as can be numbered, and one more.
    let most: Vec<_> = (1..=255).map(|number| part(number, 255, b"x")).collect();
    assert_eq!(profile(&most), Some(vec![b'x'; 255]));
    assert_eq!(profile(&[&most[..], &most[..1]].concat()), None);
}
