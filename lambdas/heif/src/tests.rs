use proptest::prelude::*;

use super::{exif, header_at, size};

fn iso(kind: [u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = u32::try_from(content.len() + 8).unwrap();
    [&length.to_be_bytes()[..], &kind, &content].concat()
}

fn long(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap().to_be_bytes()
}

fn ftyp() -> Vec<u8> {
    iso(*b"ftyp", &[b"heic\0\0\0\0mif1heic"])
}

fn ispe(width: u32, height: u32) -> Vec<u8> {
    iso(*b"ispe", &[&[0; 4], &width.to_be_bytes(), &height.to_be_bytes()])
}

/// The sides as fractions; the offset is zero.
fn clap(sides: [u32; 4]) -> Vec<u8> {
    iso(*b"clap", &[&sides.map(u32::to_be_bytes).concat(), &[0, 0, 0, 0, 0, 0, 0, 1].repeat(2)])
}

fn irot(turns: u8) -> Vec<u8> {
    iso(*b"irot", &[&[turns]])
}

/// The properties, and which of them each item has, counted from 1.
fn iprp(properties: &[Vec<u8>], items: &[(u8, &[u8])]) -> Vec<u8> {
    let of_items: Vec<u8> = items
        .iter()
        .flat_map(|(item, own)| [&[0, *item, u8::try_from(own.len()).unwrap()], *own].concat())
        .collect();
    let ipma = iso(*b"ipma", &[&[0; 4], &long(items.len()), &of_items]);
    iso(*b"iprp", &[&iso(*b"ipco", &[&properties.concat()]), &ipma])
}

fn pitm(item: u8) -> Vec<u8> {
    iso(*b"pitm", &[&[0; 4], &[0, item]])
}

fn meta(boxes: &[Vec<u8>]) -> Vec<u8> {
    iso(*b"meta", &[&[0; 4], &iso(*b"hdlr", &[&[0; 8], b"pict", &[0; 13]]), &boxes.concat()])
}

/// A picture with these properties alone.
fn picture(properties: &[Vec<u8>]) -> Vec<u8> {
    let own: Vec<u8> = (1..=u8::try_from(properties.len()).unwrap()).map(|index| index | 0x80).collect();
    [ftyp(), meta(&[pitm(1), iprp(properties, &[(1, &own)])])].concat()
}

#[test]
fn the_container_crops_and_turns_in_the_order_of_the_items_properties() {
    for (properties, shown) in [
        (vec![ispe(4032, 3024)], (4032, 3024)),
        (vec![ispe(4032, 3024), irot(0)], (4032, 3024)),
        (vec![ispe(4032, 3024), irot(1)], (3024, 4032)),
        (vec![ispe(4032, 3024), irot(2)], (4032, 3024)),
        (vec![ispe(4032, 3024), irot(3)], (3024, 4032)),
        (vec![ispe(64, 48), irot(1), irot(1)], (64, 48)),
        (vec![ispe(64, 48), irot(1), iso(*b"imir", &[&[1]])], (48, 64)),
        (vec![ispe(452, 302), clap([451, 1, 301, 1])], (451, 301)),
        (vec![ispe(64, 100), clap([29, 1, 100, 1])], (29, 100)),
        // Rounded to the nearest.
        (vec![ispe(64, 100), clap([59, 2, 199, 2])], (30, 100)),
        (vec![ispe(64, 100), clap([40, 1, 100, 1]), irot(3)], (100, 40)),
        (vec![ispe(64, 100), irot(3), clap([40, 1, 64, 1])], (40, 64)),
        (vec![irot(1), ispe(64, 100)], (100, 64)),
        // What makes no sense.
        (vec![ispe(64, 100), clap([0, 1, 100, 1])], (64, 100)),
        (vec![ispe(64, 100), clap([64, 0, 100, 1])], (64, 100)),
        (vec![ispe(64, 100), clap([u32::MAX, 1, u32::MAX, u32::MAX])], (64, 1)),
        (vec![ispe(64, 100), iso(*b"clap", &[&[0; 9]]), iso(*b"irot", &[])], (64, 100)),
    ] {
        assert_eq!(size(&picture(&properties)), Some(shown), "{properties:?}");
    }
}

#[test]
fn what_other_items_have_is_not_the_pictures() {
    // The grid is the second item; its tiles are turned and its depth map is larger.
    let properties = [ispe(512, 512), irot(1), ispe(1000, 800), ispe(4000, 4000)];
    let iprp = iprp(&properties, &[(1, &[1, 2]), (2, &[3]), (3, &[4, 2])]);
    assert_eq!(size(&[ftyp(), meta(&[pitm(2), iprp.clone()])].concat()), Some((1000, 800)));
    // In any order, and with an item of 32 bits.
    let wide = iso(*b"pitm", &[&[1, 0, 0, 0], &long(2)]);
    assert_eq!(size(&[ftyp(), meta(&[iprp.clone(), wide])].concat()), Some((1000, 800)));
    for (what, boxes) in [
        ("no primary item", vec![iprp.clone()]),
        ("one that has no properties", vec![pitm(9), iprp]),
        ("no properties at all", vec![pitm(2)]),
    ] {
        assert_eq!(size(&[ftyp(), meta(&boxes)].concat()), None, "{what}");
    }
}

#[test]
fn associations_are_read_in_each_of_their_widths_and_from_several_tables() {
    let ipco = iso(*b"ipco", &[&ispe(64, 48), &irot(1)]);
    let wide = iso(*b"ipma", &[&[1, 0, 0, 1], &long(1), &long(7), &[2, 0x80, 1, 0x80, 2]]);
    let first = iso(*b"ipma", &[&[0; 4], &long(2), &[0, 6, 2, 1, 2], &[0, 7, 1, 1]]);
    // One that does not exist is passed over.
    let second = iso(*b"ipma", &[&[0, 0, 0, 1], &long(1), &[0, 7, 3, 0, 0, 0x7f, 0xff, 0, 2]]);
    for tables in [wide, [first, second].concat()] {
        let bytes = [ftyp(), meta(&[pitm(7), iso(*b"iprp", &[&ipco, &tables])])].concat();
        assert_eq!(size(&bytes), Some((48, 64)));
    }
}

/// A box whose length has 64 bits.
fn iso_wide(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = content.len() as u64 + 16;
    [&long(1)[..], &kind, &length.to_be_bytes(), content].concat()
}

#[test]
fn the_header_is_found_behind_the_pictures_data() {
    let header = meta(&[pitm(1), iprp(&[ispe(64, 48), irot(1)], &[(1, &[1, 2])])]);
    for mdat in [iso(*b"mdat", &[&[7; 5000]]), iso_wide(*b"mdat", &[7; 5000])] {
        let file = [ftyp(), iso(*b"free", &[]), mdat, header.clone()].concat();
        assert_eq!(size(&file), Some((48, 64)));
        let header_begins = file.len() - header.len();
        // The data is cut, the box behind it is, and the header is.
        for there in [100, header_begins - 1, header_begins, header_begins + 15, header_begins + 40] {
            assert_eq!(size(&file[..there]), None);
            assert_eq!(header_at(&file[..there]), Some(header_begins as u64), "{there}");
        }
        assert_eq!(header_at(&file), None);
        // Read on from there.
        assert_eq!(size(&[ftyp(), file[header_begins..].to_vec()].concat()), Some((48, 64)));
    }
    // It is nowhere: data to the end, no box, and nothing at all.
    let to_the_end = [&ftyp()[..], &[0; 4], b"mdat", &[7; 50]].concat();
    assert_eq!(header_at(&to_the_end), None);
    assert_eq!(header_at(&[ftyp(), vec![0, 0, 0, 7], vec![7; 60]].concat()), None);
    assert_eq!(header_at(b""), None);
    let beyond = [&ftyp()[..], &long(1), b"mdat", &[0xff; 40]].concat();
    assert_eq!((size(&beyond), header_at(&beyond)), (None, None));
}

/// A track with the two sides of its header, its matrix (by rows) and the sides of its samples.
fn trak(handler: [u8; 4], version: u8, header: [u16; 2], matrix: [u32; 4], samples: [u16; 2]) -> Vec<u8> {
    let [xx, xy, yx, yy] = matrix.map(u32::to_be_bytes);
    let matrix = [xx, xy, [0; 4], yx, yy, [0; 4], [0; 4], [0; 4], [0; 4]].concat();
    let sides = header.map(|side| [side.to_be_bytes(), [0; 2]].concat()).concat();
    let times = if version == 1 { 48 } else { 36 };
    let tkhd = iso(*b"tkhd", &[&[version, 0, 0, 3], &vec![0; times], &matrix, &sides]);
    let entry = iso(*b"av01", &[&[0; 24], &samples.map(u16::to_be_bytes).concat(), &[0; 50]]);
    let stsd = iso(*b"stsd", &[&[0; 4], &long(1), &entry]);
    let minf = iso(*b"minf", &[&iso(*b"stbl", &[&stsd])]);
    let mdia = iso(*b"mdia", &[&iso(*b"hdlr", &[&[0; 8], &handler, &[0; 13]]), &minf]);
    iso(*b"trak", &[&tkhd, &mdia])
}

#[test]
fn a_sequence_without_a_primary_item_has_its_tracks_size() {
    const STRAIGHT: [u32; 4] = [0x1_0000, 0, 0, 0x1_0000];
    let turned = [0, 0x1_0000, 0xffff_0000, 0];
    let moov = |traks: &[Vec<u8>]| {
        [ftyp(), iso(*b"moov", &[&iso(*b"mvhd", &[&[0; 100]]), &traks.concat()])].concat()
    };
    let film = trak(*b"pict", 0, [640, 480], STRAIGHT, [656, 496]);
    assert_eq!(size(&moov(std::slice::from_ref(&film))), Some((640, 480)));
    // Transparency and sound are no pictures.
    let others = [
        trak(*b"auxv", 0, [800, 800], STRAIGHT, [1, 1]),
        trak(*b"soun", 0, [0, 0], STRAIGHT, [0, 0]),
        film.clone(),
    ];
    assert_eq!(size(&moov(&others)), Some((640, 480)));
    assert_eq!(size(&moov(&[trak(*b"vide", 1, [640, 480], turned, [656, 496])])), Some((480, 640)));
    assert_eq!(size(&moov(&[trak(*b"pict", 1, [0, 0], STRAIGHT, [656, 496])])), Some((656, 496)));
    assert_eq!(size(&moov(&[])), None);
    // The picture that the file shows, where it has both.
    let both = [moov(&[film]), meta(&[pitm(1), iprp(&[ispe(64, 48)], &[(1, &[1])])])].concat();
    assert_eq!(size(&both), Some((64, 48)));
}

/// A file with these items of EXIF (id, the item that it describes, data in parts) behind its header. In
/// `idat` if so told.
fn with_exif(items: &[(u8, u8, &[&[u8]])], in_idat: bool) -> Vec<u8> {
    let data = items.iter().flat_map(|(.., parts)| parts.concat()).collect::<Vec<u8>>();
    let build = |begins: usize| {
        let (mut infes, mut references, mut locations, mut at) = (Vec::new(), Vec::new(), Vec::new(), begins);
        for (id, described, parts) in items {
            infes.extend(iso(*b"infe", &[&[2, 0, 0, 1], &[0, *id, 0, 0], b"Exif\0"]));
            references.extend(iso(*b"cdsc", &[&[0, *id, 0, 1, 0, *described]]));
            let count = u8::try_from(parts.len()).unwrap();
            locations.extend([0, *id, 0, u8::from(in_idat), 0, 0, 0, count]);
            for part in *parts {
                locations.extend([long(at), long(part.len())].concat());
                at += part.len();
            }
        }
        let mut boxes = vec![
            pitm(1),
            iso(
                *b"iinf",
                &[&[0; 5], &[2], &iso(*b"infe", &[&[2, 0, 0, 0], &[0, 1, 0, 0], b"hvc1\0"]), &infes],
            ),
            iso(*b"iref", &[&[0; 4], &references]),
            iso(*b"iloc", &[&[1, 0, 0, 0, 0x44, 0, 0, u8::try_from(items.len()).unwrap()], &locations]),
            iprp(&[ispe(64, 48)], &[(1, &[1])]),
        ];
        if in_idat {
            boxes.push(iso(*b"idat", &[&data]));
        }
        [ftyp(), meta(&boxes)].concat()
    };
    let head = build(0).len();
    if in_idat { build(0) } else { [build(head + 8), iso(*b"mdat", &[&data])].concat() }
}

#[test]
fn exif_is_found_wherever_it_is_and_however_its_start_is_told() {
    let tiff = b"MM\0*\0\0\0\x08 and more";
    for start in [&b"\0\0\0\0"[..], b"\0\0\0\x06Exif\0\0", b"\0\0\0\0Exif\0\0", b"\0\0\0\x0aExif\0\0", b""] {
        let item = [start, tiff].concat();
        for in_idat in [false, true] {
            for parts in [&[&item[..]][..], &[&item[..3], &item[3..13], &item[13..]]] {
                let bytes = with_exif(&[(2, 1, parts)], in_idat);
                let found = exif(&bytes).unwrap();
                let found = found.strip_prefix(b"Exif\0\0").unwrap_or(&found);
                assert_eq!(found, tiff, "{start:?} {in_idat}");
            }
        }
    }
    // Far more than other readers take, and cut off.
    let large = [&b"\0\0\0\0II*\0"[..], &vec![9; 700_000]].concat();
    let bytes = with_exif(&[(2, 1, &[&large])], false);
    assert_eq!(&*exif(&bytes).unwrap(), &large[4..]);
    assert_eq!(&*exif(&bytes[..bytes.len() - 10]).unwrap(), &large[4..large.len() - 10]);
}

#[test]
fn the_exif_of_the_picture_goes_before_that_of_others() {
    let (other, own) = (&[&b"\0\0\0\0II*\0other"[..]][..], &[&b"\0\0\0\0II*\0own"[..]][..]);
    let first_is = |items: &[(u8, u8, &[&[u8]])]| exif(&with_exif(items, false)).unwrap()[4..].to_vec();
    assert_eq!(first_is(&[(2, 9, other), (3, 1, own)]), b"own");
    assert_eq!(first_is(&[(2, 9, other), (3, 8, own)]), b"other");
    // One that is none.
    assert_eq!(first_is(&[(2, 1, &[b"\0\0\0\0no"]), (3, 9, own)]), b"own");
    assert_eq!(exif(&picture(&[ispe(64, 48)])), None);
}

/// Tables and walks of hostile lengths end, and take no memory that the file has not.
#[test]
fn tables_that_claim_more_than_there_is_end_early() {
    let began = std::time::Instant::now();
    let many = [&[0, 0, 0, 8][..], b"Exif"].concat().repeat(1_000_000);
    let table =
        |kind, version: u8| iso(kind, &[&[version, 0, 0, 0, 0x44, 0x40], &[0xff; 4], &vec![0; 2_000_000]]);
    for boxes in [
        vec![pitm(1), iso(*b"iinf", &[&[0; 6], &many]), table(*b"iloc", 2), table(*b"iref", 0)],
        vec![pitm(1), iso(*b"iprp", &[&iso(*b"ipco", &[&many]), &table(*b"ipma", 0)])],
        vec![iso(*b"moov", &[&many])],
    ] {
        let bytes = [ftyp(), meta(&boxes), many.clone()].concat();
        assert_eq!((size(&bytes), exif(&bytes)), (None, None));
    }
    // An item in 65,535 places, each of which is the whole file.
    let places = [&long(0)[..], &long(0)].concat().repeat(65_535);
    let iloc = iso(*b"iloc", &[&[0, 0, 0, 0, 0x44, 0, 0, 1, 0, 2, 0, 0, 0xff, 0xff], &places]);
    let infe = iso(*b"infe", &[&[2, 0, 0, 1], &[0, 2, 0, 0], b"Exif\0"]);
    let bytes = [ftyp(), meta(&[iso(*b"iinf", &[&[0; 5], &[1], &infe]), iloc])].concat();
    assert_eq!(exif(&bytes), None);
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

proptest! {
    #[test]
    fn no_cut_or_changed_file_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        in_idat in any::<bool>(),
    ) {
        let item = &b"\0\0\0\x06Exif\0\0MM\0*\0\0\0\x08"[..];
        let whole = with_exif(&[(2, 1, &[item]), (3, 9, &[&item[..5], &item[5..]])], in_idat);
        let moov = iso(*b"moov", &[&trak(*b"pict", 0, [640, 480], [1, 0, 0, 1], [640, 480])]);
        let mut bytes = [moov, whole.clone()].concat();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            size(bytes);
            exif(bytes);
            header_at(bytes);
        }
        // What is told of a file's first bytes is what all of it tells.
        let first = &whole[..cut.index(whole.len())];
        prop_assert!(size(first).is_none_or(|size| size == (64, 48)));
    }
}
