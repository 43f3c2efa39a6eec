//! Decides what `POST /upload` does. An image that came along is stored, object first and record
//! second, and either both remain or neither; for one that is only announced, a URL is signed.

use std::collections::BTreeMap;

use catalog::answer::{Answer, Answers, Problem, Reject};
use catalog::index::Index;
use catalog::log;
use catalog::picture;
use catalog::record::{Record, Status, new_image_id, rfc3339};
use catalog::store::{LINK_LIFE, Store, UploadLink};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use lambda_http::Body;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse};
use serde::Serialize;

use crate::asked::{Announced, Asked, Inline};
use crate::request;

const PATH: &str = "/upload";

/// How much longer than its URL a pending record lives: an upload that begins in the last second
/// may take a while.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

pub(crate) struct Upload {
    pub store: Store,
    pub index: Index,
    pub answers: Answers,
    pub max_pixels: u64,
    pub max_upload_bytes: u64,
}

impl Upload {
    /// Answers a request, whatever happens.
    pub(crate) async fn answer(
        &self,
        event: ApiGatewayProxyRequest,
        request_id: &str,
        now: Timestamp,
    ) -> ApiGatewayProxyResponse {
        let answer = self.answers.settle(self.decide(event, request_id, now).await, request_id);
        let mut response = ApiGatewayProxyResponse::default();
        response.status_code = answer.status.as_u16().into();
        response.headers = answer.headers;
        response.body = Some(Body::Text(answer.body));
        response
    }

    async fn decide(
        &self,
        event: ApiGatewayProxyRequest,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Answer, Reject> {
        if event.resource.as_deref() != Some(PATH) {
            return Err(Reject::refused(Problem::NotFound, "there is nothing here"));
        }
        if event.http_method != Method::POST {
            let problem = Problem::MethodNotAllowed { allow: "POST" };
            return Err(Reject::refused(problem, "use POST"));
        }
        match request::parse(event, self.max_upload_bytes)? {
            Asked::Inline(inline) => self.take(inline, request_id, now).await,
            Asked::Announced(announced) => self.await_upload(announced, now).await,
        }
    }

    /// Stores an image that came along, and answers once all of it is there.
    ///
    /// The moment it counts as ready is set before the object is written, because the object says so
    /// too: a record rebuilt from it must have the same place in every listing.
    async fn take(&self, inline: Inline, request_id: &str, now: Timestamp) -> Result<Answer, Reject> {
        let picture = picture::inspect(&inline.bytes, inline.declared, self.max_pixels)?;
        let record = Record {
            image_id: new_image_id(now),
            file_name: inline.file_name,
            format: picture.format,
            size: inline.bytes.len() as u64,
            sha256: Some(inline.sha256),
            created_at: now,
            status: Status::ready(picture.width, picture.height, now),
        };
        let download = self.store.download_link(&record, now).await?;
        if let Err(reject) = self.store.put(&record, inline.bytes).await {
            // An answer that got lost may hide an object that was stored.
            if matches!(reject, Reject::Busy(_)) {
                self.forget_object(&record, request_id).await;
            }
            return Err(reject);
        }
        if let Err(reject) = self.index.put(&record).await {
            tokio::join!(self.forget_record(&record, request_id), self.forget_object(&record, request_id));
            return Err(try_again(reject));
        }
        let answer = self.answers.json(StatusCode::CREATED, &record.view(download));
        Ok(answer.located_at(record.image_id))
    }

    /// Signs a URL for an image that is to come, and keeps a pending record of it.
    async fn await_upload(&self, announced: Announced, now: Timestamp) -> Result<Answer, Reject> {
        let record = Record {
            image_id: new_image_id(now),
            file_name: announced.file_name,
            format: announced.format,
            size: announced.size,
            sha256: announced.sha256,
            created_at: now,
            status: Status::Pending { expires_at: now + LINK_LIFE + GRACE },
        };
        let upload = self.store.upload_link(&record, now).await?;
        self.index.put(&record).await?;
        let answer = self.answers.json(StatusCode::CREATED, &Pending::new(&record, upload));
        Ok(answer.located_at(record.image_id))
    }

    async fn forget_object(&self, record: &Record, request_id: &str) {
        if let Err(Reject::Busy(cause) | Reject::Internal(cause)) = self.store.delete(record).await {
            log::failure(request_id, &cause.context("take back an upload, its object may remain"));
        }
    }

    async fn forget_record(&self, record: &Record, request_id: &str) {
        if let Err(Reject::Busy(cause) | Reject::Internal(cause)) = self.index.delete(record).await {
            log::failure(request_id, &cause.context("take back an upload, its record may remain"));
        }
    }
}

/// An upload URL, as an answer. `openapi.yaml` describes it as `PendingImage`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pending {
    image_id: String,
    status: &'static str,
    upload_url: String,
    method: &'static str,
    headers: BTreeMap<String, String>,
    expires_at: String,
}

