use crate::tests::{assert_near, only, settings};
use crate::{Unmade, make};

/// 16 x 16 pixels, of which the rows are told; the header goes on behind its first 16 bytes.
fn bmp(header: u32, bits: u16, more: &[u8], palette: &[u8], row: &[u8]) -> Vec<u8> {
    let mut head =
        [&header.to_le_bytes()[..], &16_u32.to_le_bytes(), &16_u32.to_le_bytes(), &[1, 0]].concat();
    head.extend(bits.to_le_bytes());
    head.extend(more);
    head.resize(header as usize, 0);
    head.extend(palette);
    let place = u32::try_from(14 + head.len()).unwrap();
    [b"BM\0\0\0\0\0\0\0\0", &place.to_le_bytes()[..], &head, &row.repeat(16)].concat()
}

#[test]
fn the_headers_of_os2_are_read() {
    let palette = [[30, 30, 220, 0], [220, 30, 30, 0]].concat();
    for header in [16, 40, 64] {
        let colours = if header == 16 { vec![] } else { [vec![0; 16], vec![2, 0, 0, 0]].concat() };
        let row = [vec![0; 8], vec![1; 8]].concat();
        let palette = if header == 16 { [&palette[..], &[0; 4 * 254]].concat() } else { palette.clone() };
        let made = make(&bmp(header, 8, &colours, &palette, &row), &settings(&[16])).unwrap();
        assert_near(*only(&made).get_pixel(3, 8), [220, 30, 30, 255]);
        assert_near(*only(&made).get_pixel(12, 8), [30, 30, 220, 255]);
    }
    let rle = bmp(64, 24, &[4], &[], &[0; 48]);
    assert!(matches!(make(&rle, &settings(&[16])), Err(Unmade::Unsupported(_))));
    for length in 14..80 {
        make(&rle[..length], &settings(&[16])).ok();
    }
}

#[test]
fn a_bitmap_whose_alpha_is_never_set_is_opaque() {
    // BITMAPV4HEADER, with masks of A1R5G5B5.
    let masks = [0x7c00_u32, 0x3e0, 0x1f, 0x8000].map(u32::to_le_bytes).concat();
    let more = [&3_u32.to_le_bytes()[..], &[0; 20], &masks].concat();
    let red = 0x7c00_u16;
    let unset = make(&bmp(108, 16, &more, &[], &red.to_le_bytes().repeat(16)), &settings(&[16])).unwrap();
    assert_near(*only(&unset).get_pixel(8, 8), [255, 0, 0, 255]);
    let row: Vec<u8> = [red; 8].iter().chain(&[red | 0x8000; 8]).flat_map(|p| p.to_le_bytes()).collect();
    let half = make(&bmp(108, 16, &more, &[], &row), &settings(&[16])).unwrap();
    assert_eq!(only(&half).get_pixel(2, 8)[3], 0);
    assert_near(*only(&half).get_pixel(13, 8), [255, 0, 0, 255]);
}
