//! Plain HTTP requests to the API that was made, to see whether it responds.

use std::time::Duration;

use anyhow::Context;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;

use super::proxy;

/// API Gateway gives up on a function after 29 seconds.
const PATIENCE: Duration = Duration::from_secs(35);

pub struct Answer {
    pub status: u16,
    /// The header `Location`.
    pub location: Option<String>,
    /// The header `Date`.
    date: Option<String>,
}

/// Sends one request, with these headers and this body.
pub async fn send(
    method: &str,
    url: &str,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> anyhow::Result<Answer> {
    let connector = proxy::connector(url)?;
    let mut request = HttpRequest::new(SdkBody::from(body.to_vec()));
    request.set_method(method).with_context(|| format!("{method:?} is no method"))?;
    request.set_uri(url.to_owned()).with_context(|| format!("{url:?} is no URL"))?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, (*value).to_owned());
    }
    let answer = tokio::time::timeout(PATIENCE, connector.call(request)).await;
    let answer = answer.with_context(|| format!("{method} {url}: no answer in {} s", PATIENCE.as_secs()))?;
    let answer = answer.with_context(|| format!("{method} {url}"))?;
    let location = answer.headers().get("location").map(str::to_owned);
    let date = answer.headers().get("date").map(str::to_owned);
    Ok(Answer { status: answer.status().as_u16(), location, date })
}

/// What time a server says it is, whatever else it says (RFC 9110, section 6.6.1).
pub async fn date(url: &str) -> anyhow::Result<Option<Timestamp>> {
    let answer = send("GET", url, &[], b"").await?;
    let date = answer.date.and_then(|date| jiff::fmt::rfc2822::parse(&date).ok());
    Ok(date.map(|date| date.timestamp()))
}

/// The status of `GET url`, sent with these headers.
pub async fn status(url: &str, headers: &[(&'static str, &str)]) -> anyhow::Result<u16> {
    Ok(send("GET", url, headers, b"").await?.status)
}
