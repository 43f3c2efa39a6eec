//! Decides what `GET /list` and `GET /images/{imageId}` do: a page of records, each with links to its
//! image and thumbnails, and a cursor where there is more; one record, whatever has become of its
//! image; or the way to one thumbnail.

use catalog::answer::{Answer, Answers, Problem, Reject};
use catalog::cursor;
use catalog::index::Index;
use catalog::log::Line;
use catalog::store::Store;
use contract::{IMAGE_ID_PARAMETER, path};
use gateway::request::{Request, unrouted};
use http::StatusCode;
use image::record::{Record, parse_image_id};
use image::wire::{AnyImage, Image, ImageList};
use jiff::Timestamp;

use crate::query;

pub(crate) struct List {
    pub(crate) store: Store,
    pub(crate) index: Index,
    pub(crate) answers: Answers,
}

impl List {
    /// Answers a request, whatever happens.
    pub(crate) async fn answer(&self, request: &Request, line: &Line, now: Timestamp) -> Answer {
        let outcome = match (request.method(), request.resource()) {
            ("GET", path::LIST) => self.list(request, line, now).await,
            ("GET", path::IMAGE) => self.show(request, line, now).await,
            ("GET", path::THUMBNAIL) => self.thumbnail(request, line, now).await,
            (_, resource) => Err(unrouted(resource)),
        };
        self.answers.settle(outcome, line)
    }

    async fn list(&self, request: &Request, line: &Line, now: Timestamp) -> Result<Answer, Reject> {
        let asked = query::parse(request)?;
        let page = self.index.page(&asked.listing, asked.after, asked.limit);
        let page = line.timed("dynamodbQueryMs", page).await?;
        let mut images = Vec::with_capacity(page.records.len());
        for record in page.records {
            let links = self.store.links(&record, now);
            images.extend(Image::new(record, links));
        }
        let next_cursor = page.next.map(|position| cursor::encode(&asked.listing, position));
        Ok(self.answers.json(StatusCode::OK, &ImageList::new(images, next_cursor)))
    }

    async fn show(&self, request: &Request, line: &Line, now: Timestamp) -> Result<Answer, Reject> {
        let record = self.record(request, line, now).await?;
        let image = AnyImage::new(record, |record| self.store.links(record, now));
        Ok(self.answers.json(StatusCode::OK, &image.ok_or_else(nothing)?))
    }

    async fn thumbnail(&self, request: &Request, line: &Line, now: Timestamp) -> Result<Answer, Reject> {
        let width = query::width(request)?;
        let record = self.record(request, line, now).await?;
        let none = |detail| Reject::refused(Problem::NotFound, detail);
        let derived = record.derived.as_ref().ok_or_else(|| none("there are no thumbnails of it yet"))?;
        let thumbnails = &derived.thumbnails;
        let nearest = thumbnails.nearest(width);
        let nearest = nearest.ok_or_else(|| none("no thumbnail could be made of this image"))?;
        let link = self.store.thumbnail_link(&record, nearest.edge, thumbnails.format, now);
        self.answers.redirect(&link.url)
    }

    /// Reads the table itself and not an index of it, so what was answered to an upload or a deletion
    /// is true here at once.
    async fn record(&self, request: &Request, line: &Line, now: Timestamp) -> Result<Record, Reject> {
        let image_id = request.path_parameter(IMAGE_ID_PARAMETER).and_then(parse_image_id);
        let image_id = image_id.ok_or_else(nothing)?;
        line.image(image_id);
        let record = line.timed("dynamodbGetMs", self.index.get(image_id)).await?;
        record.filter(|record| record.is_visible(now)).ok_or_else(nothing)
    }
}

fn nothing() -> Reject {
    Reject::refused(Problem::NotFound, "there is no such image")
}

