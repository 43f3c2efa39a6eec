//! Decides what becomes of a new object. Events come at least once, in any order and side by side, so
//! each begins by looking at what is there, and each write is on a condition that only one can meet.
//! Whoever comes too late looks again.

use anyhow::anyhow;
use catalog::failure::Failure;
use catalog::log::Line;
use image::record::{Record, image_of};
use image::status::Status;

use crate::adopt::adopt;
use crate::event::{Arrival, Way};
use crate::step::{Outcome, Process, Step};
use crate::{arrival, later, thumbnails};

/// How often others may be faster before the event is left to its next delivery.
const ROUNDS: usize = 4;

pub(crate) async fn handle(process: &Process, arrival: &Arrival, line: &Line) -> Result<Outcome, Failure> {
    let key = arrival.key.as_str();
    let Some(image_id) = image_of(key).filter(|_| arrival.bucket == process.bucket) else {
        return Ok(Outcome::Left);
    };
    line.image(image_id);
    if arrival.way != Way::Copied {
        // It starts while S3 and DynamoDB are waited for. Where it cannot, that is told when it is needed.
        process.maker.decoder.prepare().ok();
    }
    for _ in 0..ROUNDS {
        let record = line.timed("dynamodbGetMs", process.index.get(image_id)).await?;
        match step(process, record, arrival, line).await? {
            Step::End(outcome) => return Ok(outcome),
            Step::LookAgain => (),
        }
    }
    Err(Failure::Busy(anyhow!("process {key}: its record changed {ROUNDS} times meanwhile")))
}

async fn step(
    process: &Process,
    record: Option<Record>,
    arrival: &Arrival,
    line: &Line,
) -> Result<Step, Failure> {
    let Some(record) = record else { return adopt(process, &arrival.key, None, line).await };
    if record.object_key() != arrival.key {
        return Ok(Step::End(Outcome::Left));
    }
    match &record.status {
        // This function copies an object that it finishes, and hears of that while it is still at
        // work, or will be once more.
        Status::Pending { .. } if arrival.way == Way::Copied => Ok(Step::End(Outcome::Unchanged)),
        Status::Pending { .. } => arrival::finish(process, record, line).await,
        Status::Ready { .. } => later::check_ready(process, record, arrival, line).await,
        Status::Rejected { .. } | Status::Deleted { .. } => {
            later::check_settled(process, record, arrival, line).await
        }
        // A client is deleting it, or its deletion broke off. Two may do that side by side.
        Status::Deleting => {
            line.timed("s3DeleteMs", process.store.delete(&record)).await?;
            thumbnails::remove(process, &record, line).await?;
            line.timed("dynamodbUpdateMs", process.index.mark_deleted(&record, (process.clock)())).await?;
            Ok(Step::End(Outcome::Gone))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
