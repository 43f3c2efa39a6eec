//! S3 and DynamoDB as far as the functions use them, answering at once. S3 remembers nothing, and
//! DynamoDB has what `table` made up.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::http::{self, Request};
use crate::table::Table;

/// Serves both services on one address.
pub(crate) fn serve(table: Arc<Table>) -> anyhow::Result<SocketAddr> {
    http::serve(handler(table))
}

pub(crate) fn handler(
    table: Arc<Table>,
) -> impl Fn(&Request, &mut dyn Write) -> anyhow::Result<()> + Send + Sync + 'static {
    move |request, connection| {
        let answer = match request.header("x-amz-target") {
            Some(target) => dynamodb(target, request, &table)?,
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

fn dynamodb(target: &str, request: &Request, table: &Table) -> anyhow::Result<Vec<u8>> {
    let id = ("x-amzn-requestid", "4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG");
    let (status, body) = match target.rsplit('.').next() {
        Some("PutItem" | "GetItem") => ("200 OK", "{}".to_owned()),
        Some("Query") => ("200 OK", table.query(request.body)?),
        _ => ("501 Not Implemented", "{}".to_owned()),
    };
    Ok(http::response(status, &[("content-type", "application/x-amz-json-1.0"), id], body.as_bytes()))
}