#[cfg(test)]
mod tests {
    use catalog::testing::world::World;
    use catalog::testing::{Calls, aws, dynamodb_error};
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn item(number: usize) -> Value {
        let id = format!("019aaf2c-0000-7000-8000-{number:012}");
        json!({
            "ImageID": { "S": id },
            "FileName": { "S": "猫.png" },
            "ContentType": { "S": "image/png" },
            "Size": { "N": "70" },
            "Width": { "N": "3" },
            "Height": { "N": "2" },
            "Sha256": { "S": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
            "S3ObjectKey": { "S": format!("uploads/{id}.png") },
            "ImageStatus": { "S": "ready" },
            "CreatedAt": { "S": "2026-11-23T04:05:06.789Z" },
            "UploadDate": { "S": "2026-11-23" },
            "UploadOrder": { "S": format!("2026-11-23T04:05:06.789Z#{id}") },
            "Owner": { "S": "public" },
        })
    }

    /// A table with some images, all of which each Query finds, up to its limit.
    fn list(images: usize) -> (List, Calls) {
        let (aws, calls) = aws(move |call| {
            let limit = usize::try_from(call.json()["Limit"].as_u64().unwrap()).unwrap();
            let items: Vec<_> = (1..=images).rev().take(limit).map(item).collect();
            (200, json!({ "Items": items }).to_string())
        });
        (over(&aws), calls)
    }

    fn over(aws: &catalog::aws::Aws) -> List {
        List {
            store: Store::new(aws, "pictures"),
            index: Index::new(aws, "records"),
            answers: Answers::new(HeaderValue::from_static("https://pix.example")),
        }
    }

    /// The answer's status, the answer, its body, and the line that is logged.
    async fn get(list: &List, event: &Value) -> (u16, Answer, Value, Value) {
        let mut whole = json!({ "httpMethod": "GET", "resource": "/list" });
        whole.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
        let now = "2026-11-23T05:00:00Z".parse().unwrap();
        let line = Line::new("request", "cloudpix-list", false);
        let request = Request::parse(whole.to_string().into_bytes());
        let answer = list.answer(&request, &line, now).await;
        let body = serde_json::from_str(&answer.body).unwrap_or_default();
        let line = line.json(&answer, now);
        (answer.status.as_u16(), answer, body, line)
    }

    fn image(id: &str) -> Value {
        json!({ "resource": "/images/{imageId}", "pathParameters": { "imageId": id } })
    }

    fn queries(queries: &Value) -> Value {
        json!({ "queryStringParameters": queries })
    }

    #[tokio::test]
    async fn an_image_is_listed_whole_with_its_own_link() {
        let (list, calls) = list(1);
        let (status, response, mut page, line) = get(&list, &json!({})).await;
        let url = page["images"][0]["downloadUrl"].take();
        assert!(
            url.as_str().unwrap().contains("/uploads/019aaf2c-0000-7000-8000-000000000001.png?"),
            "{url}"
        );
        assert_eq!(status, 200);
        assert_eq!(response.headers["vary"], "Origin");
        assert_eq!(
            page,
            json!({
                "images": [{
                    "imageId": "019aaf2c-0000-7000-8000-000000000001",
                    "status": "ready",
                    "fileName": "猫.png",
                    "contentType": "image/png",
                    "size": 70,
                    "width": 3,
                    "height": 2,
                    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                    "uploadDate": "2026-11-23",
                    "uploadedAt": "2026-11-23T04:05:06.789Z",
                    "downloadUrl": null,
                    "downloadUrlExpiresAt": "2026-11-23T05:15:00.000Z",
                }],
                "count": 1,
            })
        );
        assert_eq!(calls.names(), ["Query"]);
        assert!(line["dynamodbQueryMs"].is_number(), "{line}");
        assert!(!line.to_string().contains("X-Amz"), "{line}");
    }

    #[tokio::test]
    async fn nothing_found_is_an_empty_list() {
        let (_, _, page, _) = get(&list(0).0, &json!({})).await;
        assert_eq!(page, json!({ "images": [], "count": 0 }));
    }

    #[tokio::test]
    async fn a_cursor_goes_on_right_behind_the_last_image_of_a_page() {
        let (list, calls) = list(3);
        let (_, _, page, _) = get(&list, &queries(&json!({ "limit": "2", "date": "2026-11-23" }))).await;
        assert_eq!(page["count"], 2);
        let next = json!({ "limit": "2", "date": "2026-11-23", "cursor": page["nextCursor"] });
        assert_eq!(get(&list, &queries(&next)).await.0, 200);
        let second = calls.all().remove(1).json();
        assert_eq!(second["ExclusiveStartKey"], Value::Null);
        assert_eq!(
            second["ExpressionAttributeValues"][":high"]["S"],
            "2026-11-23T04:05:06.789Z#019aaf2c-0000-7000-8000-000000000001~"
        );
    }

    #[tokio::test]
    async fn the_last_page_has_no_cursor() {
        let (_, _, page, _) = get(&list(2).0, &queries(&json!({ "limit": "2" }))).await;
        assert_eq!((&page["count"], page.get("nextCursor")), (&json!(2), None));
    }

    #[tokio::test]
    async fn a_refused_request_calls_nobody() {
        let (list, calls) = list(1);
        for (event, status, field) in [
            (json!({ "resource": "/other" }), 404, Value::Null),
            (json!({ "httpMethod": "POST" }), 405, Value::Null),
            (json!({ "resource": "/images/{imageId}" }), 404, Value::Null),
            (image("7"), 404, Value::Null),
            (image(&format!("idempotency#{}", "0".repeat(64))), 404, Value::Null),
            (queries(&json!({ "date": "2026-02-30" })), 400, json!("date")),
            (queries(&json!({ "limit": "0" })), 400, json!("limit")),
            (queries(&json!({ "cursor": "foreign" })), 400, json!("cursor")),
        ] {
            let (found, response, problem, _) = get(&list, &event).await;
            assert_eq!((found, &problem["field"]), (status, &field));
            assert_eq!(response.headers["content-type"], "application/problem+json");
            assert_eq!(response.headers["access-control-allow-origin"], "https://pix.example");
        }
        assert!(calls.all().is_empty());
    }

    #[tokio::test]
    async fn a_failure_of_aws_is_told_without_its_text() {
        for (code, status) in [("ThrottlingException", 503), ("ResourceNotFoundException", 500)] {
            let (aws, _) = aws(move |_| (400, dynamodb_error(code)));
            for event in [json!({}), image("019aaf2c-0000-7000-8000-000000000001")] {
                let (found, response, problem, line) = get(&over(&aws), &event).await;
                assert_eq!(found, status);
                assert_eq!(response.headers.contains_key("retry-after"), status == 503);
                assert!(!problem.to_string().contains(code), "{problem}");
                assert!(line["causes"][0].as_str().unwrap().contains(code), "{line}");
            }
        }
    }

    /// A table that holds one item, whichever is asked for.
    fn holding(item: &Value) -> List {
        let answer = json!({ "Item": item }).to_string();
        over(&aws(move |_| (200, answer.clone())).0)
    }

    #[tokio::test]
    async fn an_image_is_shown_as_it_is_listed() {
        let (_, _, page, _) = get(&list(1).0, &json!({})).await;
        let id = "019aaf2c-0000-7000-8000-000000000001";
        let (status, _, shown, line) = get(&holding(&item(1)), &image(id)).await;
        assert_eq!((status, &shown), (200, &page["images"][0]));
        assert_eq!((&line["imageId"], &line["status"]), (&json!(id), &json!(200)));
        assert!(line["dynamodbGetMs"].is_number(), "{line}");
    }

    fn with_thumbnails() -> Value {
        let mut item = item(1);
        for (name, value) in [
            ("Thumbnails", json!({ "S": "webp:160=160x107/5123,480=480x320/20111" })),
            ("ThumbHash", json!({ "S": "1QcSHQRnh493V4dIh4eXh1h4kJUI" })),
            ("CapturedAt", json!({ "S": "2026-11-20T10:11:12" })),
            ("Camera", json!({ "S": "FUJIFILM X100V" })),
            ("Orientation", json!({ "N": "6" })),
        ] {
            item[name] = value;
        }
        item
    }

    #[tokio::test]
    async fn an_image_shows_its_thumbnails_and_what_its_camera_told() {
        let id = "019aaf2c-0000-7000-8000-000000000001";
        let (status, _, mut shown, _) = get(&holding(&with_thumbnails()), &image(id)).await;
        assert_eq!(status, 200);
        for (place, edge) in [(0, 160), (1, 480)] {
            let url = shown["thumbnails"][place]["url"].take();
            assert!(url.as_str().unwrap().contains(&format!("/thumbnails/{id}/{edge}.webp?")), "{url}");
        }
        assert_eq!(
            shown["thumbnails"],
            json!([
                { "url": null, "width": 160, "height": 107, "size": 5123 },
                { "url": null, "width": 480, "height": 320, "size": 20111 },
            ])
        );
        for (name, value) in [
            ("thumbHash", json!("1QcSHQRnh493V4dIh4eXh1h4kJUI")),
            ("capturedAt", json!("2026-11-20T10:11:12")),
            ("camera", json!("FUJIFILM X100V")),
            ("orientation", json!(6)),
        ] {
            assert_eq!(shown[name], value);
        }
    }

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

    #[tokio::test]
    async fn an_image_that_is_not_ready_is_shown_without_a_link_until_it_expires() {
        let id = "019aaf2c-0000-7000-8000-000000000001";
        let unfinished = |status: &str, expires_at: &str| {
            let mut item = item(1);
            item["ImageStatus"] = json!({ "S": status });
            item["ExpiresAt"] = json!({ "N": expires_at });
            item["RejectReason"] = json!({ "S": "this is no image" });
            item
        };
        // The moment of the request is 1,795,410,000.
        for status in ["pending", "rejected"] {
            let (found, _, shown, _) = get(&holding(&unfinished(status, "1795410001")), &image(id)).await;
            assert_eq!(found, 200);
            let mut expected = json!({
                "imageId": id,
                "status": status,
                "fileName": "猫.png",
                "contentType": "image/png",
                "size": 70,
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            });
            if status == "rejected" {
                expected["reason"] = "this is no image".into();
            }
            assert_eq!(shown, expected);
            assert_eq!(get(&holding(&unfinished(status, "1795410000")), &image(id)).await.0, 404);
        }
        for status in ["deleting", "deleted"] {
            assert_eq!(get(&holding(&unfinished(status, "1795496400")), &image(id)).await.0, 404);
        }
        assert_eq!(get(&holding(&Value::Null), &image(id)).await.0, 404);
    }

    proptest! {
        #[test]
        fn any_event_gets_an_answer(event in gateway::testing::event()) {
            let list = over(&World::default().aws());
            let answer = gateway::testing::block_on(&async |line| {
                list.answer(&Request::parse(event.clone()), line, Timestamp::UNIX_EPOCH).await
            });
            gateway::testing::check_answer(&answer, &[200, 400, 404, 405]);
        }
    }
}
