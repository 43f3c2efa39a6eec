//! The caller's name for an image: any script, never a path. It lives in the record, in the object's
//! metadata and in Content-Disposition, and never in an object key.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::answer::Reject;

/// Longest name taken, in bytes of UTF-8, counted after cleaning. Percent-encoded, that still fits
/// the 2 KB that S3 gives to all user metadata of an object.
const LONGEST: usize = 255;

const FIELD: &str = "fileName";

/// What RFC 8187 wants encoded: all but letters, digits and these marks.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Takes what follows the last `/` or `\`, without control characters and marks that reorder or
    /// break lines (a name must not read as another one), and without white space around it.
    pub fn parse(text: &str) -> Result<FileName, Reject> {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let visible: String = last.chars().filter(|c| !c.is_control() && !misleads(*c)).collect();
        match visible.trim() {
            "" | "." | ".." => Err(Reject::invalid(FIELD, "the file name is empty")),
            name if name.len() > LONGEST => Err(Reject::invalid(
                FIELD,
                format!("the file name has {} bytes in UTF-8; at most {LONGEST} are taken", name.len()),
            )),
            name => Ok(FileName(name.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Pure ASCII, as metadata of an object must be.
    pub fn percent_encoded(&self) -> String {
        utf8_percent_encode(&self.0, ENCODED).to_string()
    }

    /// A header that makes a browser save the file under its name (RFC 6266): old clients read an
    /// ASCII stand-in, the others the name itself (RFC 8187).
    pub fn content_disposition(&self) -> String {
        let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%');
        let stand_in: String = self.0.chars().map(|c| if plain(c) { c } else { '_' }).collect();
        format!("attachment; filename=\"{stand_in}\"; filename*=UTF-8''{}", self.percent_encoded())
    }
}

/// The file name that a Content-Disposition header gives, if any; `filename*` wins over `filename`.
pub fn from_content_disposition(header: &str) -> Option<String> {
    let parameters = parameters(header);
    let find = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    let extended = find("filename*").and_then(|(_, value)| {
        let (charset, rest) = value.split_once('\'')?;
        let (_language, encoded) = rest.split_once('\'')?;
        let name = percent_decode_str(encoded).decode_utf8().ok()?;
        charset.eq_ignore_ascii_case("utf-8").then(|| name.into_owned())
    });
    extended.or_else(|| find("filename").map(|(_, value)| value.clone()))
}

/// The `name=value` pairs behind the first `;`, quoted strings unquoted.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut chars = header.chars().skip_while(|c| *c != ';').skip(1).peekable();
    while chars.peek().is_some() {
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| !matches!(c, '=' | ';')) {
            name.push(c);
        }
        let mut value = String::new();
        if chars.next_if_eq(&'=').is_some() {
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
            if chars.next_if_eq(&'"').is_some() {
                while let Some(c) = chars.next_if(|c| *c != '"') {
                    // A backslash quotes what follows it.
                    value.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
                }
            } else {
                while let Some(c) = chars.next_if(|c| *c != ';') {
                    value.push(c);
                }
                value.truncate(value.trim_end().len());
            }
        }
        while chars.next_if(|c| *c != ';').is_some() {}
        chars.next();
        found.push((name.trim().to_owned(), value));
    }
    found
}

/// Marks that turn the direction of what follows, and line separators.
fn misleads(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_cleaned(text: &str, expected: &str) {
        assert_eq!(FileName::parse(text).unwrap().as_str(), expected);
    }

    #[test]
    fn a_name_keeps_its_script_and_loses_its_path() {
        check_cleaned("写真 夏祭り.jpg", "写真 夏祭り.jpg");
        check_cleaned("/etc/passwd", "passwd");
        check_cleaned("../../a.png", "a.png");
        check_cleaned("C:\\Users\\花子\\猫.png", "猫.png");
        check_cleaned("  a b.png\t\n", "a b.png");
        check_cleaned("a\0b\u{7f}c\u{85}.png", "abc.png");
        check_cleaned("photo\u{202E}gpj.exe", "photogpj.exe");
        check_cleaned("👩\u{200D}👩\u{200D}👧.png", "👩\u{200D}👩\u{200D}👧.png");
        check_cleaned("שלום.png", "שלום.png");
        check_cleaned("<script>'\"&.png", "<script>'\"&.png");
    }

    #[test]
    fn a_name_of_nothing_is_refused() {
        for text in ["", " ", "a/", "..", "a/..", ".", "\n\r", "\u{202E}"] {
            assert_eq!(FileName::parse(text).unwrap_err().to_string(), "the file name is empty", "{text:?}");
        }
    }

    #[test]
    fn a_name_has_at_most_255_bytes_after_cleaning() {
        check_cleaned(&"あ".repeat(85), &"あ".repeat(85));
        check_cleaned(&format!("{}/{}", "x".repeat(1000), "あ".repeat(85)), &"あ".repeat(85));
        assert_eq!(
            FileName::parse(&format!("{}.", "あ".repeat(85))).unwrap_err().to_string(),
            "the file name has 256 bytes in UTF-8; at most 255 are taken"
        );
    }

    #[test]
    fn a_download_gets_an_ascii_stand_in_and_the_true_name() {
        assert_eq!(
            FileName::parse("写真 \"100%\" b.png").unwrap().content_disposition(),
            "attachment; filename=\"__ _100__ b.png\"; \
             filename*=UTF-8''%E5%86%99%E7%9C%9F%20%22100%25%22%20b.png"
        );
    }

    #[test]
    fn our_own_header_gives_the_name_back() {
        for name in ["猫.png", "a b.png", "it's; a=\"b\".png", "100%.png"] {
            let header = FileName::parse(name).unwrap().content_disposition();
            assert_eq!(from_content_disposition(&header).as_deref(), Some(name));
        }
    }

    #[test]
    fn content_disposition_is_read_as_browsers_write_it() {
        for (header, expected) in [
            ("attachment; filename=a.png", Some("a.png")),
            ("attachment;FileName = a.png ; x=y", Some("a.png")),
            ("attachment; filename=\"a; b.png\"", Some("a; b.png")),
            (r#"form-data; name="f"; filename="a\"b.png""#, Some("a\"b.png")),
            ("attachment; filename=\"x.png\"; filename*=utf-8'ja'%E7%8C%AB.png", Some("猫.png")),
            ("attachment; filename*=UTF-8''%E7%8C%AB.png; filename=\"x.png\"", Some("猫.png")),
            ("attachment; filename*=UTF-8''%E7%8; filename=x.png", Some("x.png")),
            ("attachment; filename*=EUC-JP''%C7%AD.png; filename=x.png", Some("x.png")),
            ("attachment; filename=\"猫.png\"", Some("猫.png")),
            ("attachment; filename=\"unfinished\\", Some("unfinished\\")),
            ("attachment; filename", Some("")),
            ("attachment; filename*=UTF-8''%FF", None),
            ("attachment", None),
            ("filename=a.png", None),
            ("", None),
        ] {
            assert_eq!(from_content_disposition(header).as_deref(), expected, "{header}");
        }
    }
}
