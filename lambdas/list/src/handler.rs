//! Decides what `GET /list` does: one page of records, each with a link to its image, and a cursor
//! where there is more.

use catalog::answer::{Answer, Answers, Problem, Reject};
use catalog::cursor;
use catalog::index::Index;
use catalog::record::View;
use catalog::store::Store;
use http::{Method, StatusCode};
use jiff::Timestamp;
use lambda_http::Body;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse};
use serde::Serialize;

use crate::query;

const PATH: &str = "/list";

pub(crate) struct List {
    pub(crate) store: Store,
    pub(crate) index: Index,
    pub(crate) answers: Answers,
}

/// A page, as an answer. `openapi.yaml` describes it as `ImageList`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    images: Vec<View<'a>>,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl List {
    /// Answers a request, whatever happens.
    pub(crate) async fn answer(
        &self,
        event: ApiGatewayProxyRequest,
        request_id: &str,
        now: Timestamp,
    ) -> ApiGatewayProxyResponse {
        let answer = self.answers.settle(self.decide(&event, now).await, request_id);
        let mut response = ApiGatewayProxyResponse::default();
        response.status_code = answer.status.as_u16().into();
        response.headers = answer.headers;
        response.body = Some(Body::Text(answer.body));
        response
    }

    async fn decide(&self, event: &ApiGatewayProxyRequest, now: Timestamp) -> Result<Answer, Reject> {
        if event.resource.as_deref() != Some(PATH) {
            return Err(Reject::refused(Problem::NotFound, "there is nothing here"));
        }
        if event.http_method != Method::GET {
            return Err(Reject::refused(Problem::MethodNotAllowed { allow: "GET" }, "use GET"));
        }
        let asked = query::parse(event)?;
        let page = self.index.page(&asked.listing, asked.after, asked.limit).await?;
        let mut images = Vec::with_capacity(page.records.len());
        for record in &page.records {
            images.push(record.view(self.store.download_link(record, now).await?));
        }
        let next_cursor = page.next.map(|position| cursor::encode(&asked.listing, position));
        let body = Listed { count: images.len(), images, next_cursor };
        Ok(self.answers.json(StatusCode::OK, &body))
    }
}

#[cfg(test)]
mod tests {
    use catalog::testing::{Calls, aws, dynamodb_error};
    use contract::{Function, Route};
    use http::HeaderValue;
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

    async fn get(list: &List, event: &Value) -> (i64, ApiGatewayProxyResponse, Value) {
        let mut whole =
            json!({ "httpMethod": "GET", "resource": "/list", "requestContext": { "httpMethod": "GET" } });
        whole.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
        let now = "2026-11-23T05:00:00Z".parse().unwrap();
        let response = list.answer(serde_json::from_value(whole).unwrap(), "request", now).await;
        let Some(Body::Text(body)) = response.body.clone() else { panic!("no text: {response:?}") };
        (response.status_code, response, serde_json::from_str(&body).unwrap())
    }

    fn queries(queries: &Value) -> Value {
        json!({ "queryStringParameters": queries })
    }

    #[test]
    fn the_route_is_the_one_that_is_provisioned() {
        let route = Route { method: "GET", path: PATH, function: Function::List };
        assert!(contract::ROUTES.contains(&route));
    }

    #[tokio::test]
    async fn an_image_is_listed_whole_with_its_own_link() {
        let (list, calls) = list(1);
        let (status, response, mut page) = get(&list, &json!({})).await;
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
    }

    #[tokio::test]
    async fn nothing_found_is_an_empty_list() {
        let (_, _, page) = get(&list(0).0, &json!({})).await;
        assert_eq!(page, json!({ "images": [], "count": 0 }));
    }

    #[tokio::test]
    async fn a_cursor_goes_on_right_behind_the_last_image_of_a_page() {
        let (list, calls) = list(3);
        let (_, _, page) = get(&list, &queries(&json!({ "limit": "2", "date": "2026-11-23" }))).await;
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
        let (_, _, page) = get(&list(2).0, &queries(&json!({ "limit": "2" }))).await;
        assert_eq!((&page["count"], page.get("nextCursor")), (&json!(2), None));
    }

    #[tokio::test]
    async fn a_refused_request_calls_nobody() {
        let (list, calls) = list(1);
        for (event, status, field) in [
            (json!({ "resource": "/upload" }), 404, Value::Null),
            (json!({ "httpMethod": "POST" }), 405, Value::Null),
            (queries(&json!({ "date": "2026-02-30" })), 400, json!("date")),
            (queries(&json!({ "limit": "0" })), 400, json!("limit")),
            (queries(&json!({ "cursor": "foreign" })), 400, json!("cursor")),
        ] {
            let (found, response, problem) = get(&list, &event).await;
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
            let (found, response, problem) = get(&over(&aws), &json!({})).await;
            assert_eq!(found, status);
            assert_eq!(response.headers.contains_key("retry-after"), status == 503);
            assert!(!problem.to_string().contains(code), "{problem}");
        }
    }
}
