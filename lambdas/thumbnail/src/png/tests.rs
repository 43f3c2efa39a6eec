use image_rs::{ImageFormat, Rgb, RgbImage};
use moxcms::ColorProfile;

use crate::tests::{assert_near, crc32, only, settings, written};
use crate::{Unmade, make};

fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    let length = u32::try_from(data.len()).unwrap();
    [&length.to_be_bytes()[..], &body, &crc32(&body).to_be_bytes()].concat()
}

/// A PNG of one colour with these chunks behind its header.
fn png(colour: [u8; 3], chunks: &[Vec<u8>]) -> Vec<u8> {
    let bytes = written(RgbImage::from_pixel(32, 32, Rgb(colour)), ImageFormat::Png);
    let (header, rest) = bytes.split_at(33);
    [header, &chunks.concat(), rest].concat()
}

#[track_caller]
fn check(colour: [u8; 3], chunks: &[Vec<u8>], [r, g, b]: [u8; 3]) {
    let made = make(&png(colour, chunks), &settings(&[32])).unwrap();
    assert_near(*only(&made).get_pixel(16, 16), [r, g, b, 255]);
}

fn profile(profile: &ColorProfile) -> Vec<u8> {
    chunk(b"iCCP", &[b"a name\0\0", &crate::tests::deflated(&profile.encode().unwrap())[..]].concat())
}

fn gamma(value: u32) -> Vec<u8> {
    chunk(b"gAMA", &value.to_be_bytes())
}

fn primaries(values: [u32; 8]) -> Vec<u8> {
    chunk(b"cHRM", &values.map(u32::to_be_bytes).concat())
}

const P3: [u32; 8] = [31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000];
const SRGB: [u32; 8] = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];

#[test]
fn gamma_and_primaries_are_taken_to_srgb() {
    let red = [220, 30, 30];
    check(red, &[gamma(100_000)], [239, 96, 96]);
    check(red, &[gamma(45_455)], red);
    check(red, &[gamma(45_455), primaries(SRGB)], red);
    check(red, &[primaries(SRGB)], red);
    check(red, &[gamma(45_455), primaries(P3)], [240, 0, 0]);
    check(red, &[gamma(100_000), primaries(P3)], [255, 85, 90]);
    // What cannot be meant is passed over.
    check(red, &[gamma(0)], red);
    check(red, &[gamma(u32::MAX)], red);
    check(red, &[primaries([0; 8])], red);
    check(red, &[primaries([30_000; 8])], red);
}

#[test]
fn grey_has_a_gamma_too() {
    let grey = written(image_rs::GrayImage::from_pixel(32, 32, image_rs::Luma([30])), ImageFormat::Png);
    let with = [&grey[..33], &gamma(100_000), &grey[33..]].concat();
    assert_near(*only(&make(&with, &settings(&[32])).unwrap()).get_pixel(16, 16), [96, 96, 96, 255]);
    let alpha = image_rs::GrayAlphaImage::from_pixel(32, 32, image_rs::LumaA([30, 128]));
    let grey = written(alpha, ImageFormat::Png);
    let with = [&grey[..33], &gamma(100_000), &grey[33..]].concat();
    assert_near(*only(&make(&with, &settings(&[32])).unwrap()).get_pixel(16, 16), [96, 96, 96, 128]);
}

#[test]
fn of_several_colour_chunks_the_first_of_the_standards_order_counts() {
    let red = [220, 30, 30];
    let code_points = |points: [u8; 4]| chunk(b"cICP", &points);
    let (p3, srgb) = (code_points([12, 13, 0, 1]), code_points([1, 13, 0, 1]));
    let intent = chunk(b"sRGB", &[0]);
    let p3_profile = profile(&ColorProfile::new_display_p3());
    check(red, std::slice::from_ref(&p3), [240, 0, 0]);
    check(red, &[srgb, p3_profile.clone()], red);
    check(red, &[p3, intent.clone(), gamma(100_000)], [240, 0, 0]);
    check(red, &[p3_profile.clone(), gamma(100_000)], [240, 0, 0]);
    check(red, &[p3_profile.clone(), intent.clone()], [240, 0, 0]);
    check(red, &[intent, gamma(100_000)], red);
    // Points that nobody knows leave it to the next.
    check(red, &[code_points([200, 13, 0, 1]), p3_profile], [240, 0, 0]);
}

#[test]
fn a_profile_that_inflates_without_end_is_no_profile() {
    let bomb = chunk(b"iCCP", &[b"a name\0\0", &crate::tests::deflated(&vec![0; 40 << 20])[..]].concat());
    check([220, 30, 30], &[bomb], [220, 30, 30]);
    assert!(matches!(make(&png([0; 3], &[])[..60], &settings(&[32])), Err(Unmade::Damaged(_))));
}
