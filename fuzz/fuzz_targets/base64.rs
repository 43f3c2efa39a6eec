//! Base64 in all spellings and `data:` URLs: the quick decoder agrees with the thorough one, and what
//! was encoded comes back.

#![no_main]

use api::reject::Reject;
use api::routes::upload::base64 as ours;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT, URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = bytes.to_vec();
    let quick = ours::decode_once(&mut buffer).map(|length| &buffer[..length]);
    if let Ok(thorough) = STANDARD_PAD_INDIFFERENT.decode(bytes) {
        assert_eq!(quick, Ok(thorough.as_slice()));
    }
    let _ = decode(bytes);
    if bytes.is_empty() {
        return;
    }
    for (encoded, line) in [(STANDARD.encode(bytes), 76), (URL_SAFE_NO_PAD.encode(bytes), 1)] {
        assert_eq!(decode(encoded.as_bytes()).unwrap(), (None, bytes.to_vec()));
        let lines: Vec<&[u8]> = encoded.as_bytes().chunks(line).collect();
        let url = [b"data:image/png;base64,", lines.join(&b"\r\n"[..]).as_slice()].concat();
        assert_eq!(decode(&url).unwrap(), (Some("image/png".to_owned()), bytes.to_vec()));
    }
});

/// As the function does it: of a `data:` URL, its type too.
fn decode(data: &[u8]) -> Result<(Option<String>, Vec<u8>), Reject> {
    let (declared, start) = ours::unwrap(data)?;
    let mut base64 = data[start..].to_vec();
    let length = ours::decode(&mut base64)?;
    base64.truncate(length);
    Ok((declared.map(str::to_owned), base64))
}
