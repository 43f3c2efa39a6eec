use image_rs::ImageFormat;
use jpeg_encoder::ColorType;
use proptest::prelude::*;

use crate::tests::{
    assert_near, crc32, exif_of, file, jpeg, long, only, quarters, settings, tiff_of, written,
};
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

fn png_with(chunk: &[u8], at_the_end: bool) -> Vec<u8> {
    let mut png = written(quarters(64, 32), ImageFormat::Png);
    // After the header, which is 25 bytes behind the signature's 8, or before the end's 12 bytes.
    let at = if at_the_end { png.len() - 12 } else { 33 };
    png.splice(at..at, chunk.iter().copied());
    png
}

fn webp_with(exif: &[u8]) -> Vec<u8> {
    let plain = written(quarters(64, 32), ImageFormat::WebP);
    // EXIF is flagged, and the sides are less by one.
    let extended = riff_chunk(b"VP8X", &[8, 0, 0, 0, 63, 0, 0, 31, 0, 0]);
    let body = [b"WEBP", &extended[..], &plain[12..], &riff_chunk(b"EXIF", exif)].concat();
    riff_chunk(b"RIFF", &body)
}

/// An orientation alone.
fn turned(orientation: u8) -> Vec<u8> {
    tiff_of(&[(0x112, 3, 1, [orientation, 0, 0, 0])], &[])
}

#[track_caller]
fn check_upright(bytes: &[u8]) {
    assert_eq!(facts(bytes).orientation, Some(6));
    let picture = only(&make(bytes, &settings(&[64])).unwrap());
    assert_eq!(picture.dimensions(), (32, 64));
    // What was at the lower left, blue, is at the upper left.
    assert_near(*picture.get_pixel(4, 4), [0, 0, 255, 255]);
}

#[test]
fn a_png_and_a_webp_are_turned_upright_too_with_a_jpegs_prefix_or_without() {
    for exif in [turned(6), exif_of(&turned(6)), exif_of(&exif_of(&turned(6)))] {
        check_upright(&png_with(&png_chunk(b"eXIf", &exif), false));
        check_upright(&webp_with(&exif));
    }
}

/// EXIF as text, in ImageMagick's form.
fn raw_profile(exif: &[u8]) -> Vec<u8> {
    let digits: Vec<String> = exif.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<String> = digits.chunks(36).map(<[String]>::concat).collect();
    format!("\nexif\n{:>8}\n{}\n", exif.len(), lines.join("\n")).into_bytes()
}

#[test]
fn the_text_that_imagemagick_writes_into_a_png_is_exif() {
    let text = raw_profile(&exif_of(&turned(6)));
    let packed = crate::tests::deflated(&text);
    for name in [&b"Raw profile type exif\0"[..], b"Raw profile type APP1\0"] {
        for (kind, data) in [
            (b"tEXt", [name, &text].concat()),
            (b"zTXt", [name, b"\0", &packed].concat()),
            (b"iTXt", [name, b"\0\0en\0\0", &text].concat()),
            (b"iTXt", [name, b"\x01\0\0exif\0", &packed].concat()),
        ] {
            check_upright(&png_with(&png_chunk(kind, &data), true));
        }
    }
    // The chunk of its own goes first, and what is none is passed over.
    let name = b"Raw profile type exif\0";
    let old = png_chunk(b"tEXt", &[&name[..], &raw_profile(&exif_of(&turned(3)))].concat());
    check_upright(&png_with(&[&old[..], &png_chunk(b"eXIf", &turned(6))].concat(), false));
    let broken = [&name[..], b"\nexif\n 9\nno digits"].concat();
    let chunks = [b"tEXt", b"zTXt", b"iTXt"].map(|kind| png_chunk(kind, &broken)).concat();
    let sound = png_chunk(b"tEXt", &[&name[..], &text].concat());
    check_upright(&png_with(&[&chunks[..], &sound].concat(), false));
}

