//! Thumbnails: any bytes give some within the edges, or an error. Any bytes have EXIF that makes sense, or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use thumbnail::{Output, Settings, facts, make};

fuzz_target!(|bytes: &[u8]| {
    let facts = facts(bytes);
    assert!(facts.orientation.is_none_or(|orientation| (1..=8).contains(&orientation)));
    assert!(facts.camera.is_none_or(|camera| (1..=64).contains(&camera.chars().count())));
    let settings = Settings {
        edges: vec![16, 64],
        format: Output::Jpeg,
        quality: 50,
        max_pixels: 4_000_000,
        max_memory: 32_000_000,
    };
    let Ok(made) = make(bytes, &settings) else { return };
    assert!(!made.thumbnails.is_empty() && made.thumb_hash.len() < 40);
    for thumbnail in made.thumbnails {
        assert!(thumbnail.width > 0 && thumbnail.height > 0);
        assert!(thumbnail.width.max(thumbnail.height) <= thumbnail.edge);
    }
});
