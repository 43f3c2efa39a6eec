//! `GET /images/{imageId}`: one image, whatever has become of it.

use catalog::log::Line;
use http::StatusCode;
use image::wire::AnyImage;
use jiff::Timestamp;

use super::find;
use crate::answer::Answer;
use crate::caller::Caller;
use crate::reject::Reject;
use crate::request::Request;
use crate::service::Service;

pub async fn show(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let record = find::record(service, caller, &request, line, now).await?;
    let image = AnyImage::new(record, |record| service.store.links(record, now));
    Ok(service.answers.json(StatusCode::OK, &image.ok_or_else(find::no_image)?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::routes::list::tests::{get, holding, image, item, list, with_thumbnails};

    #[tokio::test]
    async fn an_image_is_shown_as_it_is_listed() {
        let (_, _, page, _) = get(&list(1).0, &json!({})).await;
        let id = "019aaf2c-0000-7000-8000-000000000001";
        let (status, _, shown, line) = get(&holding(&item(1)), &image(id)).await;
        assert_eq!((status, &shown), (200, &page["images"][0]));
        assert_eq!((&line["imageId"], &line["status"]), (&json!(id), &json!(200)));
        assert!(line["dynamodbGetMs"].is_number(), "{line}");
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
}
