//! The tests write the files, each of 64 x 32 pixels of two colours, left and right.

mod file;

use image_rs::Rgba;
use proptest::prelude::*;
use turbojpeg::{Colorspace, Compressor, PixelFormat, Subsamp};

use self::file::{File, grey, rgb};
use crate::tests::{assert_near, only, settings};
use crate::{Unmade, make};

const RED: [u8; 4] = [220, 30, 30, 255];
const BLUE: [u8; 4] = [30, 30, 220, 255];

fn halves(bytes: &[u8]) -> [Rgba<u8>; 2] {
    let picture = only(&make(bytes, &settings(&[64])).unwrap());
    assert_eq!(picture.dimensions(), (64, 32));
    [*picture.get_pixel(8, 16), *picture.get_pixel(56, 16)]
}

#[track_caller]
fn check(file: &File, left: [u8; 4], right: [u8; 4]) {
    for (is, wanted) in halves(&file.written()).into_iter().zip([left, right]) {
        assert_near(is, wanted);
    }
}

#[track_caller]
fn check_grey(file: &File, left: u8, right: u8) {
    check(file, [left, left, left, 255], [right, right, right, 255]);
}

#[test]
fn samples_of_any_size_and_sign_are_read() {
    for bits in [1, 2, 4, 6, 8, 10, 12, 14, 16, 32] {
        let greatest = u64::MAX >> (64 - bits);
        for big_endian in [false, true] {
            let file = File { big_endian, ..grey(bits, [0, greatest]) };
            check_grey(&file, 0, 255);
            check_grey(&file.with(262, &[0]), 255, 0);
        }
    }
    for big_endian in [false, true] {
        let with_order = |file| File { big_endian, ..file };
        check_grey(&with_order(grey(4, [5, 10])), 85, 170);
        check_grey(&with_order(grey(12, [1024, 3071])), 64, 191);
        check_grey(&with_order(grey(16, [16_384, 49_151])), 64, 191);
        // Of heights, the least and the greatest.
        check_grey(&with_order(grey(8, [0xff, 1])).with(339, &[2]), 0, 255);
        check_grey(&with_order(grey(16, [0xff00, 3000])).with(339, &[2]), 0, 255);
        let floats = |numbers: [f32; 2]| {
            with_order(grey(32, numbers.map(|number| number.to_bits().into()))).with(339, &[3])
        };
        check_grey(&floats([0.25, 0.75]), 64, 191);
        check_grey(&floats([-20.0, 900.0]), 0, 255);
        check_grey(&floats([f32::NAN, f32::INFINITY]), 0, 255);
        // Half of one, and one.
        check_grey(&with_order(grey(16, [0x3800, 0x3c00])).with(339, &[3]), 128, 255);
        check_grey(&with_order(grey(24, [0x3e_0000, 0x3f_0000])).with(339, &[3]), 128, 255);
        let doubles = with_order(grey(64, [0.25_f64.to_bits(), 0.75_f64.to_bits()])).with(339, &[3]);
        check_grey(&doubles, 64, 191);
    }
}

#[test]
fn strips_tiles_and_planes_are_put_together() {
    for planar in [false, true] {
        for bits in [8, 16] {
            let file = File { bits, planar, ..rgb(RED, BLUE) };
            check(&file, RED, BLUE);
            check(&File { rows: 5, ..file.clone() }, RED, BLUE);
            for tile in [(16, 16), (48, 16), (64, 32), (80, 48)] {
                check(&File { tile: Some(tile), ..file.clone() }, RED, BLUE);
                let big = File { big_tiff: true, big_endian: true, tile: Some(tile), ..file.clone() };
                check(&big, RED, BLUE);
            }
        }
    }
    // A tile that a writer of maps left out is black.
    let mut sparse = File { tile: Some((32, 32)), ..rgb(RED, BLUE) };
    sparse.left_out = Some(1);
    check(&sparse, RED, [0, 0, 0, 255]);
}

