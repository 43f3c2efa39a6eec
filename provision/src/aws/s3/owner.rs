//! Every call to a bucket says whose it must be. A bucket's name is everybody's: where ours was deleted
//! and somebody else took the name, S3 then answers 403 instead of serving theirs:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>.

use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::Metadata;

/// Calls that are about no bucket that exists yet.
const WITHOUT: [&str; 2] = ["CreateBucket", "ListBuckets"];

/// The account that owns every bucket that is called.
#[derive(Debug)]
pub struct ExpectedOwner(pub String);

impl Intercept for ExpectedOwner {
    fn name(&self) -> &'static str {
        "ExpectedOwner"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let call = config.load::<Metadata>().map(Metadata::name);
        if !call.is_some_and(|call| WITHOUT.contains(&call)) {
            context.request_mut().headers_mut().insert("x-amz-expected-bucket-owner", self.0.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// Notes of each request whose bucket it wants.
    #[derive(Clone, Debug, Default)]
    struct Notes(Arc<Mutex<Vec<Option<String>>>>);

    impl HttpConnector for Notes {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let owner = request.headers().get("x-amz-expected-bucket-owner").map(str::to_owned);
            let signed =
                request.headers().get("authorization").is_some_and(|it| it.contains("expected-bucket"));
            assert_eq!(signed, owner.is_some());
            self.0.lock().unwrap().push(owner);
            let body = "<ListAllMyBucketsResult></ListAllMyBucketsResult>";
            HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body))))
        }
    }

    #[tokio::test]
    async fn every_call_to_a_bucket_that_is_there_names_its_owner() {
        let notes = Notes::default();
        let transport = SharedHttpConnector::new(notes.clone());
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| transport.clone()))
            .interceptor(ExpectedOwner("123456789012".to_owned()));
        let client = aws_sdk_s3::Client::from_conf(config.build());
        client.create_bucket().bucket("a").send().await.unwrap();
        client.list_buckets().send().await.unwrap();
        client.head_bucket().bucket("a").send().await.unwrap();
        client.delete_object().bucket("a").key("b").send().await.unwrap();
        let owner = Some("123456789012".to_owned());
        assert_eq!(*notes.0.lock().unwrap(), [None, None, owner.clone(), owner]);
    }
}
