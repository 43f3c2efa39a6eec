use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{decode, segments};
use crate::tests::{file, jpeg, settings};
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
    assert!(!segments(&interleaved).several_scans && make(&interleaved, &tight).is_ok());
    let scan_by_scan = encoded(2000, 1500, |encoder| encoder.set_optimized_huffman_tables(true));
    assert!(segments(&scan_by_scan).several_scans);
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

#[test]
fn bytes_that_a_camera_left_before_the_end_harm_nothing() {
    let bytes = jpeg(&waves(64, 48), 64, 48, ColorType::Rgb, &[]);
    let (picture, end) = bytes.split_at(bytes.len() - 2);
    let padded = [picture, &[0, 0x17, 0, 0x2a], end].concat();
    assert_eq!(make(&padded, &settings(&[32])), make(&bytes, &settings(&[32])));
    assert!(matches!(make(&picture[..picture.len() / 2], &settings(&[32])), Err(Unmade::Damaged(_))));
}

#[test]
fn a_profile_comes_in_parts_of_any_order() {
    let part = |number: u8, count: u8, data: &[u8]| [b"ICC_PROFILE\0", &[number, count][..], data].concat();
    let profile = |parts: &[Vec<u8>]| {
        let parts: Vec<(u8, &[u8])> = parts.iter().map(|part| (2, &part[..])).collect();
        segments(&jpeg(&[0; 3], 1, 1, ColorType::Rgb, &parts)).profile()
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