#[test]
fn every_compression_is_undone() {
    for compression in [1, 5, 8, 32_946, 32_773] {
        for big_endian in [false, true] {
            let file = File { compression, rows: 7, big_endian, ..rgb(RED, BLUE) };
            check(&file, RED, BLUE);
            check(&File { reversed: true, ..file.clone() }, RED, BLUE);
            if !matches!(compression, 1 | 32_773) {
                check(&File { predictor: 2, ..file.clone() }, RED, BLUE);
                check(&File { predictor: 2, bits: 16, ..file.clone() }, RED, BLUE);
                check(&File { predictor: 2, planar: true, bits: 16, ..file }, RED, BLUE);
                let floats = grey(32, [0.25_f32, 0.75].map(|number| number.to_bits().into()));
                check_grey(
                    &File { compression, big_endian, predictor: 3, ..floats }.with(339, &[3]),
                    64,
                    191,
                );
            }
        }
    }
    // From the right, as before TIFF 6.0.
    let old = File { compression: 5, old_lzw: true, ..rgb(RED, BLUE) };
    check(&old, RED, BLUE);
}

#[test]
fn colours_of_any_kind_become_rgb() {
    let mut map = vec![0; 3 * 16];
    for (place, level) in [(3, 220), (16 + 3, 30), (32 + 3, 30), (9, 30), (16 + 9, 30), (32 + 9, 220)] {
        map[place] = level * 257;
    }
    check(&grey(4, [3, 9]).with(262, &[3]).with(320, &map), RED, BLUE);
    let small: Vec<u32> = map.iter().map(|level| level >> 8).collect();
    check(&grey(4, [3, 9]).with(262, &[3]).with(320, &small), RED, BLUE);

    let four = |left: [u8; 4], right: [u8; 4]| File { samples: 4, ..rgb(left, right) };
    check(&four([0, 255, 255, 0], [255, 255, 0, 51]).with(262, &[5]), [255, 0, 0, 255], [0, 0, 204, 255]);
    // Alpha: straight, premultiplied, and a fourth sample that is none.
    let half = [220, 30, 30, 128];
    check(&four(half, BLUE).with(338, &[2]), half, BLUE);
    check(&four([110, 15, 15, 128], BLUE).with(338, &[1]), half, BLUE);
    check(&four(half, BLUE).with(338, &[0]), RED, BLUE);
    let grey_alpha = File { samples: 2, ..rgb([200, 128, 0, 0], [40, 255, 0, 0]) };
    check(&grey_alpha.with(262, &[1]).with(338, &[2]), [200, 200, 200, 128], [40, 40, 40, 255]);

    // As JFIF has it, and in the range of video.
    let ycc = rgb([90, 94, 221, 0], [55, 221, 110, 0]).with(262, &[6]).with(530, &[1, 1]);
    check(&ycc, RED, BLUE);
    let shared = File { subsampled: true, ..rgb([90, 94, 221, 0], [55, 221, 110, 0]) };
    check(&shared.with(262, &[6]).with(530, &[2, 2]), RED, BLUE);
    // L 50, a 60 and b 40, and grey.
    let lab = rgb([128, 60, 40, 0], [128, 0, 0, 0]).with(262, &[8]);
    check(&lab, [211, 56, 56, 255], [119, 119, 119, 255]);
}

