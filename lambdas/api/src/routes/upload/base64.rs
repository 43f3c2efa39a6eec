//! Base64 as people send it: of either alphabet, padded or not, broken into lines, or as a `data:`
//! URL. It is decoded where it lies.

use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use base64::{DecodeError, Engine};

use crate::reject::Reject;

const FIELD: &str = "data";

/// The media type that a `data:` URL declares, if it is one, and where the base64 begins.
pub fn unwrap(data: &[u8]) -> Result<(Option<&str>, usize), Reject> {
    let url = data.trim_ascii_start();
    let Some((scheme, url)) = url.split_at_checked(SCHEME.len()) else { return Ok((None, 0)) };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Ok((None, 0));
    }
    let invalid = |detail| Reject::invalid(FIELD, detail);
    let comma = memchr::memchr(b',', url);
    let comma = comma.ok_or_else(|| invalid("the data: URL has no comma before its data"))?;
    let header = std::str::from_utf8(&url[..comma]).unwrap_or_default();
    let (media_type, encoding) = header.rsplit_once(';').unwrap_or(("", header));
    if !encoding.trim().eq_ignore_ascii_case("base64") {
        return Err(invalid("the data: URL is not base64"));
    }
    let media_type = Some(media_type).filter(|media_type| !media_type.is_empty());
    Ok((media_type, data.len() - url.len() + comma + 1))
}

const SCHEME: &[u8] = b"data:";

/// Replaces the base64 by what it encodes, which begins where it did, and returns the length of that.
pub fn decode(base64: &mut [u8]) -> Result<usize, Reject> {
    let decoded = match decode_once(base64) {
        // White space is rare, so it is looked for only after it got in the way.
        Err(DecodeError::InvalidByte(_, byte)) if byte.is_ascii_whitespace() => {
            let mut joined = base64.to_vec();
            joined.retain(|byte| !byte.is_ascii_whitespace());
            let length = decode_once(&mut joined);
            length.inspect(|length| base64[..*length].copy_from_slice(&joined[..*length]))
        }
        decoded => decoded,
    };
    match decoded {
        Ok(0) => Err(Reject::invalid(FIELD, "the image is empty")),
        Ok(length) => Ok(length),
        Err(error) => Err(Reject::invalid(FIELD, format!("this is no base64: {error}"))),
    }
}

/// What most clients send is taken by a decoder that reads 32 characters at a time; the other
/// spellings, and what is wrong with those that are none, are left to one that knows them all.
pub fn decode_once(base64: &mut [u8]) -> Result<usize, DecodeError> {
    // It is checked first, because what failed in the middle could not be read again.
    if base64_simd::STANDARD.check(base64).is_ok()
        && let Ok(bytes) = base64_simd::STANDARD.decode_inplace(base64)
    {
        return Ok(bytes.len());
    }
    let bytes = match STANDARD_PAD_INDIFFERENT.decode(&*base64) {
        Err(DecodeError::InvalidByte(_, b'-' | b'_')) => URL_SAFE_PAD_INDIFFERENT.decode(&*base64),
        decoded => decoded,
    }?;
    base64[..bytes.len()].copy_from_slice(&bytes);
    Ok(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(data: &str, expected: Result<(Option<&str>, &[u8]), &str>) {
        let mut buffer = data.as_bytes().to_vec();
        let found = unwrap(data.as_bytes()).and_then(|(media_type, start)| {
            let length = decode(&mut buffer[start..])?;
            Ok((media_type, &buffer[start..start + length]))
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
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
            if base64_simd::STANDARD.check(text.as_bytes()).is_ok() {
                let thorough = STANDARD_PAD_INDIFFERENT.decode(&text);
                let mut quick = text.into_bytes();
                let length = decode_once(&mut quick).unwrap();
                quick.truncate(length);
                prop_assert_eq!(Ok(quick), thorough);
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
            assert!(decode(&mut broken.as_bytes().to_vec()).is_err(), "{broken}");
        }
    }
}