#[test]
fn what_is_broken_beside_a_tag_does_not_matter_to_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/exif/inputs");
    let sound =
        Facts { captured_at: None, camera: Some("Samsung SM-G991B".to_owned()), orientation: Some(6) };
    let dated = Facts { captured_at: Some("2012-09-30T12:34:56".to_owned()), ..sound.clone() };
    let turned = Facts { orientation: Some(6), ..Facts::default() };
    for (name, wanted, shown) in [
        ("exif_ok_o6.jpg", &sound, Some((160, 240))),
        ("exif_bad_subifd_pointer_o6.jpg", &sound, Some((160, 240))),
        ("exif_bad_value_offset_o6.jpg", &sound, Some((160, 240))),
        ("exif_gps_next_ffffffff_o6.jpg", &sound, Some((160, 240))),
        ("exif_ifd1_out_of_range_o6.jpg", &sound, Some((160, 240))),
        ("exif_makernote_cut_o6.jpg", &dated, Some((160, 240))),
        ("exif_subifd_next_nonzero_o6.jpg", &dated, Some((160, 240))),
        ("vips_o6.webp", &turned, Some((161, 241))),
        // It is turned by its container, and told so by its width and height.
        ("vips_o6.avif", &Facts::default(), None),
    ] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(&facts(&bytes), wanted, "{name}");
        if let Some(shown) = shown {
            assert_eq!(only(&make(&bytes, &settings(&[1280])).unwrap()).dimensions(), shown, "{name}");
        }
    }
}

#[test]
fn an_orientation_may_be_any_whole_number() {
    // BYTE, SHORT, LONG, SBYTE, SSHORT, SLONG, and types that are no whole numbers.
    for (kind, found) in
        [(1, true), (3, true), (4, true), (6, true), (8, true), (9, true), (2, false), (11, false)]
    {
        assert_eq!(
            facts(&tiff_of(&[(0x112, kind, 1, long(6))], &[])).orientation,
            found.then_some(6),
            "{kind}"
        );
        let head =
            [&b"MM\0*\0\0\0\x08\0\x01\x01\x12\0"[..], &kind.to_be_bytes()[1..], &[0, 0, 0, 1]].concat();
        let value = match kind {
            1 | 2 | 6 => [6, 0, 0, 0],
            3 | 8 => [0, 6, 0, 0],
            _ => [0, 0, 0, 6],
        };
        assert_eq!(facts(&[&head[..], &value].concat()).orientation, found.then_some(6), "{kind}");
    }
    for (kind, value) in
        [(3, long(0)), (3, long(9)), (4, long(0x106)), (8, [0xff; 4]), (9, [0xff; 4]), (6, [0xff; 4])]
    {
        assert_eq!(facts(&tiff_of(&[(0x112, kind, 1, value)], &[])).orientation, None, "{kind} {value:?}");
    }
    // The first of which there is something.
    let twice =
        [(0x112, 99, 1, long(3)), (0x112, 3, 0, long(3)), (0x112, 3, 9, long(5000)), (0x112, 3, 1, long(6))];
    assert_eq!(facts(&tiff_of(&twice, &[])).orientation, Some(6));
}

/// EXIF with texts in its own directory.
fn exif_with(texts: &[(u16, &str)]) -> Vec<u8> {
    let own = 8 + 2 + 12 + 4;
    let mut at = own + 2 + texts.len() * 12 + 4;
    let mut fields = Vec::new();
    for (tag, text) in texts {
        fields.push((*tag, 2, u32::try_from(text.len()).unwrap(), long(at)));
        at += text.len();
    }
    let all = texts.iter().map(|(_, text)| *text).collect::<String>();
    tiff_of(&[(0x8769, 4, 1, long(own))], &tiff_of(&fields, all.as_bytes())[8..])
}

