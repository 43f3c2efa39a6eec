//! Takes the escapes out of a JSON string where it lies. The result is never longer, so the buffer
//! does for both, and a body of 6 MB is moved once instead of being copied to a second place.

/// Unescapes the inside of a JSON string and returns the length of the result, which begins where the
/// string did. Text that no JSON string can hold is kept as it is; half a surrogate pair becomes
/// U+FFFD.
pub(crate) fn unescape(text: &mut [u8]) -> usize {
    let end = text.len();
    let (mut read, mut write) = (0, 0);
    while read < end {
        let plain = memchr::memchr(b'\\', &text[read..]).unwrap_or(end - read);
        text.copy_within(read..read + plain, write);
        read += plain;
        write += plain;
        if read < end {
            let (bytes, length, consumed) = escape(&text[read..]);
            text[write..write + length].copy_from_slice(&bytes[..length]);
            read += consumed;
            write += length;
        }
    }
    write
}

/// What the escape at the beginning means: some bytes, how many they are, and how many they were.
fn escape(text: &[u8]) -> ([u8; 4], usize, usize) {
    let short = |byte| ([byte, 0, 0, 0], 1, 2);
    match text.get(1) {
        None => ([b'\\', 0, 0, 0], 1, 1),
        Some(b'b') => short(0x08),
        Some(b'f') => short(0x0C),
        Some(b'n') => short(b'\n'),
        Some(b'r') => short(b'\r'),
        Some(b't') => short(b'\t'),
        Some(b'u') => {
            let unit = |at: usize| -> Option<u32> {
                let digits = text.get(at + 2..at + 6).filter(|_| text[at..].starts_with(b"\\u"))?;
                digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
            };
            let Some(first) = unit(0) else { return ([b'\\', 0, 0, 0], 1, 1) };
            let second = unit(6).filter(|low| (0xD800..0xDC00).contains(&first) && low >> 10 == 0x37);
            let (code, consumed) = match second {
                Some(low) => (0x1_0000 + ((first & 0x3FF) << 10) + (low & 0x3FF), 12),
                None => (first, 6),
            };
            let mut bytes = [0; 4];
            let length =
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut bytes).len();
            (bytes, length, consumed)
        }
        // A quote, a backslash or a slash stands for itself.
        Some(byte) => short(*byte),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(escaped: &str, expected: &str) {
        let mut text = escaped.as_bytes().to_vec();
        let length = unescape(&mut text);
        assert_eq!(std::str::from_utf8(&text[..length]), Ok(expected), "{escaped}");
    }

    #[test]
    fn every_escape_becomes_what_it_stands_for() {
        check("", "");
        check("plain 猫", "plain 猫");
        check(r#"{\"data\":\"YW\/J\\n\"}"#, r#"{"data":"YW/J\n"}"#);
        check(r"\b\f\n\r\t", "\u{8}\u{c}\n\r\t");
        check(r"\u0000\u00e9\u732B\ud83d\uDE00", "\0é猫😀");
        check(r"\ud83dx\ude00\ud83d\u0041", "\u{FFFD}x\u{FFFD}\u{FFFD}A");
        check(r"\u12", r"\u12");
        check("\\", "\\");
    }

    proptest! {
        #[test]
        fn a_string_comes_back_from_its_json(text: String) {
            let json = serde_json::to_string(&text).unwrap();
            check(&json[1..json.len() - 1], &text);
        }

        #[test]
        fn any_bytes_can_be_read(mut bytes: Vec<u8>) {
            prop_assert!(unescape(&mut bytes) <= bytes.len());
        }
    }
}
