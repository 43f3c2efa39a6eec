//! Base64 as people send it: of either alphabet, padded or not, broken into lines, or as a `data:`
//! URL. The common case is decoded in one pass into one buffer.

use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use base64::{DecodeError, Engine};
use catalog::answer::Reject;

const FIELD: &str = "data";

/// The media type that a `data:` URL declares, if it is one, and the base64 in it.
pub(crate) fn unwrap(data: &str) -> Result<(Option<&str>, &str), Reject> {
    let Some(url) = strip_prefix_ignore_case(data.trim_start(), "data:") else { return Ok((None, data)) };
    let (header, base64) = url
        .split_once(',')
        .ok_or_else(|| Reject::invalid(FIELD, "the data: URL has no comma before its data"))?;
    let (media_type, encoding) = header.rsplit_once(';').unwrap_or(("", header));
    if !encoding.trim().eq_ignore_ascii_case("base64") {
        return Err(Reject::invalid(FIELD, "the data: URL is not base64"));
    }
    Ok((Some(media_type).filter(|media_type| !media_type.is_empty()), base64))
}

pub(crate) fn decode(base64: &str) -> Result<Vec<u8>, Reject> {
    let decoded = match decode_once(base64.as_bytes()) {
        // White space is rare, so it is looked for only after it got in the way.
        Err(DecodeError::InvalidByte(_, byte)) if byte.is_ascii_whitespace() => {
            let joined: String = base64.split_ascii_whitespace().collect();
            decode_once(joined.as_bytes())
        }
        decoded => decoded,
    };
    match decoded {
        Ok(bytes) if bytes.is_empty() => Err(Reject::invalid(FIELD, "the image is empty")),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(Reject::invalid(FIELD, format!("this is no base64: {error}"))),
    }
}

/// What most clients send is taken by a decoder that reads 32 characters at a time; the other
/// spellings, and what is wrong with those that are none, are left to one that knows them all.
pub(crate) fn decode_once(base64: &[u8]) -> Result<Vec<u8>, DecodeError> {
    if let Ok(bytes) = base64_simd::STANDARD.decode_to_vec(base64) {
        return Ok(bytes);
    }
    match STANDARD_PAD_INDIFFERENT.decode(base64) {
        Err(DecodeError::InvalidByte(_, b'-' | b'_')) => URL_SAFE_PAD_INDIFFERENT.decode(base64),
        decoded => decoded,
    }
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(data: &str, expected: Result<(Option<&str>, &[u8]), &str>) {
        let found = unwrap(data).and_then(|(media_type, base64)| Ok((media_type, decode(base64)?)));
        match (found, expected) {
            (Ok((media_type, bytes)), Ok((expected_type, expected_bytes))) => {
                assert_eq!((media_type, bytes.as_slice()), (expected_type, expected_bytes));
            }
            (Err(reject), Err(detail)) => assert_eq!(reject.to_string(), detail),
            (found, expected) => panic!("{data:?} gave {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn every_usual_spelling_decodes_to_the_same_bytes() {
        let bytes = [0xFB, 0xEF, 0xFF, 0xFE];
        for data in [
            "++///g==",
            "++///g",
            "--___g==",
            "--___g",
            "++//\n/g==\n",
            "++//\r\n/g==",
            " --__ _g ",
            "+\t+ ///g=\n=",
        ] {
            check(data, Ok((None, &bytes)));
        }
    }

    #[test]
    fn a_data_url_may_declare_a_type() {
        check("data:image/png;base64,YWJj", Ok((Some("image/png"), b"abc")));
        check("DATA:image/png;charset=x;BASE64,YWJj", Ok((Some("image/png;charset=x"), b"abc")));
        check("data:;base64,YWJj", Ok((None, b"abc")));
        check("data:base64,YWJj", Ok((None, b"abc")));
        check("\n data:image/png;base64,YW\nJj", Ok((Some("image/png"), b"abc")));
        check("data:image/png,YWJj", Err("the data: URL is not base64"));
        check("data:image/png;base64", Err("the data: URL has no comma before its data"));
    }

    proptest! {
        #[test]
        fn the_quick_decoder_takes_nothing_that_the_thorough_one_does_not(text in "[A-Za-z0-9+/=]{0,80}") {
            if let Ok(quick) = base64_simd::STANDARD.decode_to_vec(&text) {
                prop_assert_eq!(Ok(quick), STANDARD_PAD_INDIFFERENT.decode(&text));
            }
        }
    }

    #[test]
    fn what_is_no_base64_says_where() {
        check("", Err("the image is empty"));
        check(" \n", Err("the image is empty"));
        check("data:image/png;base64,", Err("the image is empty"));
        check("YWJ!", Err("this is no base64: Invalid symbol 33, offset 3."));
        check("猫", Err("this is no base64: Invalid symbol 231, offset 0."));
        for broken in ["YWJjZ", "Y", "YWJj=", "YW==Jj", "=YWJj", "+-++", "-+--", "YWK", "<svg/>"] {
            assert!(decode(broken).is_err(), "{broken}");
        }
    }
}
