//! A scripted AWS for tests: the real clients, with a transport that records each call and answers
//! as told. What is asserted is what would have been on the wire.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http::StatusCode;
use uuid::Uuid;

use crate::aws::Aws;
use crate::derived::{Derived, Thumbnail, Thumbnails};
use crate::digest::Sha256;
use crate::file_name::FileName;
use crate::picture::Format;
use crate::record::{Record, Status};

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
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::new(status.into(), SdkBody::from(body));
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

/// A ready image of 3 x 2 pixels, named 写真.png.
pub fn record() -> Record {
    let ready_at = jiff::Timestamp::from_millisecond(1_795_406_706_789).unwrap_or_default();
    Record {
        image_id: Uuid::from_u128(0x019a_af2c_0000_7000_8000_0000_0000_0001),
        file_name: FileName::parse("写真.png").unwrap_or_else(|_| unreachable!("this is a name")),
        format: Format::Png,
        size: 3,
        sha256: Some(Sha256::of(b"abc")),
        created_at: ready_at,
        status: Status::ready(3, 2, ready_at),
        derived: None,
    }
}

/// What may be made of an image of 300 x 200 pixels.
pub fn derived() -> Derived {
    let thumbnail = |edge, width, height, size| Thumbnail { edge, width, height, size };
    Derived {
        thumbnails: Thumbnails {
            format: Format::WebP,
            all: vec![thumbnail(160, 160, 107, 5123), thumbnail(480, 300, 200, 20111)],
        },
        thumb_hash: Some("1QcSHQRnh493V4dIh4eXh1h4kJUI".to_owned()),
        captured_at: Some("2026-11-20T10:11:12+09:00".to_owned()),
        camera: Some("FUJIFILM X100V".to_owned()),
        orientation: Some(6),
    }
}
