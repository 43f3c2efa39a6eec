//! What parent and child say to each other on the child's standard streams: frames of JSON behind their
//! length, four bytes with the lowest first, and the files themselves as they are.
//!
//! The parent sends a [`Job`] and the picture. The child sends a [`Greeting`] when it is locked up, the
//! picture's [`Facts`] before it touches a pixel, an [`Answer`], and the thumbnails. A child that has read
//! a picture may be the picture's, so nothing that it says is believed before it is looked at.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thumbnail::{Facts, Made, Output, Settings, Thumbnail, Unmade};

/// Bytes of the longest frame. Eight thumbnails take less than one thousand.
pub const MAX_FRAME: usize = 16 * 1024;
/// Bytes of all thumbnails of a picture. Those of eight sizes up to 4096 take a few millions.
const MAX_THUMBNAILS: usize = 64 << 20;
/// Bytes of a thumbnail that has no pixel, and of each pixel: more than either format writes.
const MAX_HEAD: usize = 64 * 1024;
const MAX_PIXEL: usize = 4;
const MAX_HASH: usize = 40;
const MAX_CAMERA: usize = 64;
/// `2024-05-01T12:34:56+02:00`
const MAX_MOMENT: usize = 25;
/// Characters of what a decoder says that are kept.
pub const MAX_TEXT: usize = 200;

/// What is to be made of a picture of `size` bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    edges: Vec<u32>,
    /// As [`Output::named`] reads it.
    format: String,
    quality: u8,
    max_pixels: u64,
    max_memory: u64,
    pub size: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Greeting {
    /// Why the kernel refused the filter of system calls, if it did.
    pub unfiltered: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Told {
    captured_at: Option<String>,
    camera: Option<String>,
    orientation: Option<u8>,
}

/// The thumbnails' bytes follow it, one behind the other.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Why there are none.
    unmade: Option<String>,
    thumbnails: Vec<Announced>,
    thumb_hash: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Announced {
    edge: u32,
    width: u32,
    height: u32,
    size: usize,
}

impl Job {
    pub fn new(settings: &Settings, size: usize) -> Job {
        let format = match settings.format {
            Output::Webp => "webp",
            Output::Jpeg => "jpeg",
        };
        Job {
            edges: settings.edges.clone(),
            format: format.to_owned(),
            quality: settings.quality,
            max_pixels: settings.max_pixels,
            max_memory: settings.max_memory,
            size,
        }
    }

    pub fn settings(&self) -> Option<Settings> {
        Some(Settings {
            edges: self.edges.clone(),
            format: Output::named(&self.format)?,
            quality: self.quality,
            max_pixels: self.max_pixels,
            max_memory: self.max_memory,
        })
    }
}

impl Told {
    pub fn new(facts: Facts) -> Told {
        let Facts { captured_at, camera, orientation } = facts;
        Told { captured_at, camera, orientation }
    }

    /// Without what no EXIF can have said.
    pub fn checked(self) -> Facts {
        let moment = |text: &String| {
            text.len() <= MAX_MOMENT
                && text.bytes().all(|byte| matches!(byte, b'0'..=b':' | b'T' | b'+' | b'-'))
        };
        let name = |text: &String| {
            !text.is_empty() && text.chars().count() <= MAX_CAMERA && !text.chars().any(char::is_control)
        };
        Facts {
            captured_at: self.captured_at.filter(moment),
            camera: self.camera.filter(name),
            orientation: self.orientation.filter(|orientation| (1..=8).contains(orientation)),
        }
    }
}

impl Answer {
    /// With the bytes that follow.
    pub fn new(made: Result<Made, Unmade>) -> (Answer, Vec<Vec<u8>>) {
        let (unmade, Made { thumbnails, thumb_hash }) = match made {
            Ok(made) => (None, made),
            Err(cause) => {
                (Some(plain(&cause.to_string())), Made { thumbnails: Vec::new(), thumb_hash: Vec::new() })
            }
        };
        let announced = thumbnails.iter().map(|thumbnail| Announced {
            edge: thumbnail.edge,
            width: thumbnail.width,
            height: thumbnail.height,
            size: thumbnail.bytes.len(),
        });
        let answer = Answer { unmade, thumbnails: announced.collect(), thumb_hash };
        (answer, thumbnails.into_iter().map(|thumbnail| thumbnail.bytes).collect())
    }

    /// How many bytes each thumbnail has, or why there are none.
    ///
    /// # Errors
    /// It is no answer to what was asked: other sizes, larger ones, too many bytes.
    pub fn sizes(&self, settings: &Settings) -> Result<Result<Vec<usize>, String>, &'static str> {
        if let Some(cause) = &self.unmade {
            return Ok(Err(plain(cause)));
        }
        let mut edges = settings.edges.clone();
        edges.sort_unstable();
        let asked = self.thumbnails.len() <= edges.len()
            && self.thumbnails.iter().zip(edges).all(|(thumbnail, edge)| thumbnail.edge == edge);
        if !asked || self.thumbnails.is_empty() {
            return Err("thumbnails that nobody asked for");
        }
        if !self.thumbnails.iter().all(Announced::is_possible) || self.thumb_hash.len() > MAX_HASH {
            return Err("thumbnails that cannot be");
        }
        let sizes: Vec<usize> = self.thumbnails.iter().map(|thumbnail| thumbnail.size).collect();
        if sizes.iter().fold(0, |sum: usize, size| sum.saturating_add(*size)) > MAX_THUMBNAILS {
            return Err("too many bytes");
        }
        Ok(Ok(sizes))
    }

    /// `files` has as many bytes as [`Answer::sizes`] says.
    ///
    /// # Errors
    /// A file is not of the format that was asked for.
    pub fn made(self, files: Vec<Vec<u8>>, settings: &Settings) -> Result<Made, &'static str> {
        let begins = |file: &[u8]| match settings.format {
            Output::Webp => file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WEBP"),
            Output::Jpeg => file.starts_with(&[0xff, 0xd8, 0xff]),
        };
        if !files.iter().all(|file| begins(file)) {
            return Err("files of another format");
        }
        let thumbnails = self.thumbnails.into_iter().zip(files).map(|(announced, bytes)| {
            let Announced { edge, width, height, .. } = announced;
            Thumbnail { edge, width, height, bytes }
        });
        Ok(Made { thumbnails: thumbnails.collect(), thumb_hash: self.thumb_hash })
    }
}