#[test]
fn facsimile_is_read_in_all_its_forms() {
    // Rows of 32 white and 32 black pixels.
    let white_32 = "00011011";
    let black_32 = "000001101010";
    let row = [white_32, black_32].concat();
    let end = "000000000001";
    // White to black and black to the end: the change is where it was, and so is the end.
    let same = "11";
    let rows = |row: &str, rows: usize| std::iter::repeat_n(row, rows).collect::<Vec<_>>().concat();
    let forms = [
        // Each row from a whole byte.
        (2, 0, rows(&format!("{row}0000"), 32)),
        (3, 0, rows(&format!("{end}{row}"), 32)),
        // Without any end codes, and with fill bits before them.
        (3, 0, rows(&row, 32)),
        (3, 4, rows(&format!("0000{end}{row}0000"), 32)),
        (3, 1, rows(&format!("{end}1{row}{end}0{same}"), 16)),
        (4, 0, format!("001{row}{}{end}{end}", rows(same, 31))),
    ];
    for (compression, options, bits) in forms {
        let file = File { compression, stored: Some(file::bytes(&bits)), ..grey(1, [0, 1]) };
        check_grey(&file.with(262, &[0]).with(292, &[options]), 255, 0);
        check_grey(&File { reversed: true, ..file }.with(262, &[1]).with(292, &[options]), 0, 255);
    }
    // A bad code costs its row.
    let bad = format!("{}{end}{row}", rows(&format!("{end}{row}"), 20) + end + white_32 + "00000000111");
    let file = File {
        compression: 3,
        stored: Some(file::bytes(&(bad + &rows(&format!("{end}{row}"), 10)))),
        ..grey(1, [0, 1])
    };
    check_grey(&file.with(262, &[0]), 255, 0);
}

#[test]
fn jpeg_strips_have_their_tables_apart_or_with_them() {
    let jpeg = |colours: Colorspace, format: PixelFormat, left: &[u8], right: &[u8]| {
        let row = [left.repeat(32), right.repeat(32)].concat();
        let mut compressor = Compressor::new().unwrap();
        compressor.set_colorspace(colours).unwrap();
        compressor.set_subsamp(if left.len() == 1 { Subsamp::Gray } else { Subsamp::None }).unwrap();
        compressor.set_quality(95).unwrap();
        let pixels = row.repeat(16);
        let image = turbojpeg::Image { pixels: &pixels[..], width: 64, height: 16, pitch: row.len(), format };
        compressor.compress_to_vec(image).unwrap()
    };
    let as_ycc = jpeg(Colorspace::YCbCr, PixelFormat::RGB, &RED[..3], &BLUE[..3]);
    let as_rgb = jpeg(Colorspace::RGB, PixelFormat::RGB, &RED[..3], &BLUE[..3]);
    let as_grey = jpeg(Colorspace::Gray, PixelFormat::GRAY, &[200], &[40]);
    let as_cmyk = jpeg(Colorspace::CMYK, PixelFormat::CMYK, &[0, 255, 255, 0], &[255, 255, 0, 51]);
    let file =
        |strip: &[u8]| File { compression: 7, rows: 16, stored: Some(strip.to_vec()), ..rgb(RED, BLUE) };
    for apart in [false, true] {
        let with = |strip: &[u8]| {
            if apart { file(&file::abbreviated(strip)).bytes(347, &file::tables(strip)) } else { file(strip) }
        };
        check(&with(&as_ycc).with(262, &[6]), RED, BLUE);
        check(&with(&as_rgb), RED, BLUE);
        check_grey(&File { samples: 1, ..with(&as_grey) }.with(262, &[1]), 200, 40);
        let cmyk = File { samples: 4, ..with(&as_cmyk) }.with(262, &[5]);
        check(&cmyk, [255, 0, 0, 255], [0, 0, 204, 255]);
        // The oldest form, where all of it is one file.
        if !apart {
            let old = File { compression: 6, rows: 32, ..file(&as_ycc) }.with(262, &[6]).written();
            assert_near(*only(&make(&old, &settings(&[64])).unwrap()).get_pixel(8, 8), RED);
        }
    }
}

#[test]
fn a_profile_is_kept_however_large_and_for_every_kind_of_colour() {
    let mut swapped = moxcms::ColorProfile::new_srgb();
    std::mem::swap(&mut swapped.red_colorant, &mut swapped.green_colorant);
    let mut profile = swapped.encode().unwrap();
    profile.resize(300_000, 0);
    check(&rgb(RED, BLUE).bytes(34_675, &profile), [30, 220, 30, 255], BLUE);
    let gamma = moxcms::ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    check_grey(&grey(8, [55, 255]).bytes(34_675, &gamma), 128, 255);
    let alpha = File { samples: 2, ..rgb([55, 128, 0, 0], [255, 255, 0, 0]) }.with(262, &[1]).with(338, &[2]);
    check(&alpha.bytes(34_675, &gamma), [128, 128, 128, 128], [255; 4]);
}

