use moxcms::ColorProfile;

use super::to_srgb;
use crate::scale::{Picture, Samples};

fn converted(profile: &[u8]) -> Vec<u8> {
    let picture = Picture::new(1, 1, Samples::Rgb, vec![220, 30, 30]).unwrap();
    to_srgb(picture, Some(profile)).data
}

/// Adds a tag, whose data is this, in front of the others.
fn with_tag(profile: &[u8], tag: &[u8], data: &[u8]) -> Vec<u8> {
    let count = u32::from_be_bytes(*profile[128..].first_chunk().unwrap());
    let mut made = profile[..128].to_vec();
    made.extend((count + 1).to_be_bytes());
    let place = u32::try_from(profile.len() + 12).unwrap();
    made.extend([tag, &place.to_be_bytes(), &u32::try_from(data.len()).unwrap().to_be_bytes()].concat());
    let entries = 132 + 12 * count as usize;
    for entry in profile[132..entries].chunks_exact(12) {
        let moved = u32::from_be_bytes(*entry[4..].first_chunk().unwrap()) + 12;
        made.extend([&entry[..4], &moved.to_be_bytes(), &entry[8..]].concat());
    }
    made.extend(&profile[entries..]);
    made.extend(data);
    made
}

#[test]
fn a_profile_with_faults_beside_its_colours_is_taken() {
    let sound = ColorProfile::new_display_p3().encode().unwrap();
    let right = converted(&sound);
    assert!(right[0] > 235 && right[1] < 5, "{right:?}");
    let changed = |at: usize, bytes: &[u8]| {
        let mut profile = sound.clone();
        profile[at..at + bytes.len()].copy_from_slice(bytes);
        profile
    };
    for (what, profile) in [
        ("version", changed(8, &[0, 0, 0, 0])),
        ("version", changed(8, &[7, 0, 0, 0])),
        ("intent", changed(64, &[9; 4])),
        ("signature", changed(36, b"none")),
        ("illuminant", changed(68, &[0; 12])),
        ("text", with_tag(&sound, b"vued", b"what is this? no text")),
        ("measurement", with_tag(&sound, b"meas", b"meas\0\0\0\0and no more")),
        ("table", with_tag(&sound, b"A2B0", b"mft2\0\0\0\0\x03\x03\xff\0and it ends")),
    ] {
        let is = converted(&profile);
        assert!(is.iter().zip(&right).all(|(is, right)| is.abs_diff(*right) <= 2), "{what}: {is:?}");
    }
    // And what is none at all changes nothing.
    for profile in [&b""[..], b"text", &[0; 132], &[0xff; 400], &sound[..200]] {
        assert_eq!(converted(profile), [220, 30, 30]);
    }
}
