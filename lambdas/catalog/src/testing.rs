//! A scripted AWS for tests: the real clients, with a transport that records each call and answers
//! as told. What is asserted is what would have been on the wire.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::aws::Aws;

pub mod keyring;
pub mod world;

/// A call as it would have gone over the wire.
#[derive(Clone, Debug)]
pub struct Call {
    /// `PutItem`, or method and kind for S3: `PUT object`.
    pub name: String,
    pub uri: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Call {
    /// The body of a call to DynamoDB.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Everything that was called so far.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    pub fn all(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn names(&self) -> Vec<String> {
        self.all().into_iter().map(|call| call.name).collect()
    }

    fn push(&self, call: Call) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// What a call is answered. A status and a body will often do.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl From<(u16, String)> for Reply {
    fn from((status, body): (u16, String)) -> Reply {
        Reply { status, headers: Vec::new(), body: body.into() }
    }
}

type Script = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

struct Transport {
    calls: Calls,
    script: Script,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers: BTreeMap<_, _> =
            request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let name = match headers.get("x-amz-target") {
            Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
            None => format!("{} object", request.method()),
        };
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let call = Call { name, uri: request.uri().to_owned(), headers, body };
        let Reply { status, headers, body } = (self.script)(&call);
        self.calls.push(call);
        let status = StatusCode::try_from(status).unwrap_or_else(|_| panic!("{status} is no status"));
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::new(async move {
            // The call is done, but whoever made it gets to know only after others had their turn.
            tokio::task::yield_now().await;
            Ok(response)
        })
    }
}

/// An AWS that answers each call with a status and a body.
pub fn aws<R: Into<Reply>>(script: impl Fn(&Call) -> R + Send + Sync + 'static) -> (Aws, Calls) {
    let script = move |call: &Call| script(call).into();
    let calls = Calls::default();
    let transport = SharedHttpConnector::new(Transport { calls: calls.clone(), script: Arc::new(script) });
    let http = http_client_fn(move |_: &HttpConnectorSettings, _| transport.clone());
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session".to_owned()), None, "test");
    (Aws { region: "ap-northeast-1".to_owned(), credentials, endpoint: None, http }, calls)
}

/// An AWS where everything works and nothing is there.
pub fn empty_aws() -> (Aws, Calls) {
    aws(|call| (200, if call.name.ends_with("object") { String::new() } else { "{}".to_owned() }))
}

/// An error as DynamoDB words it.
pub fn dynamodb_error(code: &str) -> String {
    format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"of the test"}}"#)
}

/// An error as S3 words it.
pub fn s3_error(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>of the test</Message><RequestId>1</RequestId></Error>")
}
