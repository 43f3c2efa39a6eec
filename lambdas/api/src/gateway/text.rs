//! JSON that holds one large string, an image in most cases. Such a string is found, taken out and
//! freed of its escapes where it lies, in the buffer that it came in; what is left is small, and read
//! by an ordinary parser, which also judges whether it is JSON at all.

use std::ops::Range;

/// Where the value of a key lies, between its quotes, if the JSON is an object and the value a string.
/// A key that is written with escapes is not found.
pub fn string_value(json: &[u8], key: &str) -> Option<Range<usize>> {
    let (mut depth, mut at) = (0usize, 0);
    // Whether the last string was the key, and whether a colon came after it.
    let (mut named, mut wanted) = (false, false);
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let inside = at..string_end(json, at)?;
                if wanted && depth == 1 {
                    return Some(inside);
                }
                at = inside.end + 1;
                named = depth == 1 && json.get(inside) == Some(key.as_bytes());
            }
            b':' => wanted = named,
            b',' => (named, wanted) = (false, false),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The place of the quote that ends the string which begins at `start`.
fn string_end(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr::memchr2(b'"', b'\\', json.get(at..)?)?;
        if json.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// The same JSON with that string empty.
pub fn without(json: &[u8], string: &Range<usize>) -> Vec<u8> {
    [&json[..string.start], &json[string.end..]].concat()
}

/// Makes the buffer hold what the string in it means. Text that no JSON string can hold is kept as it
/// is; half a surrogate pair becomes U+FFFD. The result is never longer than the string.
pub fn unescape(buffer: &mut Vec<u8>, string: Range<usize>) {
    let Range { start: mut read, end } = string;
    let mut write = 0;
    while read < end {
        let plain = memchr::memchr(b'\\', &buffer[read..end]).unwrap_or(end - read);
        buffer.copy_within(read..read + plain, write);
        read += plain;
        write += plain;
        if read < end {
            let (bytes, length, consumed) = escape(&buffer[read..end]);
            buffer[write..write + length].copy_from_slice(&bytes[..length]);
            read += consumed;
            write += length;
        }
    }
    buffer.truncate(write);
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
        for (before, after) in [("", ""), ("\\\"", "\"}")] {
            let mut text = format!("{before}{escaped}{after}").into_bytes();
            unescape(&mut text, before.len()..before.len() + escaped.len());
            assert_eq!(std::str::from_utf8(&text), Ok(expected), "{escaped}");
        }
    }

    #[track_caller]
    fn check_value(json: &str, expected: Option<&str>) {
        let found = string_value(json.as_bytes(), "body");
        assert_eq!(found.map(|range| &json[range]), expected, "{json}");
    }

    #[test]
    fn a_value_is_that_of_the_outermost_object() {
        check_value(r#"{"body":"猫"}"#, Some("猫"));
        check_value(r#" { "a" : "body" , "body" : "x\"y\\" , "z" : 1 } "#, Some(r#"x\"y\\"#));
        check_value(r#"{"a":{"body":"x"},"b":["body","x"],"c":"\"body\":\"x\"","body":"y"}"#, Some("y"));
        check_value(r#"{"body":"first","body":"second"}"#, Some("first"));
        for none in [
            "",
            "body",
            r#""body":"x""#,
            r#"["body","x"]"#,
            r#"[{"body":"x"}]"#,
            r#"{"body":null,"a":"x"}"#,
            r#"{"body":["x"]}"#,
            r#"{"a":"body","b":"x"}"#,
            r#"{"body":"x"#,
            r#"{"body":"x\"#,
            r#"{"body":"x\"}"#,
            "}}}{",
        ] {
            check_value(none, None);
        }
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
            let length = bytes.len();
            string_value(&bytes, "");
            unescape(&mut bytes, 0..length);
            prop_assert!(bytes.len() <= length);
        }

        #[test]
        fn a_value_is_found_where_a_parser_finds_it(key: String, value: String, before: String) {
            let json = serde_json::json!({ "": [key.clone(), { key.clone(): before }], "body": value });
            let mut json = json.to_string().into_bytes();
            let found = string_value(&json, "body").unwrap();
            let rest: serde_json::Value = serde_json::from_slice(&without(&json, &found)).unwrap();
            prop_assert_eq!(&rest["body"], "");
            unescape(&mut json, found);
            prop_assert_eq!(String::from_utf8(json), Ok(value));
        }
    }
}
