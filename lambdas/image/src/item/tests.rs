use std::collections::HashMap;

use super::*;
use crate::{metadata, testing};

#[track_caller]
fn check_round_trip(record: &Record) {
    let item: HashMap<_, _> = attributes(record)
        .into_iter()
        .map(|(name, value)| match value {
            Value::Text(text) => (name, text),
            Value::Number(number) => (name, number.to_string()),
        })
        .collect();
    let back = read(|name| item.get(name).map(String::as_str)).unwrap();
    assert_eq!(back, *record);
}

#[test]
fn a_record_comes_back_from_its_item() {
    let ready = testing::record();
    let expires_at = "2026-11-23T05:20:06Z".parse().unwrap();
    check_round_trip(&ready);
    check_round_trip(&Record { derived: Some(testing::derived()), ..ready.clone() });
    check_round_trip(&Record { derived: Some(Derived::default()), ..ready.clone() });
    for status in [
        Status::Pending { expires_at },
        Status::Rejected { expires_at, reason: "it is no image".to_owned() },
        Status::Deleting,
        Status::Deleted { expires_at },
    ] {
        check_round_trip(&Record { sha256: None, status, ..ready.clone() });
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
fn a_pending_record_is_in_no_index_and_expires() {
    let expires_at = "2026-11-23T05:20:06Z".parse().unwrap();
    let pending = Record { status: Status::Pending { expires_at }, ..testing::record() };
    let attributes: HashMap<_, _> = attributes(&pending).into_iter().collect();
    for name in ["UploadDate", "UploadOrder", "Owner"] {
        assert_eq!(attributes.get(name), None, "{name}");
    }
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
