//! Base64 in all spellings and `data:` URLs: the quick decoder agrees with the thorough one, and what
//! was encoded comes back.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT, URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;

// `upload` is a program and has no library, so its decoder is compiled in here.
#[path = "../../lambdas/upload/src/payload.rs"]
mod payload;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(thorough) = STANDARD_PAD_INDIFFERENT.decode(bytes) {
        assert_eq!(payload::decode_once(bytes), Ok(thorough));
    } else {
        let _ = payload::decode_once(bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok((_, data)) = payload::unwrap(text)
    {
        let _ = payload::decode(data);
    }
    if bytes.is_empty() {
        return;
    }
    for (encoded, line) in [(STANDARD.encode(bytes), 76), (URL_SAFE_NO_PAD.encode(bytes), 1)] {
        assert_eq!(payload::decode(&encoded).unwrap(), bytes);
        let lines: Vec<&[u8]> = encoded.as_bytes().chunks(line).collect();
        let broken = String::from_utf8(lines.join(&b"\r\n"[..])).unwrap();
        assert_eq!(payload::decode(&broken).unwrap(), bytes);
        let url = format!("data:image/png;base64,{broken}");
        let (declared, data) = payload::unwrap(&url).unwrap();
        assert_eq!((declared, payload::decode(data).unwrap().as_slice()), (Some("image/png"), bytes));
    }
});
