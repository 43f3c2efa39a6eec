//! S3 and DynamoDB as far as the functions use them, answering at once and remembering nothing.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context;
use contract::{PUBLIC_OWNER, UPLOADS_PREFIX, attribute};
use serde_json::{Value, json};

use crate::http::{self, Request};

/// One more than the functions ask for, to see whether there is a next page.
const MOST_ITEMS: usize = 51;

/// Serves both services on one address.
pub(crate) fn serve() -> anyhow::Result<SocketAddr> {
    http::serve(handler())
}

pub(crate) fn handler() -> impl Fn(&Request, &mut dyn Write) -> anyhow::Result<()> + Send + Sync + 'static {
    let items: Vec<Item> = (0..MOST_ITEMS).map(Item::new).collect();
    move |request, connection| {
        let answer = match request.header("x-amz-target") {
            Some(target) => dynamodb(target, request, &items)?,
            None => s3(request),
        };
        Ok(connection.write_all(&answer)?)
    }
}

fn s3(request: &Request) -> Vec<u8> {
    let id = ("x-amz-request-id", "0A49CE4060975EAC");
    match request.method.as_str() {
        "PUT" => http::response("200 OK", &[id, ("etag", "\"9b2cf535f27731c974343645a3985328\"")], b""),
        // Connections are warmed with a look at an object that is not there.
        "HEAD" => http::response("404 Not Found", &[id], b""),
        _ => http::response("501 Not Implemented", &[id], b""),
    }
}

fn dynamodb(target: &str, request: &Request, items: &[Item]) -> anyhow::Result<Vec<u8>> {
    let id = ("x-amzn-requestid", "4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG");
    let (status, body) = match target.rsplit('.').next() {
        Some("PutItem" | "GetItem") => ("200 OK", "{}".to_owned()),
        Some("Query") => ("200 OK", page(request.body, items)?),
        _ => ("501 Not Implemented", "{}".to_owned()),
    };
    Ok(http::response(status, &[("content-type", "application/x-amz-json-1.0"), id], body.as_bytes()))
}

/// As many items as the Query wants, with more behind them.
fn page(query: &[u8], items: &[Item]) -> anyhow::Result<String> {
    let query: Value = serde_json::from_slice(query).context("read a Query")?;
    let limit = query["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let found = items.get(..limit.context("read the Limit of a Query")?).unwrap_or(items);
    let last = found.last().map_or("{}", |item| &item.key);
    let (count, found) = (found.len(), found.iter().map(|item| item.whole.as_str()).collect::<Vec<_>>());
    let found = found.join(",");
    Ok(format!(r#"{{"Count":{count},"ScannedCount":{count},"Items":[{found}],"LastEvaluatedKey":{last}}}"#))
}

/// A ready image as JSON, and the keys where a Query of its index goes on after it.
struct Item {
    whole: String,
    key: String,
}

impl Item {
    /// The newest comes first, and items differ as they do in a table.
    fn new(place: usize) -> Item {
        let second = MOST_ITEMS - place;
        let id = format!("019aaf2c-{second:04x}-7000-8000-00000000{second:04x}");
        let at = format!("2026-11-23T04:05:{second:02}.789Z");
        let order = format!("{at}#{id}");
        let size = (100_000 + 7919 * second).to_string();
        let whole = json!({
            attribute::IMAGE_ID: { "S": id },
            attribute::FILE_NAME: { "S": format!("夏の旅行 2026 ({second}).jpg") },
            attribute::CONTENT_TYPE: { "S": "image/jpeg" },
            attribute::SIZE: { "N": size },
            attribute::WIDTH: { "N": "4032" },
            attribute::HEIGHT: { "N": "3024" },
            attribute::SHA256: { "S": format!("{second:064x}") },
            attribute::S3_OBJECT_KEY: { "S": format!("{UPLOADS_PREFIX}{id}.jpg") },
            attribute::IMAGE_STATUS: { "S": "ready" },
            attribute::CREATED_AT: { "S": at },
            attribute::UPLOAD_DATE: { "S": "2026-11-23" },
            attribute::UPLOAD_ORDER: { "S": order },
            attribute::OWNER: { "S": PUBLIC_OWNER },
        });
        let key = json!({
            attribute::IMAGE_ID: { "S": id },
            attribute::OWNER: { "S": PUBLIC_OWNER },
            attribute::UPLOAD_ORDER: { "S": order },
        });
        Item { whole: whole.to_string(), key: key.to_string() }
    }
}
