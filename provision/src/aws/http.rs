//! One plain HTTP request to the API that was made, to see whether it answers.

use anyhow::Context;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

/// The status of `GET url`, sent with the API key where there is one.
pub async fn status(url: &str, api_key: Option<&str>) -> anyhow::Result<u16> {
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url.to_owned()).with_context(|| format!("{url:?} is no URL"))?;
    if let Some(key) = api_key {
        request.headers_mut().insert("x-api-key", key.to_owned());
    }
    let answer = connector.call(request).await.with_context(|| format!("GET {url}"))?;
    Ok(answer.status().as_u16())
}
