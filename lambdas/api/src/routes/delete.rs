//! `DELETE /images/{imageId}`.
//!
//! The image is made invisible first, its object and its thumbnails are deleted second, and that this is done
//! is noted last. Each step can be repeated, and whatever breaks off in between is finished by repeating the
//! request:
//!
//! - Had the object gone first, a crash would leave a listed image that nobody can download.
//! - Had the record gone first, a crash would leave an object that nothing names.
//! - A record that is being deleted names its object, is in no index, and is no image to any client,
//!   but the next DELETE of it goes on where the last one stopped, and gets 204.
//!
//! Thumbnails that `process` is making right now it deletes by itself, when it finds the record changed. The
//! index follows the table within moments, and for as long a listing may still show the image.

use catalog::log::Line;
use jiff::Timestamp;

use super::find;
use crate::answer::Answer;
use crate::caller::Caller;
use crate::reject::Reject;
use crate::request::Request;
use crate::service::Service;

pub async fn delete(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    let image_id = find::image_id(&request, line)?;
    let hidden = line.timed("dynamodbUpdateMs", service.index.hide(image_id, &caller.owner, now)).await?;
    let record = hidden.ok_or_else(find::no_image)?;
    line.timed("s3DeleteMs", service.store.delete_all(&record)).await?;
    line.timed("dynamodbUpdateMs", service.index.mark_deleted(&record, now)).await?;
    Ok(service.answers.no_content())
}

#[cfg(test)]
mod tests {
    use catalog::testing::world::{Break, World};
    use serde_json::{Value, json};

    use crate::routes::upload::tests::{over, pixel, send_at};

    const NOW: &str = "2026-11-23T04:05:06.789Z";

    async fn uploaded(world: &World) -> String {
        let (_, _, image, _) = send_at(&over(&world.aws()), NOW, &pixel()).await;
        world.breaks(None);
        image["imageId"].as_str().unwrap().to_owned()
    }

    async fn delete(world: &World, id: &str) -> (u16, Value) {
        let event = json!({
            "httpMethod": "DELETE",
            "resource": "/images/{imageId}",
            "pathParameters": { "imageId": id },
        });
        let (status, answer, _, line) = send_at(&over(&world.aws()), NOW, &event).await;
        assert_eq!(answer.body.is_empty(), status == 204);
        assert_eq!(line["route"], "DELETE /images/{imageId}");
        (status, line)
    }

    #[tokio::test]
    async fn a_deleted_image_is_gone_and_stays_gone() {
        let world = World::default();
        let id = uploaded(&world).await;
        let (status, line) = delete(&world, &id).await;
        assert_eq!(status, 204);
        assert_eq!(line["imageId"], id.as_str());
        assert_eq!(world.calls(), ["UpdateItem", "DELETE object", "UpdateItem"]);
        assert!(world.objects().is_empty() && world.listed().is_empty());
        for _ in 0..2 {
            assert_eq!(delete(&world, &id).await.0, 404);
        }
    }

    #[tokio::test]
    async fn what_is_no_image_is_not_found() {
        let world = World::default();
        let claim = format!("idempotency#{}", "0".repeat(64));
        world.set(&claim, &json!({ "ImageStatus": { "S": "ready" } }));
        for id in ["", "7", &claim, "019aaf2c-0000-7000-8000-000000000001"] {
            assert_eq!(delete(&world, id).await.0, 404, "{id}");
        }
        let id = uploaded(&world).await;
        world.set(&id, &json!({ "ImageStatus": { "S": "pending" }, "ExpiresAt": { "N": "1795406706" } }));
        assert_eq!(delete(&world, &id).await.0, 404);
    }

    #[tokio::test]
    async fn a_deletion_that_broke_off_anywhere_is_finished_by_its_repetition() {
        for at in 0..3 {
            for takes_effect in [false, true] {
                let world = World::default();
                let id = uploaded(&world).await;
                world.breaks(Some(Break { at, takes_effect }));
                let (broken, _) = delete(&world, &id).await;
                let case = format!("{at} {takes_effect}");
                assert_eq!(broken, 500, "{case}");
                // Whatever is listed has its object, and every object is named by a record.
                assert!(world.listed().is_empty() || world.objects().len() == 1, "{case}");
                assert_eq!(world.records().into_keys().collect::<Vec<_>>(), [id.as_str()], "{case}");
                world.breaks(None);
                let expected = if (at, takes_effect) == (2, true) { 404 } else { 204 };
                assert_eq!(delete(&world, &id).await.0, expected, "{case}");
                assert!(world.objects().is_empty() && world.listed().is_empty(), "{case}");
                assert_eq!(delete(&world, &id).await.0, 404, "{case}");
            }
        }
    }

    #[tokio::test]
    async fn a_repeated_upload_does_not_bring_a_deleted_image_back() {
        let world = World::default();
        let mut event = pixel();
        event["headers"] = json!({ "Idempotency-Key": "order-7" });
        let upload = over(&world.aws());
        let (_, _, image, _) = send_at(&upload, NOW, &event).await;
        assert_eq!(delete(&world, image["imageId"].as_str().unwrap()).await.0, 204);
        let (status, _, problem, _) = send_at(&upload, NOW, &event).await;
        assert_eq!((status, &problem["field"]), (409, &json!("Idempotency-Key")));
        assert!(world.objects().is_empty() && world.listed().is_empty());
    }
}
