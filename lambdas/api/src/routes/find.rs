//! The image that a request's path names.

use catalog::log::Line;
use contract::IMAGE_ID_PARAMETER;
use image::record::{Record, parse_image_id};
use jiff::Timestamp;
use uuid::Uuid;

use crate::caller::Caller;
use crate::reject::{Problem, Reject};
use crate::request::{Request, RequestExt};
use crate::service::Service;

/// The id in the path, which becomes that of the log's line.
pub(super) fn image_id(request: &Request, line: &Line) -> Result<Uuid, Reject> {
    let image_id = request.path_parameter(IMAGE_ID_PARAMETER).and_then(parse_image_id);
    let image_id = image_id.ok_or_else(no_image)?;
    line.image(image_id);
    Ok(image_id)
}

/// Reads the table itself and not an index of it, so what was answered to an upload or a deletion
/// is true here at once. An image of somebody else is as one that is not there.
pub(super) async fn record(
    service: &Service,
    caller: &Caller,
    request: &Request,
    line: &Line,
    now: Timestamp,
) -> Result<Record, Reject> {
    let image_id = image_id(request, line)?;
    let record = line.timed("dynamodbGetMs", service.index.get(image_id)).await?;
    let is_theirs = |record: &Record| record.owner == caller.owner && record.is_visible(now);
    record.filter(is_theirs).ok_or_else(no_image)
}

pub(super) fn no_image() -> Reject {
    Reject::refused(Problem::NotFound, "there is no such image")
}
