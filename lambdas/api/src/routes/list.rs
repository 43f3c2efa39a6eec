//! `GET /list`: a page of images, each with links to itself and its thumbnails, and a cursor where there is
//! more.

use catalog::cursor;
use catalog::log::Line;
use http::StatusCode;
use image::wire::{Image, ImageList};
use jiff::Timestamp;

use crate::answer::Answer;
use crate::caller::Caller;
use crate::reject::Reject;
use crate::request::Request;
use crate::service::Service;

pub mod query;

pub async fn list(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let wanted = query::parse(&request, caller.owner.clone())?;
    let page = service.index.page(&wanted.listing, wanted.after, wanted.limit);
    let page = line.timed("dynamodbQueryMs", page).await?;
    let mut images = Vec::with_capacity(page.records.len());
    for record in page.records {
        let links = service.store.links(&record, now);
        images.extend(Image::new(record, links));
    }
    let next_cursor = page.next.map(|position| cursor::encode(&wanted.listing, position));
    Ok(service.answers.json(StatusCode::OK, &ImageList::new(images, next_cursor)))
}

#[cfg(test)]
pub(super) mod tests;
