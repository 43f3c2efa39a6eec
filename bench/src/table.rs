//! DynamoDB's side of a list: ready images in the order of both indexes, any number of them. It finds
//! its place at once, and notes what DynamoDB would have read.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use contract::{PUBLIC_OWNER, attribute, index};
use image::digest::Sha256;
use image::facts::{Derived, Facts};
use image::file_name::FileName;
use image::format::Format;
use image::item::{self, Value};
use image::owner::Owner;
use image::position::Position;
use image::record::Record;
use image::status::Status;
use image::thumbnails::{Thumbnail, Thumbnails};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// A Query reads by the 4 KB, for half a unit each if it need not be consistent:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>.
const READ_BYTES: usize = 4096;

pub(crate) struct Table {
    images: Vec<Image>,
    /// Where each partition of each index begins and ends in `images`, which are in the order of the
    /// sort key.
    partitions: BTreeMap<String, std::ops::Range<usize>>,
    pub(crate) last_day: String,
    read: Mutex<(f64, usize)>,
}

/// An image as JSON, and what an index knows of it.
struct Image {
    order: String,
    item: String,
    key: String,
}

/// As much of a Query as matters here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    index_name: String,
    expression_attribute_values: BTreeMap<String, Text>,
    scan_index_forward: bool,
    limit: usize,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

impl Table {
    /// Images of the last days, so many of them each day; the newest is of this moment in 2026.
    pub(crate) fn new(images: usize, per_day: f64) -> Table {
        let newest: Timestamp = Timestamp::from_millisecond(1_795_406_706_789).unwrap_or_default();
        let apart = SignedDuration::from_secs_f64(86_400.0 / per_day);
        let mut made: Vec<Image> = Vec::with_capacity(images);
        let mut partitions = BTreeMap::from([(PUBLIC_OWNER.to_owned(), 0..images)]);
        let mut last_day = String::new();
        for place in 0..images {
            let age = apart * i32::try_from(images - 1 - place).unwrap_or(i32::MAX);
            let image = Image::new(place, newest - age);
            image.order[..10].clone_into(&mut last_day);
            partitions.entry(last_day.clone()).or_insert(place..place).end = place + 1;
            made.push(image);
        }
        Table { images: made, partitions, last_day, read: Mutex::default() }
    }

