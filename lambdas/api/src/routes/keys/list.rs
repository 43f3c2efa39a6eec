//! `GET /keys`: what the caller's keys are called, may do, and when they were last used. Not the keys themselves,
//! of which only hashes are kept.

use catalog::log::Line;
use http::StatusCode;
use jiff::Timestamp;
use keys::wire::KeyList;

use super::kept;
use crate::answer::Answer;
use crate::caller::Caller;
use crate::reject::Reject;
use crate::request::Request;
use crate::service::Service;

pub async fn list(
    service: &Service,
    caller: &Caller,
    _: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let keys = line.timed("dynamodbQueryMs", kept(service)?.list(&caller.owner)).await?;
    let alive = keys.iter().filter(|key| !key.is_expired(now));
    Ok(service.answers.json(StatusCode::OK, &KeyList::new(alive)))
}
