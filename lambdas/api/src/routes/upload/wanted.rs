//! What a client can want of `POST /upload`, whichever way it asks.

use bytes::Bytes;
use contract::INLINE_LIMIT;
use image::digest::Sha256;
use image::file_name::FileName;
use image::format::Format;
use image::picture;

use crate::reject::{Problem, Reject};

#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Inline(Inline),
    Announced(Announced),
}

impl Wanted {
    /// The same for requests that ask for the same image, in the sense of an idempotency key.
    pub fn fingerprint(&self) -> Sha256 {
        let (way, file_name, format, size, sha256) = match self {
            Wanted::Inline(Inline { file_name, declared, bytes, sha256 }) => {
                ("inline", file_name, *declared, bytes.len() as u64, Some(sha256))
            }
            Wanted::Announced(Announced { file_name, format, size, sha256 }) => {
                ("announced", file_name, Some(*format), *size, sha256.as_ref())
            }
        };
        let media_type = format.map_or("", Format::media_type);
        let sha256 = sha256.map(Sha256::to_string).unwrap_or_default();
        // A file name comes last: it has no line break, but it may hold anything else.
        Sha256::of(format!("{way}\n{media_type}\n{size}\n{sha256}\n{}", file_name.as_str()).as_bytes())
    }
}

/// An image that came with the request.
#[derive(Debug, PartialEq, Eq)]
pub struct Inline {
    pub file_name: FileName,
    pub declared: Option<Format>,
    pub bytes: Bytes,
    pub sha256: Sha256,
}

/// An image that is to be sent straight to S3.
#[derive(Debug, PartialEq, Eq)]
pub struct Announced {
    pub file_name: FileName,
    pub format: Format,
    pub size: u64,
    pub sha256: Option<Sha256>,
}

/// The media type of bytes that their sender says nothing about.
pub const ANY_BYTES: &str = "application/octet-stream";

impl Inline {
    pub fn new(
        file_name: FileName,
        declared: Option<Format>,
        bytes: Bytes,
        max_upload_bytes: u64,
    ) -> Result<Inline, Reject> {
        if bytes.len() > INLINE_LIMIT {
            let detail = format!(
                "the image has {} bytes; at most {INLINE_LIMIT} are taken inside a request. For up to \
                 {max_upload_bytes}, send fileName, contentType and size as JSON without data, and PUT \
                 the image to the uploadUrl of the answer",
                bytes.len(),
            );
            return Err(Reject::refused(Problem::PayloadTooLarge, detail));
        }
        let sha256 = Sha256::of(&bytes);
        Ok(Inline { file_name, declared, bytes, sha256 })
    }
}

/// The format that a media type names, which must be one that is taken.
pub fn known_format(media_type: &str) -> Result<Format, Reject> {
    picture::declared(media_type).map_err(|unfit| Reject::from(unfit).because_of("contentType"))
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub fn inline(file_name: &str, declared: Option<Format>, bytes: &[u8]) -> Wanted {
        let file_name = FileName::parse(file_name).unwrap();
        Wanted::Inline(Inline {
            file_name,
            declared,
            bytes: Bytes::copy_from_slice(bytes),
            sha256: Sha256::of(bytes),
        })
    }

    #[track_caller]
    pub fn check(wanted: Result<Wanted, Reject>, expected: &Wanted) {
        assert_eq!(wanted.unwrap(), *expected);
    }

    #[track_caller]
    pub fn check_refused(wanted: Result<Wanted, Reject>, expected: Problem, at_fault: &str, start: &str) {
        match wanted.unwrap_err() {
            Reject::Refused { problem, field, detail } => {
                assert_eq!((problem, field.as_deref().unwrap_or_default()), (expected, at_fault), "{detail}");
                assert!(detail.starts_with(start), "{detail}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_differs_in_all_that_an_image_can_differ_in() {
        let announced = |size, sha256| {
            let (file_name, format) = (FileName::parse("a").unwrap(), Format::Png);
            Wanted::Announced(Announced { file_name, format, size, sha256 })
        };
        let all = [
            testing::inline("a", None, b"abc"),
            testing::inline("b", None, b"abc"),
            testing::inline("a", Some(Format::Png), b"abc"),
            testing::inline("a", None, b"abd"),
            announced(3, None),
            announced(4, None),
            announced(3, Some(Sha256::of(b"abc"))),
        ];
        for (index, wanted) in all.iter().enumerate() {
            for (other, another) in all.iter().enumerate() {
                let same = wanted.fingerprint() == another.fingerprint();
                assert_eq!(same, index == other, "{wanted:?} {another:?}");
            }
        }
    }
}
