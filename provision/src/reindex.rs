//! Builds the table again from the bucket alone: every object carries what its record needs.
//!
//! Records that are there stay as they are, so it may run while the service does, and be run again.

use futures_util::{StreamExt, TryStreamExt, stream};
use image::metadata;
use serde::Serialize;

use crate::aws::{Aws, dynamodb, s3};
use crate::stack::id::Purpose;
use crate::stack::place::Names;

/// Objects at once. A request each to S3 and DynamoDB, both of which take thousands a second.
const PARALLEL: usize = 32;

/// What became of the objects.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    pub objects: usize,
    /// Records that were missing.
    pub written: usize,
    /// Objects that have a record.
    pub present: usize,
    /// Keys of objects that do not say enough, such as one sent to a presigned URL and not checked yet.
    pub unclear: Vec<String>,
}

enum Found {
    Written,
    Present,
    Unclear(String),
    Gone,
}

/// Reads every object, and writes the records that are missing. `progress` hears of every page.
pub async fn run(aws: &Aws, names: &Names, progress: impl Fn(&Outcome)) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut token = None;
    loop {
        let (keys, next) = s3::objects::page_of_keys(aws, &names.bucket, token).await?;
        let mut found = stream::iter(keys).map(|key| index(aws, names, key)).buffer_unordered(PARALLEL);
        while let Some(found) = found.try_next().await? {
            match found {
                Found::Written => outcome.written += 1,
                Found::Present => outcome.present += 1,
                Found::Unclear(key) => outcome.unclear.push(key),
                Found::Gone => continue,
            }
            outcome.objects += 1;
        }
        progress(&outcome);
        if next.is_none() {
            outcome.unclear.sort();
            return Ok(outcome);
        }
        token = next;
    }
}

async fn index(aws: &Aws, names: &Names, key: String) -> anyhow::Result<Found> {
    let Some(object) = s3::objects::head(aws, &names.bucket, key).await? else { return Ok(Found::Gone) };
    let lookup = |name: &str| object.metadata.get(name).map(String::as_str);
    let Ok(record) = metadata::read(&object.key, &object.content_type, object.size, lookup) else {
        return Ok(Found::Unclear(object.key));
    };
    let written = dynamodb::put_if_absent(aws, &names.table(Purpose::Metadata), &record).await?;
    Ok(if written { Found::Written } else { Found::Present })
}