impl Announced {
    fn is_possible(&self) -> bool {
        let sides = 1..=self.edge;
        let pixels = (self.width as usize).saturating_mul(self.height as usize);
        sides.contains(&self.width)
            && sides.contains(&self.height)
            && self.size <= pixels.saturating_mul(MAX_PIXEL).saturating_add(MAX_HEAD)
    }
}

/// One line of what somebody says, without control characters, and not too long for a log.
pub fn plain(text: &str) -> String {
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    line.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

/// A value as a frame.
pub fn frame<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes()[..], &json].concat())
}

/// How long the frame is that begins with these bytes, if it may be so long.
pub fn length(head: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(head)).ok().filter(|length| *length <= MAX_FRAME)
}

pub fn send<T: Serialize>(to: &mut impl Write, value: &T) -> io::Result<()> {
    to.write_all(&frame(value)?)?;
    to.flush()
}

pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let mut json = vec![0; length(head).ok_or_else(|| io::Error::other("a frame is too long"))?];
    from.read_exact(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn settings() -> Settings {
        let edges = vec![160, 480];
        Settings { edges, format: Output::Webp, quality: 78, max_pixels: 1, max_memory: 1 }
    }

    fn thumbnail(edge: u32, width: u32, height: u32, size: u64) -> Value {
        json!({ "edge": edge, "width": width, "height": height, "size": size })
    }

    fn answer(thumbnails: &[Value], hash: usize) -> Answer {
        let answer = json!({ "unmade": null, "thumbnails": thumbnails, "thumb_hash": vec![7; hash] });
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let good = thumbnail(160, 160, 107, 5000);
        let sizes = answer(&[good.clone(), thumbnail(480, 320, 480, 9000)], 25).sizes(&settings());
        assert_eq!(sizes, Ok(Ok(vec![5000, 9000])));
        for (thumbnails, hash, why) in [
            (vec![], 25, "asked for"),
            (vec![thumbnail(480, 320, 480, 9)], 25, "asked for"),
            (vec![good.clone(), thumbnail(481, 320, 480, 9)], 25, "asked for"),
            (vec![good.clone(), thumbnail(480, 1, 1, 9), thumbnail(480, 1, 1, 9)], 25, "asked for"),
            (vec![thumbnail(160, 161, 107, 9)], 25, "cannot be"),
            (vec![thumbnail(160, 160, 0, 9)], 25, "cannot be"),
            (vec![thumbnail(160, 1, 1, 70_000)], 25, "cannot be"),
            (vec![thumbnail(160, 160, 160, u64::MAX)], 25, "cannot be"),
            (vec![good], 41, "cannot be"),
        ] {
            let error = answer(&thumbnails, hash).sizes(&settings()).unwrap_err();
            assert!(error.contains(why), "{thumbnails:?}: {error}");
        }
        let large = Settings { edges: vec![4096, 4097], ..settings() };
        let each = 40 << 20;
        let both = [thumbnail(4096, 4096, 4096, each), thumbnail(4097, 4097, 4097, each)];
        assert_eq!(answer(&both, 0).sizes(&large), Err("too many bytes"));
    }

    #[test]
    fn a_thumbnail_is_of_the_format_that_was_asked_for() {
        let (webp, jpeg) = (b"RIFF\0\0\0\0WEBPVP8 ".to_vec(), b"\xff\xd8\xff\xe0".to_vec());
        let asked = |format| Settings { format, ..settings() };
        let one = || answer(&[thumbnail(160, 160, 107, 9)], 25);
        for (format, right, wrong) in [(Output::Webp, &webp, &jpeg), (Output::Jpeg, &jpeg, &webp)] {
            let made = one().made(vec![right.clone()], &asked(format)).unwrap();
            assert_eq!((&made.thumbnails[0].bytes, made.thumbnails[0].width), (right, 160));
            for wrong in [wrong, &b"<svg>".to_vec(), &vec![]] {
                one().made(vec![wrong.clone()], &asked(format)).unwrap_err();
            }
        }
    }

    #[test]
    fn facts_that_no_exif_can_tell_are_none() {
        let told = |captured_at: &str, camera: &str, orientation: u8| {
            let (captured_at, camera) = (Some(captured_at.to_owned()), Some(camera.to_owned()));
            Told { captured_at, camera, orientation: Some(orientation) }.checked()
        };
        let moment = "2024-05-01T12:34:56+02:00";
        let facts = told(moment, "尼康 Z 9", 8);
        assert_eq!(facts.captured_at.as_deref(), Some(moment));
        assert_eq!((facts.camera.as_deref(), facts.orientation), (Some("尼康 Z 9"), Some(8)));
        let long = "x".repeat(65);
        for (moment, camera, orientation) in
            [("2024\n", "a\u{7}b", 0), (&long[..], &long[..], 9), ("<b>", "", 255)]
        {
            assert_eq!(told(moment, camera, orientation), Facts::default());
        }
    }

    #[test]
    fn a_log_gets_a_line() {
        let panic = "\nthread 'main' panicked at src/x.rs:1:2:\nindex\u{1b}[2J out of bounds\nnote: run\n";
        let line = "thread 'main' panicked at src/x.rs:1:2:; index[2J out of bounds; note: run";
        assert_eq!(plain(panic), line);
        assert_eq!(plain(&"長".repeat(1000)).chars().count(), MAX_TEXT);
    }

    proptest! {
        #[test]
        fn no_frame_is_too_much(bytes: Vec<u8>, edge: u32, sides: (u32, u32), size: usize) {
            receive::<Answer>(&mut &bytes[..]).ok();
            let announced = vec![Announced { edge, width: sides.0, height: sides.1, size }];
            let answer = Answer { unmade: None, thumbnails: announced, thumb_hash: bytes };
            let sizes = answer.sizes(&Settings { edges: vec![edge], ..settings() });
            prop_assert!(sizes.is_err() || size <= MAX_THUMBNAILS);
        }
    }
}
