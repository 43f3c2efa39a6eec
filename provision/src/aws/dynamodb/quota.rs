//! DynamoDB's client, which does not try again where a quota of the account is full.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ErrorMetadata, ProvideErrorMetadata};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::update_table::UpdateTableError;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

use super::NOT_YET;

/// The SDK takes a full quota of tables for a throttle, and would try for a minute what cannot pass.
#[derive(Debug)]
struct QuotaIsFinal;

impl ClassifyRetry for QuotaIsFinal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.and_then(|error| error.as_operation_error());
        let metadata = error.and_then(|error| {
            let create = error.downcast_ref::<CreateTableError>().map(ProvideErrorMetadata::meta);
            create.or_else(|| error.downcast_ref::<UpdateTableError>().map(ProvideErrorMetadata::meta))
        });
        let passes = |error: &ErrorMetadata| {
            error.code() != Some(NOT_YET[2].0) || error.message().unwrap_or_default().contains(NOT_YET[2].1)
        };
        if metadata.is_none_or(passes) { RetryAction::NoActionIndicated } else { RetryAction::RetryForbidden }
    }

    fn name(&self) -> &'static str {
        "a full quota is final"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

pub(crate) fn client(config: &SdkConfig) -> Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config).retry_classifier(QuotaIsFinal);
    Client::from_conf(config.build())
}
