//! `GET /images/{imageId}/thumbnail`: the way to the thumbnail that is nearest to a width.

use catalog::log::Line;
use jiff::Timestamp;

use super::find;
use crate::answer::Answer;
use crate::caller::Caller;
use crate::reject::{Problem, Reject};
use crate::request::{Request, RequestExt};
use crate::service::Service;

pub async fn thumbnail(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let width = width(&request)?;
    let record = find::record(service, caller, &request, line, now).await?;
    let none = |detail| Reject::refused(Problem::NotFound, detail);
    let derived = record.derived.as_ref().ok_or_else(|| none("there are no thumbnails of it yet"))?;
    let thumbnails = &derived.thumbnails;
    let nearest = thumbnails.nearest(width);
    let nearest = nearest.ok_or_else(|| none("no thumbnail could be made of this image"))?;
    let link = service.store.thumbnail_link(&record, nearest.edge, thumbnails.format, now);
    service.answers.redirect(&link.url)
}

/// The width that a client wants a thumbnail of, in pixels.
fn width(request: &Request) -> Result<u32, Reject> {
    let mut width = None;
    for (name, value) in request.queries() {
        if name != "width" {
            return Err(Reject::invalid(name.to_owned(), "there is no such parameter; there is width"));
        }
        if width.replace(value).is_some() {
            return Err(Reject::invalid("width", "this was given twice"));
        }
    }
    let width = width.ok_or_else(|| Reject::invalid("width", "this is missing; say how many pixels"))?;
    match width.parse() {
        Ok(pixels @ 1..=65_535) if !width.starts_with('+') => Ok(pixels),
        _ => Err(Reject::invalid("width", "this is no whole number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::routes::list::tests::{get, holding, item, with_thumbnails};

    #[tokio::test]
    async fn a_thumbnail_is_found_by_its_width() {
        let id = "019aaf2c-0000-7000-8000-000000000001";
        let asked = |width: &str| {
            json!({
                "resource": "/images/{imageId}/thumbnail",
                "pathParameters": { "imageId": id },
                "queryStringParameters": { "width": width },
            })
        };
        let list = holding(&with_thumbnails());
        for (width, edge) in [("1", 160), ("319", 160), ("320", 480), ("65535", 480)] {
            let (status, answer, _, line) = get(&list, &asked(width)).await;
            assert_eq!((status, &line["imageId"]), (307, &json!(id)));
            let url = answer.headers["location"].to_str().unwrap();
            assert!(url.contains(&format!("/thumbnails/{id}/{edge}.webp?")), "{url}");
        }
        for width in ["0", "-1", "+1", "65536", "wide", "", "1.5"] {
            let (status, _, problem, _) = get(&list, &asked(width)).await;
            assert_eq!((status, &problem["field"]), (400, &json!("width")), "{width}");
        }
        let mut none = item(1);
        assert_eq!(get(&holding(&none), &asked("160")).await.0, 404);
        none["Thumbnails"] = json!({ "S": "" });
        let (status, _, problem, _) = get(&holding(&none), &asked("160")).await;
        assert_eq!((status, &problem["detail"]), (404, &json!("no thumbnail could be made of this image")));
    }
}
