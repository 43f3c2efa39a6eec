use crate::tests::{assert_near, only, settings};
use crate::{Unmade, make};

/// One colour of two, in a frame of its own place and size, behind these blocks.
fn gif(screen: (u16, u16), frame: (u16, u16, u16, u16), blocks: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let palette = [220, 30, 30, 30, 30, 220];
    let mut encoder = gif::Encoder::new(&mut bytes, screen.0, screen.1, &palette).unwrap();
    let (left, top, width, height) = frame;
    let buffer = vec![0; usize::from(width) * usize::from(height)].into();
    encoder.write_frame(&gif::Frame { left, top, width, height, buffer, ..gif::Frame::default() }).unwrap();
    drop(encoder);
    // Behind the header, the screen and two colours.
    [&bytes[..19], blocks, &bytes[19..]].concat()
}

#[test]
fn without_a_screen_the_frame_is_the_picture() {
    for screen in [(0, 0), (0, 20), (20, 0)] {
        let picture = only(&make(&gif(screen, (5, 5, 40, 20), &[]), &settings(&[64])).unwrap());
        assert_eq!(picture.dimensions(), (40, 20));
        assert_near(*picture.get_pixel(20, 10), [220, 30, 30, 255]);
    }
    let nothing = gif((0, 0), (0, 0, 0, 0), &[]);
    assert!(matches!(make(&nothing, &settings(&[64])), Err(Unmade::Damaged(_))));
}

#[test]
fn a_frame_is_put_in_its_place_on_the_screen() {
    let picture = only(&make(&gif((40, 40), (20, 0, 40, 20), &[]), &settings(&[64])).unwrap());
    assert_eq!(picture.dimensions(), (40, 40));
    assert_near(*picture.get_pixel(32, 8), [220, 30, 30, 255]);
    assert_eq!((picture.get_pixel(8, 8)[3], picture.get_pixel(32, 32)[3]), (0, 0));
    // Beside and below the screen is nothing.
    let beside = only(&make(&gif((40, 40), (60, 60, 40, 20), &[]), &settings(&[64])).unwrap());
    assert_eq!(beside.get_pixel(20, 20)[3], 0);
}

#[test]
fn an_extension_that_nobody_knows_is_passed_over() {
    let unknown = b"\x21\x42\x03abc\x02de\0";
    let picture = only(&make(&gif((40, 20), (0, 0, 40, 20), unknown), &settings(&[64])).unwrap());
    assert_near(*picture.get_pixel(20, 10), [220, 30, 30, 255]);
}
