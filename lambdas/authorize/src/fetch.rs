//! One GET of something small, from a place that is not quite trusted: its time and its size are bounded, and it leads
//! nowhere else.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::timeout::TimeoutConfig;
use http::Uri;
use http_body_util::Limited;

/// Cognito's two keys have 900 bytes, and no provider has more than some dozens of keys.
const LARGEST: usize = 64 << 10;
const TIME: Duration = Duration::from_secs(2);

/// A URL that may be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Scheme, host and port.
    origin: String,
    path: String,
}

impl Address {
    /// Only an emulator's may be `http`: keys that somebody on the way could exchange prove nothing.
    pub fn parse(url: &str, allow_http: bool) -> anyhow::Result<Address> {
        let uri: Uri = url.parse().with_context(|| format!("read the URL {url}"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        ensure!(scheme == "https" || scheme == "http" && allow_http, "this must be an https URL: {url}");
        let authority = uri.authority().with_context(|| format!("there is no host in {url}"))?;
        ensure!(!authority.as_str().contains('@'), "there is a user in {url}");
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Address { origin: format!("{scheme}://{authority}"), path: path.to_owned() })
    }

    /// The host, without its port.
    pub fn host(&self) -> &str {
        let authority = self.origin.split_once("://").map_or("", |(_, authority)| authority);
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

#[derive(Clone, Debug)]
pub struct Fetch {
    http: SharedHttpClient,
    allow_http: bool,
}

impl Fetch {
    pub fn new(http: SharedHttpClient, allow_http: bool) -> Fetch {
        Fetch { http, allow_http }
    }

    pub fn allows_http(&self) -> bool {
        self.allow_http
    }

    /// Asks once. Anything but 200 is a failure, a redirection too.
    pub async fn get(&self, address: &Address) -> anyhow::Result<Vec<u8>> {
        let path = address.path.clone();
        let times = TimeoutConfig::builder().connect_timeout(Duration::from_secs(1)).operation_timeout(TIME);
        let operation = Operation::builder()
            .service_name("OpenID")
            .operation_name("Get")
            .http_client(self.http.clone())
            .endpoint_url(&address.origin)
            .no_auth()
            .no_retry()
            .timeout_config(times.build())
            .interceptor(Bounded)
            .serializer(move |(): ()| {
                let mut request = HttpRequest::new(SdkBody::empty());
                request.set_method("GET")?;
                request.set_uri(path.as_str())?;
                request.headers_mut().try_insert("accept", "application/json")?;
                Ok(request)
            })
            .deserializer(|response: &HttpResponse| match response.status().as_u16() {
                200 => Ok(response.body().bytes().unwrap_or_default().to_vec()),
                status => Err(OrchestratorError::operation(Status(status))),
            })
            .build();
        let got = operation.invoke(()).await;
        // The whole error would have the answer's body in it, which is not ours to log.
        let cause = |error: SdkError<_, _>| match error.into_source() {
            Ok(cause) => anyhow::Error::from_boxed(cause),
            Err(error) => anyhow!("{error}"),
        };
        got.map_err(|error| cause(error).context(format!("get {address}")))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the answer has status {0}")]
struct Status(u16);

/// Stops reading an answer that is too large, before it is held whole.
#[derive(Debug)]
struct Bounded;

impl Intercept for Bounded {
    fn name(&self) -> &'static str {
        "Bounded"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let body = response.take_body();
        *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, LARGEST));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use catalog::testing::aws;

    use super::*;

    #[test]
    fn an_address_is_an_https_url() {
        let address = Address::parse("https://login.example:8443/keys?v=1", false).unwrap();
        assert_eq!(
            (address.host(), address.to_string().as_str()),
            ("login.example", "https://login.example:8443/keys?v=1")
        );
        assert_eq!(
            Address::parse("https://login.example", false).unwrap().to_string(),
            "https://login.example/"
        );
        for url in
            ["", "keys", "/keys", "ftp://login.example/", "https://a@login.example/", "http://login.example/"]
        {
            assert!(Address::parse(url, false).is_err(), "{url}");
        }
        assert!(Address::parse("http://localhost:4566/keys", true).is_ok());
    }

    async fn get(status: u16, body: String) -> (anyhow::Result<Vec<u8>>, usize) {
        let (aws, calls) = aws(move |_| (status, body.clone()));
        let address = Address::parse("https://login.example/a/keys?v=1", false).unwrap();
        let got = Fetch::new(aws.http, false).get(&address).await;
        for call in calls.all() {
            assert_eq!(
                (call.name.as_str(), call.uri.as_str()),
                ("GET object", "https://login.example/a/keys?v=1")
            );
            assert_eq!(call.headers.get("authorization"), None);
        }
        (got, calls.all().len())
    }

    #[tokio::test]
    async fn an_answer_is_got_once_and_whole() {
        let (got, count) = get(200, "{}".to_owned()).await;
        assert_eq!((got.unwrap(), count), (b"{}".to_vec(), 1));
        let largest = "a".repeat(LARGEST);
        assert_eq!(get(200, largest.clone()).await.0.unwrap().len(), LARGEST);
        let (error, count) = get(200, format!("{largest}a")).await;
        assert!(error.is_err() && count == 1);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_asked_for_once() {
        for status in [204, 302, 401, 404, 429, 500, 503] {
            let (error, count) = get(status, "{}".to_owned()).await;
            let error = format!("{:#}", error.unwrap_err());
            assert_eq!(
                error,
                format!("get https://login.example/a/keys?v=1: the answer has status {status}")
            );
            assert_eq!(count, 1);
        }
    }
}