    /// The answer to a Query.
    pub(crate) fn query(&self, query: &[u8]) -> anyhow::Result<String> {
        let query: Query = serde_json::from_slice(query).context("read a Query")?;
        anyhow::ensure!(
            [index::OWNER, index::UPLOAD_DATE].contains(&query.index_name.as_str()),
            "no index {}",
            query.index_name
        );
        let value = |name: &str| query.expression_attribute_values.get(name).map(|value| value.text.as_str());
        // The others that are measured ask for a whole partition, by another name.
        let partition = value(":partition").or(value(":owner")).unwrap_or_default();
        let partition = self.partitions.get(partition).cloned();
        let partition = self.images.get(partition.unwrap_or_default()).unwrap_or_default();
        let start = partition.partition_point(|image| Some(image.order.as_str()) < value(":low"));
        let high = value(":high").unwrap_or("~");
        let end = partition.partition_point(|image| image.order.as_str() <= high);
        let matching = partition.get(start..end).unwrap_or_default();
        let found: Vec<&Image> = if query.scan_index_forward {
            matching.iter().take(query.limit).collect()
        } else {
            matching.iter().rev().take(query.limit).collect()
        };
        let (count, items) = (found.len(), found.iter().map(|image| image.item.as_str()).collect::<Vec<_>>());
        let items = items.join(",");
        self.note(count, items.len());
        // DynamoDB goes on where it stopped, even if nothing is left there.
        let more = found.last().filter(|_| count == query.limit);
        let more = more.map_or_else(String::new, |last| format!(r#","LastEvaluatedKey":{}"#, last.key));
        Ok(format!(r#"{{"Count":{count},"ScannedCount":{count},"Items":[{items}]{more}}}"#))
    }

    #[expect(clippy::cast_precision_loss, reason = "a page has some kilobytes")]
    fn note(&self, items: usize, bytes: usize) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.0 += bytes.div_ceil(READ_BYTES) as f64 / 2.0;
        read.1 += items;
    }

    /// Read units and items since the last time that it was told to forget.
    pub(crate) fn read(&self) -> (f64, usize) {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn forget(&self) {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = (0.0, 0);
    }
}

impl Image {
    fn new(place: usize, at: Timestamp) -> Image {
        let record = record(place, at);
        let position = Position { at, image_id: record.image_id };
        let item = item::attributes(&record).into_iter().map(|(name, value)| match value {
            Value::Text(text) => (name.to_owned(), json!({ "S": text })),
            Value::Number(number) => (name.to_owned(), json!({ "N": number.to_string() })),
        });
        let item = serde_json::Value::Object(item.collect());
        let key = json!({
            attribute::IMAGE_ID: { "S": record.image_id.to_string() },
            attribute::OWNER: { "S": PUBLIC_OWNER },
            attribute::UPLOAD_ORDER: { "S": position.to_string() },
        });
        Image { order: position.to_string(), item: item.to_string(), key: key.to_string() }
    }
}

/// What a camera of today makes, with its thumbnails.
fn record(place: usize, at: Timestamp) -> Record {
    let thumbnail = |edge, height, size| Thumbnail { edge, width: edge, height, size };
    Record {
        image_id: Uuid::from_u128(0x019a_af2c_0000_7000_8000_0000_0000_0000 + place as u128),
        owner: Owner::public(),
        file_name: FileName::stored(&format!("夏の旅行 2026 ({place:06}).jpg")).expect("this is a name"),
        format: Format::Jpeg,
        size: 100_000 + 7919 * (place as u64 % 100),
        sha256: Sha256::parse(&format!("{place:064x}")),
        created_at: at,
        status: Status::Ready { width: 4032, height: 3024, ready_at: at },
        derived: Some(Derived {
            thumbnails: Thumbnails {
                format: Format::WebP,
                all: vec![
                    thumbnail(160, 120, 4996),
                    thumbnail(480, 360, 26_508),
                    thumbnail(1280, 960, 118_028),
                ],
            },
            thumb_hash: Some("1QcSHQRnh493V4dIh4eXh1h4kJUI".to_owned()),
            facts: Facts {
                captured_at: Some("2026-11-20T10:11:12+09:00".to_owned()),
                camera: Some("FUJIFILM X100V".to_owned()),
                orientation: Some(1),
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_query_finds_what_lies_between_and_reads_no_more() {
        let table = Table::new(1000, 100.0);
        let query = |partition: &str, low: &str, high: &str, forward: bool| {
            let values =
                json!({ ":partition": { "S": partition }, ":low": { "S": low }, ":high": { "S": high } });
            let name = if partition == PUBLIC_OWNER { index::OWNER } else { index::UPLOAD_DATE };
            let query = json!({
                "IndexName": name,
                "ExpressionAttributeValues": values,
                "ScanIndexForward": forward,
                "Limit": 51,
            });
            let found: Value =
                serde_json::from_str(&table.query(query.to_string().as_bytes()).unwrap()).unwrap();
            let last = found["Items"].as_array().unwrap().last().map(|item| item["UploadOrder"]["S"].clone());
            assert_eq!(found["LastEvaluatedKey"].is_object(), found["Count"] == 51);
            (found["Count"].as_u64().unwrap(), last.and_then(|order| order.as_str().map(str::to_owned)))
        };
        let (count, last) = query(PUBLIC_OWNER, "", "~", false);
        assert_eq!((count, last.unwrap()), (51, table.images[949].order.clone()));
        let (count, last) = query(&table.last_day, "", "~", true);
        let first = table.partitions[&table.last_day].start;
        assert_eq!((count, last), (1000 - first as u64, Some(table.images[999].order.clone())));
        let (low, high) = (table.images[3].order.clone(), table.images[7].order.clone());
        assert_eq!(query(PUBLIC_OWNER, &low, &high, true), (5, Some(high)));
        assert_eq!(query("2000-01-01", "", "~", true), (0, None));
        assert_eq!(table.read().1 as u64, 51 + 1000 - first as u64 + 5);
    }
}