#[test]
fn a_date_falls_back_to_that_of_digitizing_and_an_offset_to_any() {
    let (taken, digitized) = ((0x9003, "2024:05:01 12:34:56\0"), (0x9004, "2024:05:01 12:34:57\0"));
    let blank = (0x9003, "    :  :     :  :  \0");
    let (any, of_taken, of_digitized) = ((0x9010, "+01:00\0"), (0x9011, "+02:00\0"), (0x9012, "+03:00\0"));
    for (texts, wanted) in [
        (&[taken, digitized][..], Some("2024-05-01T12:34:56")),
        (&[digitized], Some("2024-05-01T12:34:57")),
        (&[blank, digitized], Some("2024-05-01T12:34:57")),
        (&[(0x9003, "0000:00:00 00:00:00\0"), digitized], Some("2024-05-01T12:34:57")),
        (&[taken, any, of_taken, of_digitized], Some("2024-05-01T12:34:56+02:00")),
        (&[taken, any, of_digitized], Some("2024-05-01T12:34:56+01:00")),
        (&[taken, of_digitized], Some("2024-05-01T12:34:56+03:00")),
        (&[taken, (0x9011, "   :  \0"), any], Some("2024-05-01T12:34:56+01:00")),
        (&[digitized, any, of_taken, of_digitized], Some("2024-05-01T12:34:57+03:00")),
        (&[digitized, any, of_taken], Some("2024-05-01T12:34:57+01:00")),
        (&[blank, any], None),
        // When the file was changed.
        (&[(0x0132, "2024:05:01 12:34:58\0")], None),
    ] {
        assert_eq!(facts(&exif_with(texts)).captured_at.as_deref(), wanted, "{texts:?}");
    }
}

#[test]
fn bigtiff_has_the_same_facts() {
    let entry = |tag: u16, kind: u16, count: u64, value: &[u8]| {
        let mut value = value.to_vec();
        value.resize(8, 0);
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value].concat()
    };
    let directory = |entries: &[Vec<u8>]| {
        [&(entries.len() as u64).to_le_bytes()[..], &entries.concat(), &[0; 8]].concat()
    };
    let own_at = 16_u64 + 8 + 4 * 20 + 8;
    let dates_at = own_at + 8 + 20 + 8;
    let first = directory(&[
        entry(0x10f, 2, 5, b"Maker"),
        entry(0x110, 2, 7, b"Model 1"),
        entry(0x112, 3, 1, &[6, 0]),
        entry(0x8769, 18, 1, &own_at.to_le_bytes()),
    ]);
    let own = directory(&[entry(0x9003, 2, 20, &dates_at.to_le_bytes())]);
    let bytes = [&b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0"[..], &first, &own, b"2024:05:01 12:34:56\0"].concat();
    let wanted = Facts {
        captured_at: Some("2024-05-01T12:34:56".to_owned()),
        camera: Some("Maker Model 1".to_owned()),
        orientation: Some(6),
    };
    assert_eq!(facts(&bytes), wanted);
}

#[test]
fn fill_bytes_and_stray_bytes_before_a_jpegs_exif_do_not_hide_it() {
    let exif = exif_of(&turned(6));
    let plain = jpeg(&quarters(64, 32), 64, 32, ColorType::Rgb, &[(1, &exif)]);
    let at = plain.windows(4).position(|found| found == b"Exif").unwrap() - 4;
    for stray in [&b"\xff"[..], b"\xff\xff\xff", b"\0\0\0", b"\x12\xff\0\x34", b"\xff\xd0", b"\xff\xe1\0\x02"]
    {
        let bytes = [&plain[..at], stray, &plain[at..]].concat();
        assert_eq!(facts(&bytes).orientation, Some(6), "{stray:?}");
    }
    let mut other_prefix = plain.clone();
    other_prefix[at + 9] = 0xff;
    assert_eq!(facts(&other_prefix).orientation, Some(6));
    // XMP is in such a segment, too, and what stands in the picture is no segment.
    let xmp = jpeg(
        &quarters(64, 32),
        64,
        32,
        ColorType::Rgb,
        &[(1, b"http://ns.adobe.com/xap/1.0/\0"), (1, &exif)],
    );
    assert_eq!(facts(&xmp).orientation, Some(6));
    let behind = [&plain[..at], b"\xff\xda\0\x02", &plain[at..]].concat();
    assert_eq!(facts(&behind), Facts::default());
}

