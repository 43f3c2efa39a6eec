use std::collections::HashMap;

use super::*;
use crate::{metadata, testing};

#[track_caller]
fn check_round_trip(record: &Record) {
    let item = attributes(record).into_iter().map(|(name, value)| (name, spelled(value)));
    let item: HashMap<_, _> = item.collect();
    let back = read(|name| item.get(name).map(String::as_str)).unwrap();
    assert_eq!(back, *record);
}

#[test]
fn a_record_comes_back_from_its_item() {
    let ready = testing::record();
    check_round_trip(&ready);
    check_round_trip(&Record { derived: Some(testing::derived()), ..ready.clone() });
    check_round_trip(&Record { derived: Some(Derived::default()), ..ready.clone() });
    check_round_trip(&Record { owner: testing::alice(), ..ready.clone() });
    for status in unready() {
        check_round_trip(&Record { sha256: None, status: status.clone(), ..ready.clone() });
        check_round_trip(&Record { owner: testing::alice(), status, ..ready.clone() });
    }
}

fn unready() -> [Status; 4] {
    let expires_at = "2026-11-23T05:20:06Z".parse().unwrap();
    [
        Status::Pending { expires_at },
        Status::Rejected { expires_at, reason: "it is no image".to_owned() },
        Status::Deleting,
        Status::Deleted { expires_at },
    ]
}

#[test]
fn a_record_of_before_that_names_no_owner_is_everybodys_unless_it_is_ready() {
    for status in unready().into_iter().chain([testing::record().status]) {
        let record = Record { owner: testing::alice(), status, ..testing::record() };
        let item = attributes(&record).into_iter().filter(|(name, _)| !name.ends_with("Owner"));
        let item: HashMap<_, _> = item.map(|(name, value)| (name, spelled(value))).collect();
        // So the functions of before hid a record.
        let hidden = Some(contract::DELETING_OWNER).filter(|_| record.status == Status::Deleting);
        let lookup = |name: &str| match name {
            OWNER => hidden,
            name => item.get(name).map(String::as_str),
        };
        match record.status {
            Status::Ready { .. } => {
                assert_eq!(read(lookup).unwrap_err().to_string(), "Owner is missing");
            }
            _ => assert_eq!(read(lookup).unwrap().owner, Owner::public(), "{record:?}"),
        }
    }
}

fn spelled(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        Value::Number(number) => number.to_string(),
    }
}

#[test]
fn a_name_that_would_be_refused_today_is_read_as_it_was_taken() {
    let (file_name, record) = (FileName::stored("12:30 \u{3164}."), testing::record());
    let record = Record { file_name: file_name.unwrap(), ..record };
    check_round_trip(&record);
    let metadata: HashMap<_, _> = metadata::pairs(&record).into_iter().collect();
    let lookup = |name: &str| metadata.get(name).map(String::as_str);
    let rebuilt = metadata::read(&record.object_key(), record.format.media_type(), record.size, lookup);
    assert_eq!(rebuilt.unwrap().file_name, record.file_name);
}

#[test]
fn a_ready_record_has_the_keys_of_the_indexes() {
    let attributes: HashMap<_, _> = attributes(&testing::record()).into_iter().collect();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(attributes["UploadDate"], text("2026-11-23"));
    assert_eq!(
        attributes["UploadOrder"],
        text("2026-11-23T04:05:06.789Z#019aaf2c-0000-7000-8000-000000000001")
    );
    assert_eq!(attributes["Owner"], text("public"));
    assert_eq!(attributes.get("ExpiresAt"), None);
}

#[test]
fn only_what_is_everybodys_is_listed_by_its_day() {
    let hers = Record { owner: testing::alice(), ..testing::record() };
    let attributes: HashMap<_, _> = attributes(&hers).into_iter().collect();
    assert_eq!(attributes["Owner"], Value::Text(testing::alice().to_string()));
    assert!(attributes.contains_key("UploadOrder") && !attributes.contains_key("UploadDate"));
}

#[test]
fn a_pending_record_is_in_no_index_and_expires() {
    let expires_at = "2026-11-23T05:20:06Z".parse().unwrap();
    let pending = Record { status: Status::Pending { expires_at }, ..testing::record() };
    let attributes: HashMap<_, _> = attributes(&pending).into_iter().collect();
    // An index wants both of its keys, so an owner alone is in none.
    for name in ["UploadDate", "UploadOrder"] {
        assert_eq!(attributes.get(name), None, "{name}");
    }
    assert_eq!(attributes["Owner"], Value::Text("public".to_owned()));
    assert_eq!(attributes["ExpiresAt"], Value::Number(1_795_411_206));
}

#[test]
fn a_broken_item_is_an_error_that_names_the_attribute() {
    let read = |status: &'static str| {
        read(move |name| match name {
            "ImageID" => Some("019aaf2c-0000-7000-8000-000000000001"),
            "ImageStatus" => Some(status),
            _ => None,
        })
    };
    assert_eq!(read("ready").unwrap_err().to_string(), "Width is missing");
    assert_eq!(read("lost").unwrap_err().to_string(), "ImageStatus is unknown: lost");
}
