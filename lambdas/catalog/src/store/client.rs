//! Calls to S3. The SDK's machinery makes them (attempts, times, connections), but not its S3 client:
//! that is more than a megabyte of a function's binary, most of it tables of checksums, and we make
//! few and simple calls.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use aws_runtime::recursion_detection::RecursionDetectionInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use bytes::Bytes;
use image::digest::Sha256;
use jiff::Timestamp;

use super::signer::{Headers, Signer};
use crate::aws::Aws;

/// Refusals that S3 asks to repeat, beside those with a status above 500:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
const TRANSIENT: &[&str] =
    &["ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "RequestTimeoutException"];

#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: &'static str,
    /// The object's key behind a slash, in characters that a URL needs no encoding for.
    pub(super) path: String,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
    /// The digest of the body, which is not hashed again.
    pub(super) sha256: Sha256,
}

/// What S3 answers a call with.
#[derive(Debug)]
pub(super) struct Response {
    /// By name, in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// What S3 says is wrong.
pub(super) type Refusal = SdkError<ErrorMetadata, HttpResponse>;

#[derive(Clone, Debug)]
pub(super) struct Client(Operation<Call, Response, ErrorMetadata>);

impl Client {
    /// `attempt` and `operation` bound one try and all of them.
    pub(super) fn new(
        aws: &Aws,
        bucket: &str,
        signer: Signer,
        attempt: Duration,
        operation: Duration,
    ) -> Client {
        let operation = Operation::builder()
            .service_name("S3")
            .operation_name("Object")
            .http_client(aws.http.clone())
            .endpoint_url(bucket)
            .no_auth()
            .standard_retry(&Aws::retries())
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(
                AwsErrorCodeClassifier::<ErrorMetadata>::builder().transient_errors(TRANSIENT).build(),
            )
            .timeout_config(Aws::timeouts(attempt, operation))
            .with_connection_poisoning()
            .interceptor(RecursionDetectionInterceptor::new())
            .serializer(move |call: Call| Ok(request(&signer, call)?))
            .deserializer(|response: &HttpResponse| {
                if !response.status().is_success() {
                    return Err(OrchestratorError::operation(refusal(response)));
                }
                let headers = response.headers().iter();
                let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                Ok(Response { headers, body: response.body().bytes().unwrap_or_default().to_vec() })
            });
        Client(operation.build())
    }

    pub(super) async fn send(&self, call: Call) -> Result<Response, Refusal> {
        self.0.invoke(call).await
    }
}

fn request(signer: &Signer, call: Call) -> anyhow::Result<HttpRequest> {
    let Call { method, path, headers, body, sha256 } = call;
    let signature = signer.headers(method, &path, &headers, sha256.to_string(), Timestamp::now())?;
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method(method).context("build a request")?;
    request.set_uri(path).context("build a request")?;
    for (name, value) in headers.into_iter().chain(signature) {
        request.headers_mut().try_append(name, value).context("build a request")?;
    }
    Ok(request)
}

/// Reads `<Error><Code>…</Code><Message>…</Message></Error>`, or what there is of it: an answer to a
/// HEAD has no body.
fn refusal(response: &HttpResponse) -> ErrorMetadata {
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    let between = |start: &str, end: &str| Some(body.split_once(start)?.1.split_once(end)?.0.to_owned());
    let mut metadata = ErrorMetadata::builder();
    metadata = match between("<Code>", "</Code>") {
        Some(code) => metadata.code(code),
        None => metadata.code(format!("HTTP {}", response.status())),
    };
    if let Some(message) = between("<Message>", "</Message>") {
        metadata = metadata.message(message);
    }
    if let Some(id) = response.headers().get("x-amz-request-id") {
        metadata = metadata.custom("aws_request_id", id);
    }
    metadata.build()
}
