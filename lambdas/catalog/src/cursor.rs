//! Where a walk over the pages of a listing stands, in one opaque word. It holds a position and a
//! checksum over it and the question asked, so a cut or changed word, or one of another listing, is
//! noticed. The checksum is no secret: whoever makes up a cursor only starts elsewhere in a listing
//! that is open to them anyway. Whose listing it is, no cursor says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use image::digest::Sha256;
use image::position::Position;
use jiff::Timestamp;
use uuid::Uuid;

use crate::listing::Listing;

/// Changes whenever what is below would be read differently.
const VERSION: u8 = 1;
const CHECKSUM_LENGTH: usize = 12;
const LENGTH: usize = 1 + 8 + 16 + CHECKSUM_LENGTH;

pub fn encode(listing: &Listing, position: Position) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(VERSION);
    bytes.extend(position.at.as_millisecond().to_be_bytes());
    bytes.extend(position.image_id.as_bytes());
    bytes.extend(checksum(listing, &bytes));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position, if this is a cursor that was made for this very listing.
pub fn decode(listing: &Listing, text: &str) -> Option<Position> {
    let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (body, checked) = bytes.split_at(LENGTH - CHECKSUM_LENGTH);
    if checksum(listing, body) != *checked {
        return None;
    }
    let (version, rest) = body.split_first()?;
    let (at, image_id) = rest.split_first_chunk()?;
    (*version == VERSION).then_some(Position {
        at: Timestamp::from_millisecond(i64::from_be_bytes(*at)).ok()?,
        image_id: Uuid::from_slice(image_id).ok()?,
    })
}

fn checksum(listing: &Listing, body: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let covered = [body, listing.fingerprint().as_bytes()].concat();
    Sha256::of(&covered).truncated()
}

#[cfg(test)]
mod tests {
    use image::owner::Owner;

    use super::*;
    use crate::listing::{Order, Scope};

    fn listings() -> Vec<Listing> {
        let moment = |text: &str| Some(text.parse().unwrap());
        let (early, late) = (moment("2026-11-23T00:00:00Z"), moment("2026-11-24T00:00:00Z"));
        let scopes = [
            Scope::Day(jiff::civil::date(2026, 11, 23)),
            Scope::Day(jiff::civil::date(2026, 11, 24)),
            Scope::Range { from: None, to: None },
            Scope::Range { from: early, to: None },
            Scope::Range { from: None, to: early },
            Scope::Range { from: early, to: late },
        ];
        let mut listings = Vec::new();
        for scope in scopes {
            for order in [Order::NewestFirst, Order::OldestFirst] {
                for owner in [Owner::public(), image::testing::alice()] {
                    listings.push(Listing { owner, scope: scope.clone(), order });
                }
            }
        }
        listings
    }

    /// This one was made before images had owners.
    #[test]
    fn a_cursor_of_before_is_still_understood() {
        let scope = Scope::Day(jiff::civil::date(2026, 11, 23));
        let listing = Listing { owner: Owner::public(), scope, order: Order::NewestFirst };
        assert_eq!(encode(&listing, position()), "AQAAAaIGlDhlAZoAAAAAAAAAAAAAAAAAADSIO4w-TTy-Db0_-Q");
    }

    fn position() -> Position {
        Position { at: "2026-11-23T04:05:06.789Z".parse().unwrap(), image_id: Uuid::from_u128(0x019a << 112) }
    }

    #[test]
    fn a_cursor_is_understood_by_its_own_listing_only() {
        for made_for in listings() {
            let cursor = encode(&made_for, position());
            for listing in listings() {
                let expected = (listing == made_for).then(position);
                assert_eq!(decode(&listing, &cursor), expected, "{made_for:?} {listing:?}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let listing = &listings()[0];
        let cursor = encode(listing, position());
        for index in 0..cursor.len() {
            for bit in 0..7 {
                let mut bytes = cursor.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                let text = String::from_utf8(bytes).unwrap();
                assert_eq!(decode(listing, &text), None, "{text}");
            }
        }
    }

    #[test]
    fn a_cut_or_foreign_word_is_noticed() {
        let listing = &listings()[0];
        let cursor = encode(listing, position());
        for length in 0..cursor.len() {
            assert_eq!(decode(listing, &cursor[..length]), None);
        }
        for text in ["?", "null", "猫", &format!("{cursor}A"), &format!("{cursor}="), &"A".repeat(5000)] {
            assert_eq!(decode(listing, text), None, "{text}");
        }
    }

    #[test]
    fn another_version_is_not_read() {
        let listing = &listings()[0];
        let mut bytes = URL_SAFE_NO_PAD.decode(encode(listing, position())).unwrap();
        bytes.truncate(LENGTH - CHECKSUM_LENGTH);
        bytes[0] = VERSION + 1;
        bytes.extend(checksum(listing, &bytes));
        assert_eq!(decode(listing, &URL_SAFE_NO_PAD.encode(bytes)), None);
    }
}