impl Pending {
    fn new(record: &Record, upload: UploadLink) -> Pending {
        Pending {
            image_id: record.image_id.to_string(),
            status: record.status.name(),
            upload_url: upload.link.url,
            method: "PUT",
            headers: upload.headers,
            expires_at: rfc3339(upload.link.expires_at),
        }
    }
}

/// Whatever kept the record from being written, nothing was stored and the client may try again.
fn try_again(reject: Reject) -> Reject {
    match reject {
        Reject::Internal(cause) => Reject::Busy(cause),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use catalog::testing::{Call, Calls, aws, dynamodb_error, empty_aws, s3_error};
    use contract::{Function, Route};
    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    /// A PNG of one pixel.
    const PIXEL: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

    fn upload((aws, calls): (catalog::aws::Aws, Calls)) -> (Upload, Calls) {
        let upload = Upload {
            store: Store::new(&aws, "pictures"),
            index: Index::new(&aws, "records"),
            answers: Answers::new(HeaderValue::from_static("*")),
            max_pixels: 100,
            max_upload_bytes: 1000,
        };
        (upload, calls)
    }

    /// An AWS where some calls fail.
    fn failing(script: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static) -> (Upload, Calls) {
        upload(aws(move |call: &Call| script(&call.name).unwrap_or_else(|| (200, "{}".to_owned()))))
    }

    async fn send(upload: &Upload, event: &Value) -> (i64, ApiGatewayProxyResponse, Value) {
        let mut whole = json!({
            "httpMethod": "POST",
            "resource": "/upload",
            "headers": { "Content-Type": "application/json" },
            "requestContext": { "httpMethod": "POST" },
        });
        whole.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
        let now = "2026-11-23T04:05:06.789Z".parse().unwrap();
        let response = upload.answer(serde_json::from_value(whole).unwrap(), "request", now).await;
        let Some(Body::Text(body)) = response.body.clone() else { panic!("no text: {response:?}") };
        (response.status_code, response, serde_json::from_str(&body).unwrap())
    }

    fn pixel() -> Value {
        json!({ "body": json!({ "fileName": "猫.png", "data": PIXEL }).to_string() })
    }

    #[test]
    fn the_route_is_the_one_that_is_provisioned() {
        let route = Route { method: "POST", path: PATH, function: Function::Upload };
        assert!(contract::ROUTES.contains(&route));
    }

    #[tokio::test]
    async fn an_image_is_stored_object_first_and_answered_whole() {
        let (upload, calls) = upload(empty_aws());
        let (status, response, mut image) = send(&upload, &pixel()).await;
        assert_eq!(status, 201);
        assert_eq!(calls.names(), ["PUT object", "PutItem"]);
        let id = image["imageId"].as_str().unwrap().to_owned();
        assert_eq!(response.headers["location"], format!("/images/{id}"));
        let url = image["downloadUrl"].take();
        assert!(url.as_str().unwrap().contains(&format!("/uploads/{id}.png?")), "{url}");
        assert_eq!(
            image,
            json!({
                "imageId": id,
                "status": "ready",
                "fileName": "猫.png",
                "contentType": "image/png",
                "size": 70,
                "width": 1,
                "height": 1,
                "sha256": image["sha256"],
                "uploadDate": "2026-11-23",
                "uploadedAt": "2026-11-23T04:05:06.789Z",
                "downloadUrl": null,
                "downloadUrlExpiresAt": "2026-11-23T04:20:06.789Z",
            })
        );
        let [object, record] = <[Call; 2]>::try_from(calls.all()).unwrap();
        assert_eq!(object.body.len(), 70);
        assert!(object.uri.contains(&format!("/uploads/{id}.png")), "{}", object.uri);
        let item = &record.json()["Item"];
        assert_eq!(item["UploadOrder"]["S"], format!("2026-11-23T04:05:06.789Z#{id}"));
        assert_eq!(item["S3ObjectKey"]["S"], format!("uploads/{id}.png"));
    }

    #[tokio::test]
    async fn an_announced_image_gets_a_url_and_a_pending_record() {
        let (upload, calls) = upload(empty_aws());
        let body = json!({ "fileName": "猫.png", "contentType": "image/png", "size": 70 }).to_string();
        let (status, response, answer) = send(&upload, &json!({ "body": body })).await;
        assert_eq!(status, 201);
        let id = answer["imageId"].as_str().unwrap();
        assert_eq!(response.headers["location"], format!("/images/{id}"));
        assert_eq!(
            answer,
            json!({
                "imageId": id,
                "status": "pending",
                "uploadUrl": answer["uploadUrl"],
                "method": "PUT",
                "headers": {
                    "content-length": "70",
                    "content-type": "image/png",
                    "if-none-match": "*",
                    "x-amz-meta-file-name": "%E7%8C%AB.png",
                },
                "expiresAt": "2026-11-23T04:20:06.789Z",
            })
        );
        assert_eq!(calls.names(), ["PutItem"]);
        let call = calls.all().remove(0).json();
        assert_eq!(call["Item"]["ImageStatus"]["S"], "pending");
        // 05:20:06, an hour after the URL.
        assert_eq!(call["Item"]["ExpiresAt"]["N"], "1795411206");
        assert_eq!(call["ConditionExpression"], "attribute_not_exists(#id)");
    }

    #[tokio::test]
    async fn a_refused_request_calls_nobody() {
        let (upload, calls) = upload(empty_aws());
        let wide = "R0lGODlhZQABAIAAAAAAAA==";
        for (event, status, kind) in [
            (json!({ "resource": "/other" }), 404, "not-found"),
            (json!({ "resource": null }), 404, "not-found"),
            (json!({ "httpMethod": "PUT" }), 405, "method-not-allowed"),
            (json!({ "body": null }), 400, "bad-request"),
            (json!({ "body": r#"{"fileName":"a","data":"YWJj"}"# }), 415, "unsupported-media-type"),
            (json!({ "body": json!({ "fileName": "a", "data": wide }).to_string() }), 422, "too-many-pixels"),
            (
                json!({ "body": r#"{"fileName":"a","contentType":"image/png","size":1001}"# }),
                413,
                "payload-too-large",
            ),
        ] {
            let (found, response, problem) = send(&upload, &event).await;
            assert_eq!(found, status, "{problem}");
            assert_eq!(problem["type"], format!("urn:cloudpix:problem:{kind}"));
            assert_eq!(problem["status"], status);
            assert_eq!(response.headers["content-type"], "application/problem+json");
            assert_eq!(response.headers["access-control-allow-origin"], "*");
        }
        assert!(calls.all().is_empty());
    }

    #[tokio::test]
    async fn when_the_record_fails_nothing_remains_and_the_client_may_try_again() {
        for (status, code) in [(500, "InternalServerError"), (400, "ResourceNotFoundException")] {
            let (upload, calls) =
                failing(move |name| (name == "PutItem").then(|| (status, dynamodb_error(code))));
            let (status, response, problem) = send(&upload, &pixel()).await;
            assert_eq!((status, problem["type"].as_str()), (503, Some("urn:cloudpix:problem:unavailable")));
            assert_eq!(response.headers["retry-after"], "1");
            assert!(!problem.to_string().contains("of the test"));
            let calls = calls.all();
            let key = |name: &str| {
                let call = calls.iter().find(|call| call.name == name).unwrap();
                call.uri.split('?').next().unwrap().to_owned()
            };
            assert_eq!(key("PUT object"), key("DELETE object"));
            assert!(calls.iter().any(|call| call.name == "DeleteItem"));
        }
    }

    #[tokio::test]
    async fn when_taking_back_fails_too_the_client_is_told_the_same() {
        let (upload, _) = failing(|name| match name {
            "PUT object" => None,
            "DELETE object" => Some((403, s3_error("AccessDenied"))),
            _ => Some((400, dynamodb_error("AccessDeniedException"))),
        });
        assert_eq!(send(&upload, &pixel()).await.0, 503);
    }

    #[tokio::test]
    async fn when_the_object_fails_no_record_is_written() {
        let (upload, calls) = failing(|name| (name == "PUT object").then(|| (503, s3_error("SlowDown"))));
        assert_eq!(send(&upload, &pixel()).await.0, 503);
        assert_eq!(calls.names(), ["PUT object", "PUT object", "PUT object", "DELETE object"]);

        let (upload, calls) = failing(|name| (name == "PUT object").then(|| (403, s3_error("AccessDenied"))));
        let (status, _, problem) = send(&upload, &pixel()).await;
        assert_eq!((status, &problem["detail"]), (500, &json!("internal error")));
        assert_eq!(calls.names(), ["PUT object"]);
    }
}
