//! `DELETE /keys/{keyId}`. From then on no new policy is made for the key; one that API Gateway has of it counts for
//! as long as it keeps policies, a minute at most.

use catalog::log::Line;
use contract::KEY_ID_PARAMETER;
use jiff::Timestamp;
use uuid::Uuid;

use super::kept;
use crate::answer::Answer;
use crate::caller::Caller;
use crate::reject::{Problem, Reject};
use crate::request::{Request, RequestExt};
use crate::service::Service;

pub async fn revoke(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    _: Timestamp,
) -> Result<Answer, Reject> {
    let kept = kept(service)?;
    let key_id = request.path_parameter(KEY_ID_PARAMETER).and_then(parse).ok_or_else(no_key)?;
    let was_there = line.timed("dynamodbDeleteMs", kept.delete(&caller.owner, key_id)).await?;
    if was_there { Ok(service.answers.no_content()) } else { Err(no_key()) }
}

/// An id has one spelling only.
fn parse(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|key_id| key_id.to_string() == text)
}

fn no_key() -> Reject {
    Reject::refused(Problem::NotFound, "there is no such key")
}
