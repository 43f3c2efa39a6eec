//! Errors of calls to AWS, in words that say what to do next.

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// An AWS call that did not succeed, in the words a person needs.
#[derive(Debug, thiserror::Error)]
pub struct Failure {
    /// As in an IAM policy: `s3:CreateBucket`.
    pub(super) call: &'static str,
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.call)?;
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Failure {
    fn hint(&self) -> Option<String> {
        let call = self.call;
        if self.message.contains("UnreservedConcurrentExecution") {
            return Some(
                "Lambda keeps so many for functions without a share of their own; `provision doctor` tells the \
                 account's limit: lower `concurrency` in cloudpix.toml, or ask for more in Service Quotas"
                    .to_owned(),
            );
        }
        let hint = match self.code.as_deref()? {
            "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "UnauthorizedException" => {
                format!(
                    "these credentials may not call {call}; ask whoever grants them to allow it, then run again"
                )
            }
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
                "the credentials have expired; renew them, such as by `aws sso login`, and run again"
                    .to_owned()
            }
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidAccessKeyId" => {
                "AWS does not know these credentials; check AWS_PROFILE, or the key and its secret".to_owned()
            }
            "AuthFailure" | "OptInRequired" => "is this region enabled for the account?".to_owned(),
            "LimitExceededException"
            | "LimitExceeded"
            | "ServiceQuotaExceededException"
            | "TooManyBuckets" => {
                "a quota of the account is reached; raise it in Service Quotas or remove what is not needed"
                    .to_owned()
            }
            "ThrottlingException" | "TooManyRequestsException" | "Throttling" | "RequestLimitExceeded" => {
                "AWS throttles this account just now; run again in a minute, and it goes on from here"
                    .to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

/// Makes an error of a call that failed. `call` is its name as in an IAM policy.
pub(super) fn failed<E>(call: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| {
        let request_id = error.request_id().map(str::to_owned);
        let (code, message) = match &error {
            SdkError::ServiceError(_) => {
                (error.code().map(str::to_owned), error.message().map(str::to_owned))
            }
            _ => (None, None),
        };
        let message = message.unwrap_or_else(|| chain(&error));
        anyhow::Error::new(Failure { call, code, message, request_id })
    }
}

/// An error and its sources, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        source = cause.source();
    }
    parts.join(": ")
}

pub(super) fn is<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, codes: &[&str]) -> bool {
    error.code().is_some_and(|code| codes.contains(&code))
}

/// Returns `None` where the error has one of `codes`, each meaning "there is none".
pub(super) fn optional<T, E>(
    answer: Result<T, SdkError<E, HttpResponse>>,
    call: &'static str,
    codes: &[&str],
) -> anyhow::Result<Option<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is(&error, codes) => Ok(None),
        Err(error) => Err(failed(call)(error)),
    }
}

/// Whether the caller may not do what was asked.
pub fn denied(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref::<Failure>().and_then(|failure| failure.code.as_deref());
    matches!(
        code,
        Some("AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "UnauthorizedException")
    )
}

/// Whether a create was refused because there is one already, such as where the response to an earlier try got lost.
pub fn exists_already(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| match failure.code.as_deref() {
        Some(
            "EntityAlreadyExists"
            | "ResourceAlreadyExistsException"
            | "RepositoryAlreadyExistsException"
            | "ResourceInUseException"
            | "QueueNameExists"
            | "QueueAlreadyExists",
        ) => true,
        Some("ResourceConflictException" | "ConflictException") => failure.message.contains("already exist"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_call_code_request_and_what_to_do() {
        let failure = Failure {
            call: "s3:CreateBucket",
            code: Some("AccessDenied".to_owned()),
            message: "Access Denied".to_owned(),
            request_id: Some("ABC".to_owned()),
        };
        let text = failure.to_string();
        assert!(
            text.starts_with("s3:CreateBucket: AccessDenied: Access Denied (request id ABC)\nhint: "),
            "{text}"
        );
        assert!(text.contains("may not call s3:CreateBucket"), "{text}");
    }
}
