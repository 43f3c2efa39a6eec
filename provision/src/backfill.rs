//! Has `process` do what it has not done yet, for every object: old images that have no thumbnails, uploads
//! whose event got lost, objects without a record, or with one that says they were rejected or deleted; and
//! finish deletions that broke off.
//!
//! What is done is skipped by its record, so it can be stopped and run again at any moment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use contract::Function;
use futures_util::{FutureExt, StreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::aws::dynamodb::Standing;
use crate::aws::lambda::Call;
use crate::aws::{Aws, dynamodb, lambda, s3};
use crate::interrupt::{GracefulStop, Interrupted};
use crate::stack::id::Purpose;
use crate::stack::place::Names;

/// Before a second and a third attempt: AWS may be slow or refuse for a moment.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// What became of the objects.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub objects: usize,
    /// Images whose deletion broke off, by the index; `process` was asked about each.
    pub deletions: usize,
    /// Objects that need nothing, by their records.
    pub skipped: usize,
    /// Objects that `process` was asked about, by what it said became of them: `done`, `unchanged`, `rejected`,
    /// `left`, `gone`.
    pub processed: BTreeMap<String, usize>,
    /// By key, why.
    pub failed: BTreeMap<String, String>,
    #[serde(skip)]
    pub took: Duration,
}

/// Walks all objects, and asks about `parallelism` of them at once. `progress` hears of every page, and of
/// every object that was asked about.
pub async fn run(
    aws: &Aws,
    names: &Names,
    parallelism: usize,
    progress: impl Fn(&Outcome),
) -> anyhow::Result<Outcome> {
    let walk = Walk { aws, names, parallelism, start: Instant::now(), stop: GracefulStop::begin() };
    let mut outcome = Outcome::default();
    let mut token = None;
    loop {
        let (keys, next) = dynamodb::page_of_deletions(aws, &names.table(Purpose::Metadata), token).await?;
        outcome.deletions += keys.len();
        walk.ask(keys, &mut outcome, &progress).await?;
        token = next;
        if token.is_none() {
            break;
        }
    }
    let mut token = None;
    loop {
        let (keys, next) = s3::objects::page_of_keys(aws, &names.bucket, token).await?;
        let count = keys.len();
        let undone = undone(aws, names, keys).await?;
        outcome.objects += count;
        outcome.skipped += count - undone.len();
        walk.ask(undone, &mut outcome, &progress).await?;
        token = next;
        if token.is_none() {
            return Ok(outcome);
        }
    }
}

struct Walk<'a> {
    aws: &'a Aws,
    names: &'a Names,
    parallelism: usize,
    start: Instant,
    stop: GracefulStop,
}

impl Walk<'_> {
    /// Asks `process` about a page of objects, and ends in good order where the run is interrupted.
    async fn ask(
        &self,
        keys: Vec<String>,
        outcome: &mut Outcome,
        progress: &impl Fn(&Outcome),
    ) -> anyhow::Result<()> {
        let ask = async |key: String| (process(self.aws, self.names, &key).await, key);
        let mut asked = stream::iter(keys)
            // Those that run are waited for; no further one is begun.
            .take_until(Box::pin(self.stop.requested()))
            .map(ask)
            .buffer_unordered(self.parallelism);
        while let Some((answer, key)) = asked.next().await {
            match answer? {
                Ok(what) => *outcome.processed.entry(what).or_default() += 1,
                Err(why) => {
                    outcome.failed.insert(key, why);
                }
            }
            outcome.took = self.start.elapsed();
            progress(outcome);
        }
        outcome.took = self.start.elapsed();
        progress(outcome);
        match self.stop.requested().now_or_never() {
            Some(()) => Err(Interrupted { left: None }.into()),
            None => Ok(()),
        }
    }
}

/// Returns the keys of those objects that `process` has not finished.
async fn undone(aws: &Aws, names: &Names, keys: Vec<String>) -> anyhow::Result<Vec<String>> {
    let ids: Vec<&str> = keys.iter().map(|key| image_id(key)).collect();
    let standings = dynamodb::standings(aws, &names.table(Purpose::Metadata), &ids).await?;
    let is_done = |key: &String| standings.get(image_id(key)) == Some(&Standing::Done);
    Ok(keys.iter().filter(|key| !is_done(key)).cloned().collect())
}

/// `uploads/{imageId}.{ext}`; of another key whatever it holds, which is the id of no record.
fn image_id(key: &str) -> &str {
    let name = key.strip_prefix(contract::UPLOADS_PREFIX).unwrap_or(key);
    name.split_once('.').map_or(name, |(id, _)| id)
}

/// What `process` says became of the object, or why it failed, after as many attempts as an event has.
async fn process(aws: &Aws, names: &Names, key: &str) -> anyhow::Result<Result<String, String>> {
    let event = event(&names.bucket, key);
    let mut pauses = PAUSES.into_iter();
    loop {
        let failed = match lambda::call(aws, names, Function::Process, &event).await? {
            Call::Failed(why) => why,
            Call::Done(answer) => {
                return Ok(said(&answer, key).ok_or_else(|| format!("process answers {answer}")));
            }
        };
        match pauses.next() {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Ok(Err(failed)),
        }
    }
}

fn said(answer: &Value, key: &str) -> Option<String> {
    const OUTCOMES: [&str; 5] = ["done", "unchanged", "rejected", "left", "gone"];
    let about = answer.as_array()?.iter().find(|entry| entry["key"] == key)?;
    about["outcome"].as_str().filter(|what| OUTCOMES.contains(what)).map(str::to_owned)
}

/// As S3 tells of a new object, in what `process` reads of it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
fn event(bucket: &str, key: &str) -> Value {
    // As an HTML form is encoded, with slashes left as they are.
    const FORM: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*');
    let key = utf8_percent_encode(key, FORM).to_string().replace("%20", "+");
    json!({"Records": [{
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_as_s3_tells_it() {
        let told = |key| event("b", key)["Records"][0]["s3"]["object"]["key"].clone();
        assert_eq!(told("uploads/a-1.jpg"), "uploads/a-1.jpg");
        assert_eq!(told("uploads/my cat+é.jpg"), "uploads/my+cat%2B%C3%A9.jpg");
    }

    #[test]
    fn an_answer_counts_where_it_is_about_the_object() {
        let said = |answer: Value| said(&answer, "uploads/a.jpg");
        assert_eq!(said(json!([{"key": "uploads/a.jpg", "outcome": "done"}])).as_deref(), Some("done"));
        for foreign in [json!([]), json!(null), json!([{"key": "uploads/b.jpg", "outcome": "done"}])] {
            assert_eq!(said(foreign), None);
        }
        assert_eq!(said(json!([{"key": "uploads/a.jpg", "outcome": "eaten"}])), None);
    }

    #[test]
    fn an_id_is_what_a_key_holds_of_one() {
        assert_eq!(image_id("uploads/0190.jpg"), "0190");
        assert_eq!(image_id("uploads/copy of 0190"), "copy of 0190");
        assert_eq!(image_id("uploads/"), "");
    }
}
