//! The caller's name for an image: any script, never a path. It lives in the record, in the object's
//! metadata and in Content-Disposition, and never in an object key.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::format::Format;

/// Longest name taken, in bytes of UTF-8, counted after cleaning. Percent-encoded, that still fits
/// the 2 KB that S3 gives to all user metadata of an object.
const LONGEST: usize = 255;

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

/// Why a name is not taken, in words for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("the file name is empty")]
    Empty,
    #[error("the file name has {0} bytes in UTF-8; at most {LONGEST} are taken")]
    TooLong(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Takes what follows the last `/`, `\` or `:` (folders of old Macs, streams of Windows), without
    /// control characters and marks that reorder or break lines (a name must not read as another one),
    /// without white space around it, and without dots at its end, which Windows drops.
    ///
    /// What only Windows reserves, such as `CON` or `?`, stays: browsers there rename it themselves.
    pub fn parse(text: &str) -> Result<FileName, BadName> {
        let last = text.rsplit(['/', '\\', ':']).next().unwrap_or_default();
        let kept: String = last.chars().filter(|c| !c.is_control() && !misleads(*c)).collect();
        match kept.trim_start().trim_end_matches(|c: char| c == '.' || c.is_whitespace()) {
            name if !name.chars().any(is_visible) => Err(BadName::Empty),
            name if name.len() > LONGEST => Err(BadName::TooLong(name.len())),
            name => Ok(FileName(name.to_owned())),
        }
    }

    /// A name that was taken before, maybe when less was refused: it stays what it was. `None` if it is empty.
    pub fn stored(text: &str) -> Option<FileName> {
        (!text.is_empty()).then(|| FileName(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }

    /// Pure ASCII, as metadata of an object must be.
    pub fn percent_encoded(&self) -> String {
        utf8_percent_encode(&self.0, ENCODED).to_string()
    }

    /// A header that makes a browser save the file under its name (RFC 6266): old clients read an
    /// ASCII stand-in, the others the name itself (RFC 8187).
    pub fn content_disposition(&self, format: Format) -> String {
        let name = self.ending_as(format);
        let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%');
        let stand_in: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
        let encoded = utf8_percent_encode(&name, ENCODED);
        format!("attachment; filename=\"{stand_in}\"; filename*=UTF-8''{encoded}")
    }

    /// The name with an extension of what the bytes are: systems go by it, and an image that is also a
    /// web page must not be opened as one.
    fn ending_as(&self, format: Format) -> Cow<'_, str> {
        let (_, extension) = self.0.rsplit_once('.').unwrap_or_default();
        if format.extensions().iter().any(|known| known.eq_ignore_ascii_case(extension)) {
            return Cow::Borrowed(&self.0);
        }
        // File systems take names as long as we do, so a longer one gives way to its extension.
        let extension = format.extension();
        let room = LONGEST - extension.len() - 1;
        Cow::Owned(format!("{}.{extension}", &self.0[..self.0.floor_char_boundary(room)]))
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

/// Marks that turn the direction of what is around them, line separators, and controls that Unicode has
/// given up.
fn misleads(c: char) -> bool {
    matches!(
        c,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{206F}' | '\u{FEFF}'
    )
}

/// Whether a character shows anything by itself. The standard library's own table for debugging escapes
/// what is no character that prints and what only changes the one before it; that leaves the letters and
/// the pattern that are blank.
fn is_visible(c: char) -> bool {
    const BLANK: [char; 5] = ['\u{115F}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{FFA0}'];
    // Quotes are escaped for another reason. Private characters are shown by those who agree on them.
    let shown = matches!(c, '"' | '\'' | '\\' | '\u{E000}'..='\u{F8FF}') || c.escape_debug().len() == 1;
    shown && !c.is_whitespace() && !BLANK.contains(&c)
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
        check_cleaned("photo\u{200F}gpj\u{200E}.\u{61C}exe\u{206A}", "photogpj.exe");
        check_cleaned("Macintosh HD:Pictures:猫.png", "猫.png");
        check_cleaned("a.png:evil.exe", "evil.exe");
        check_cleaned("a.png. . ", "a.png");
        check_cleaned(".png", ".png");
        check_cleaned("CON", "CON");
        check_cleaned("👩\u{200D}👩\u{200D}👧.png", "👩\u{200D}👩\u{200D}👧.png");
        check_cleaned("שלום.png", "שלום.png");
        check_cleaned("<script>'\"&.png", "<script>'\"&.png");
    }

    #[test]
    fn a_name_of_nothing_is_refused() {
        for text in [
            "",
            " ",
            "a/",
            "..",
            "a/..",
            ".",
            "\n\r",
            "\u{202E}",
            "a:",
            "...",
            ". .",
            "\u{200B}",
            "\u{3164}",
            "\u{115F}\u{1160}",
            "\u{2800}",
            "\u{FFA0}",
            "\u{E0061}\u{E007F}",
            "\u{FE0F}",
            "\u{E0100}",
            "\u{300}\u{20DD}",
            "\u{200D}\u{200C}",
            "\u{AD}\u{34F}\u{180B}\u{2060}",
            " \u{3000}\u{A0}",
        ] {
            assert_eq!(FileName::parse(text).unwrap_err().to_string(), "the file name is empty", "{text:?}");
        }
    }

    #[test]
    fn a_name_has_at_most_255_bytes_after_cleaning() {
        check_cleaned(&"あ".repeat(85), &"あ".repeat(85));
        check_cleaned(&format!("{}/{}", "x".repeat(1000), "あ".repeat(85)), &"あ".repeat(85));
        assert_eq!(
            FileName::parse(&format!("{}x", "あ".repeat(85))).unwrap_err().to_string(),
            "the file name has 256 bytes in UTF-8; at most 255 are taken"
        );
    }

    #[test]
    fn a_download_gets_an_ascii_stand_in_and_the_true_name() {
        assert_eq!(
            FileName::parse("写真 \"100%\" b.png").unwrap().content_disposition(Format::Png),
            "attachment; filename=\"__ _100__ b.png\"; \
             filename*=UTF-8''%E5%86%99%E7%9C%9F%20%22100%25%22%20b.png"
        );
    }

    #[test]
    fn any_visible_character_makes_a_name() {
        for text in
            ["a", "猫", "👩\u{200D}🚀", "🏴\u{E0067}\u{E007F}", "é", "-", "'", "\"", "\u{F8FF}", "\u{3164}a"]
        {
            check_cleaned(text, text);
        }
    }

    #[test]
    fn a_download_ends_as_what_its_bytes_are() {
        let long = "あ".repeat(85);
        for (name, format, saved) in [
            ("invoice.html", Format::Gif, "invoice.html.gif"),
            ("invoice", Format::Gif, "invoice.gif"),
            ("invoice.gif", Format::Gif, "invoice.gif"),
            ("A.JPEG", Format::Jpeg, "A.JPEG"),
            ("a.jpe", Format::Jpeg, "a.jpe"),
            ("a.jfif", Format::Jpeg, "a.jfif"),
            ("a.jpg", Format::Png, "a.jpg.png"),
            ("a.tif", Format::Tiff, "a.tif"),
            ("a.HIF", Format::Heic, "a.HIF"),
            ("a.heif", Format::Heic, "a.heif"),
            ("a.dib", Format::Bmp, "a.dib"),
            ("gif", Format::Gif, "gif.gif"),
            (".gif", Format::Gif, ".gif"),
            ("a.gif\u{200B}", Format::Gif, "a.gif\u{200B}.gif"),
            (&long, Format::WebP, &format!("{}.webp", "あ".repeat(83))),
        ] {
            let header = FileName::parse(name).unwrap().content_disposition(format);
            assert_eq!(from_content_disposition(&header).as_deref(), Some(saved), "{name}");
            assert!(saved.len() <= LONGEST);
        }
    }

    #[test]
    fn our_own_header_gives_the_name_back() {
        for name in ["猫.png", "a b.png", "it's; a=\"b\".png", "100%.png"] {
            let header = FileName::parse(name).unwrap().content_disposition(Format::Png);
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
