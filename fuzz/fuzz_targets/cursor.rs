//! A cursor that is understood is the one that this listing would make for that position; and a
//! question about a list is read or refused.

#![no_main]

use api::gateway::event;
use api::routes::list::query;
use catalog::cursor;
use catalog::listing::{Listing, Order, Scope};
use image::owner::Owner;
use image::position::Position;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use uuid::Uuid;

fuzz_target!(|bytes: &[u8]| {
    let owner = Owner::public();
    let scope = Scope::Range { from: None, to: None };
    let all = Listing { owner: owner.clone(), scope, order: Order::NewestFirst };
    let text = String::from_utf8_lossy(bytes);
    if let Some(position) = cursor::decode(&all, &text) {
        assert_eq!(cursor::encode(&all, position), text);
    }
    made_up_position(&all, bytes);

    // name=value pairs, so that the fuzzer can combine the parameters.
    let mut queries = serde_json::Map::new();
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let values = queries.entry(name).or_insert_with(|| json!([]));
        values.as_array_mut().expect("made one line above").push(value.into());
    }
    let event = json!({ "multiValueQueryStringParameters": queries });
    let Ok(wanted) = query::parse(&event::read(event.to_string().into_bytes()), owner) else { return };
    assert!((1..=200).contains(&wanted.limit));
    let _ = wanted.listing.partition();
    if let Some(bounds) = wanted.listing.bounds(wanted.after) {
        assert!(bounds.low <= bounds.high);
    }
});

/// Whatever a position is, its cursor leads back to it.
fn made_up_position(listing: &Listing, bytes: &[u8]) {
    let Some((at, rest)) = bytes.split_first_chunk() else { return };
    let Some((id, _)) = rest.split_first_chunk() else { return };
    let Ok(at) = Timestamp::from_millisecond(i64::from_le_bytes(*at)) else { return };
    let position = Position { at, image_id: Uuid::from_bytes(*id) };
    assert_eq!(cursor::decode(listing, &cursor::encode(listing, position)), Some(position));
}