#[test]
fn the_page_is_the_first_that_is_no_smaller_version() {
    let page = rgb(RED, BLUE);
    let reduced = rgb(BLUE, RED).with(254, &[1]);
    assert_near(halves(&reduced.then(&page))[0], RED);
    assert_near(halves(&rgb(BLUE, RED).then(&page))[0], BLUE);
    assert_near(halves(&reduced.written())[0], BLUE);
}

#[test]
fn what_is_not_read_is_said_by_name() {
    for (file, name) in [
        (File { compression: 34_925, ..rgb(RED, BLUE) }, "LZMA"),
        (File { compression: 50_000, ..rgb(RED, BLUE) }, "Zstandard"),
        (File { compression: 34_712, ..rgb(RED, BLUE) }, "JPEG 2000"),
        (rgb(RED, BLUE).with(262, &[32_803]), "raw"),
        (rgb(RED, BLUE).with(258, &[5, 6, 5]), "several sizes"),
    ] {
        let error = make(&file.written(), &settings(&[64])).unwrap_err();
        assert!(matches!(error, Unmade::Unsupported(_)) && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn pieces_that_share_their_bytes_take_no_longer_than_a_picture() {
    let many = vec![7; 3_000_000];
    for compression in [1, 5, 7, 8, 32_773, 2, 3, 4] {
        let stored = if compression == 32_773 { vec![128; 3_000_000] } else { many.clone() };
        let bytes =
            File { compression, stored: Some(stored), rows: 1, width: 1, height: 100_000, ..grey(1, [0, 1]) }
                .written();
        let start = std::time::Instant::now();
        let made = make(&bytes, &settings(&[64]));
        assert!(start.elapsed().as_secs() < 10, "{compression}: {:?} {made:?}", start.elapsed());
    }
    // Floats are read twice, and of 8 bytes there are more than of pixels in a picture.
    let floats = File { width: 9000, height: 9000, rows: 1, stored: Some(vec![0]), ..grey(64, [0, 0]) };
    let error = make(&floats.with(339, &[3]).written(), &settings(&[64])).unwrap_err();
    assert!(error.to_string().contains("648 MB of samples"), "{error}");
    // A tile is larger than what may be decoded, and so are all tiles of a thin picture.
    for (width, height, tile) in [(1, 1, (60_000, 60_000)), (1, 100_000, (16_000, 16))] {
        let file = File { width, height, ..grey(8, [0, 0]) }.with(322, &[tile.0]).with(323, &[tile.1]);
        let made = make(&file.with(324, &[8]).with(325, &[8]).written(), &settings(&[64]));
        assert!(matches!(made, Err(Unmade::TooLarge(_))), "{made:?}");
    }
}

proptest! {
    #[test]
    fn a_damaged_tiff_never_panics(
        compression in prop::sample::select(vec![1_u32, 2, 3, 4, 5, 6, 7, 8, 32_773, 50_001]),
        bits in prop::sample::select(vec![1_u8, 2, 4, 8, 12, 16, 24, 32, 64]),
        samples in 1_u16..6,
        tags in prop::collection::vec((prop::sample::select(vec![
            254_u16, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 317, 320, 322, 323, 324, 325,
            332, 338, 339, 347, 529, 530, 532,
        ]), prop_oneof![0_u32..9, any::<u32>()]), 0..4),
        planar in any::<bool>(),
        damage in prop::collection::vec((0_usize..3000, any::<u8>()), 0..6),
        tile in prop::sample::select(vec![None, Some((16, 16)), Some((80, 48))]),
    ) {
        let mut file = File { compression: 1, bits, samples, planar, tile, ..rgb(RED, BLUE) };
        file = tags.iter().fold(file.with(259, &[compression]), |file, (tag, value)| file.with(*tag, &[*value; 3]));
        let mut bytes = file.written();
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        make(&bytes, &crate::Settings { max_memory: 20_000_000, ..settings(&[32]) }).ok();
    }
}