#[test]
fn heic_has_a_camera_behind_any_amount_of_other_exif_and_no_orientation() {
    let texts = [(0x927c, &*"x".repeat(700_000)), (0x9003, "2024:05:01 12:34:56\0")];
    let mut tiff = exif_with(&texts);
    // Its only field in the first directory becomes two.
    tiff.splice(8..10, [2, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
    for at in [22_usize + 8, 38 + 2 + 8, 38 + 2 + 12 + 8] {
        let moved = u32::from_le_bytes(tiff[at..at + 4].try_into().unwrap()) + 12;
        tiff[at..at + 4].copy_from_slice(&moved.to_le_bytes());
    }
    assert_eq!(facts(&tiff).orientation, Some(6));
    let iso = |kind: &[u8], content: &[u8]| {
        [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], kind, content].concat()
    };
    let infe = iso(b"infe", b"\x02\0\0\0\0\x07\0\0Exif\0");
    let iinf = iso(b"iinf", &[b"\0\0\0\0\0\x01", &infe[..]].concat());
    let head = iso(b"ftyp", b"heic\0\0\0\0mif1heic");
    let at = u32::try_from(head.len() + 12 + iinf.len() + 30 + 8).unwrap().to_be_bytes();
    let length = u32::try_from(tiff.len() + 10).unwrap().to_be_bytes();
    let iloc = iso(b"iloc", &[b"\0\0\0\0\x44\0\0\x01\0\x07\0\0\0\x01", &at[..], &length].concat());
    let mdat = iso(b"mdat", &[b"\0\0\0\x06Exif\0\0", &tiff[..]].concat());
    let meta = iso(b"meta", &[&[0; 4], &iinf[..], &iloc].concat());
    let found = facts(&[head, meta, mdat].concat());
    assert_eq!(found.captured_at.as_deref(), Some("2024-05-01T12:34:56"));
    assert_eq!(found.orientation, None);
}

/// What took other readers seconds and gigabytes.
#[test]
fn hostile_exif_takes_no_time() {
    let values = vec![0; 3_000_000];
    let many = |tag: u16| {
        let count = 60_000;
        let fields = vec![(tag, 2, 3_000_000, long(8 + 2 + 12 * count + 4)); count];
        tiff_of(&fields, &values)
    };
    // EXIF's own directory is the first one, and one that says it has 65,535 entries.
    let looped = tiff_of(&[(0x8769, 4, 1, long(8))], &vec![0xff; 800_000]);
    let endless = tiff_of(&[(0x8769, 4, 1, long(26))], &vec![0xff; 800_000]);
    let big = [&b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0"[..], &[0xff; 8], &values].concat();
    let bomb = crate::tests::deflated(&vec![b'0'; 100 << 20]);
    let bomb = png_chunk(b"zTXt", &[&b"Raw profile type exif\0\0"[..], &bomb].concat()).repeat(9);
    let bombs = [many(0x10f), many(0x9003), many(0x12), looped, endless, big, png_with(&bomb, false)];
    let began = std::time::Instant::now();
    for bytes in &bombs {
        assert_eq!(facts(bytes), Facts::default());
    }
    assert!(began.elapsed().as_millis() < 500, "{:?}", began.elapsed());
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

    #[test]
    fn no_cut_or_changed_file_of_any_format_panics(
        which in 0_usize..8,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let exif = exif_with(&[(0x9003, "2024:05:01 12:34:56\0"), (0x9011, "+02:00\0")]);
        let text = [&b"Raw profile type exif\0\0"[..], &crate::tests::deflated(&raw_profile(&exif))].concat();
        let mut bytes = match which {
            0 => jpeg(&quarters(16, 16), 16, 16, ColorType::Rgb, &[(1, &exif_of(&exif))]),
            1 => png_with(&png_chunk(b"eXIf", &exif), false),
            2 => png_with(&png_chunk(b"zTXt", &text), true),
            3 => webp_with(&exif_of(&exif)),
            4 => [b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", &exif[..]].concat(),
            5 => file("chelsea.heic")[..4000].to_vec(),
            6 => file("astronaut.avif")[..600].to_vec(),
            _ => exif,
        };
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            let found = facts(bytes);
            prop_assert!(found.orientation.is_none_or(|orientation| (1..=8).contains(&orientation)));
        }
    }
}
