//! Examples for tests.

use uuid::Uuid;

use crate::digest::Sha256;
use crate::facts::{Derived, Facts};
use crate::file_name::FileName;
use crate::format::Format;
use crate::owner::Owner;
use crate::record::Record;
use crate::status::Status;
use crate::thumbnails::{Thumbnail, Thumbnails};

/// A ready image of 3 x 2 pixels, named 写真.png, and everybody's.
pub fn record() -> Record {
    let ready_at = jiff::Timestamp::from_millisecond(1_795_406_706_789).unwrap_or_default();
    Record {
        image_id: Uuid::from_u128(0x019a_af2c_0000_7000_8000_0000_0000_0001),
        owner: Owner::public(),
        file_name: FileName::parse("写真.png").unwrap_or_else(|_| unreachable!("this is a name")),
        format: Format::Png,
        size: 3,
        sha256: Some(Sha256::of(b"abc")),
        created_at: ready_at,
        status: Status::Ready { width: 3, height: 2, ready_at },
        derived: None,
    }
}

/// Somebody who has signed in.
pub fn alice() -> Owner {
    Owner::user("4f8c7a52-1b0e-4d8a-9c55-0f1e2d3c4b5a").unwrap_or_else(|| unreachable!("this is an owner"))
}

/// What may be made of an image of 300 x 200 pixels.
pub fn derived() -> Derived {
    let thumbnail = |edge, width, height, size| Thumbnail { edge, width, height, size };
    Derived {
        thumbnails: Thumbnails {
            format: Format::WebP,
            all: vec![thumbnail(160, 160, 107, 5123), thumbnail(480, 300, 200, 20111)],
        },
        thumb_hash: Some("1QcSHQRnh493V4dIh4eXh1h4kJUI".to_owned()),
        facts: Facts {
            captured_at: Some("2026-11-20T10:11:12+09:00".to_owned()),
            camera: Some("FUJIFILM X100V".to_owned()),
            orientation: Some(6),
        },
    }
}
