//! Why a request is refused, or was not served. What an image, a name, a key or the catalog makes of a request
//! becomes a refusal here and nowhere else, and only `Problem::parts` turns one into a status. Clients are told of
//! their own mistakes; of ours, only that we failed.

use std::borrow::Cow;

use catalog::failure::Failure;
use catalog::index::claim::BadKey;
use contract::Scope;
use http::StatusCode;
use image::file_name::BadName;
use image::picture::Unfit;
use keys::name::BadKeyName;

/// The header that carries an idempotency key.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
pub enum Reject {
    /// The client's mistake; `detail` is for the client's eyes.
    #[error("{detail}")]
    Refused { problem: Problem, field: Option<Cow<'static, str>>, detail: String },
    /// The caller is known and may not do this.
    #[error("this needs the scope {}, which the key was not made for", .needed.name())]
    LacksScope { needed: Scope },
    /// The path has other methods than the request's.
    #[error("use {allow}")]
    NotAllowed { allow: String },
    /// AWS could not do it now and may soon. The cause is for the log only.
    #[error("the request could not be served now; try it again")]
    Busy(#[source] anyhow::Error),
    /// Our mistake. The cause is for the log only.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

/// The kinds of problem that a client can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    PayloadTooLarge,
    UnsupportedMediaType,
    TooManyPixels,
    Internal,
    Unavailable,
}

impl Problem {
    /// Status, last part of the type's URN, and title.
    pub(crate) const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Problem::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "Bad Request"),
            Problem::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized"),
            Problem::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            Problem::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not Found"),
            Problem::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method Not Allowed")
            }
            Problem::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Problem::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", "Content Too Large")
            }
            Problem::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported Media Type")
            }
            Problem::TooManyPixels => {
                (StatusCode::UNPROCESSABLE_ENTITY, "too-many-pixels", "Too Many Pixels")
            }
            Problem::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal-server-error", "Internal Server Error")
            }
            Problem::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Service Unavailable"),
        }
    }
}

impl From<Failure> for Reject {
    fn from(failure: Failure) -> Reject {
        match failure {
            Failure::Busy(cause) => Reject::Busy(cause),
            Failure::Broken(cause) => Reject::Internal(cause),
        }
    }
}

impl From<BadKey> for Reject {
    fn from(bad: BadKey) -> Reject {
        Reject::invalid(IDEMPOTENCY_KEY, bad.to_string())
    }
}

impl From<BadName> for Reject {
    fn from(bad: BadName) -> Reject {
        Reject::invalid("fileName", bad.to_string())
    }
}

impl From<BadKeyName> for Reject {
    fn from(bad: BadKeyName) -> Reject {
        Reject::invalid("name", bad.to_string())
    }
}

impl From<Unfit> for Reject {
    fn from(unfit: Unfit) -> Reject {
        let problem = match unfit {
            Unfit::NoImage | Unfit::Damaged(_) | Unfit::OtherFormat { .. } | Unfit::OtherType(_) => {
                Problem::UnsupportedMediaType
            }
            Unfit::TooManyPixels { .. } => Problem::TooManyPixels,
        };
        Reject::refused(problem, unfit.to_string())
    }
}

impl Reject {
    /// 400, with the field at fault.
    pub fn invalid(field: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Reject {
        let (field, detail) = (Some(field.into()), detail.into());
        Reject::Refused { problem: Problem::BadRequest, field, detail }
    }

    /// Any other refusal, where no single field is at fault.
    pub fn refused(problem: Problem, detail: impl Into<String>) -> Reject {
        Reject::Refused { problem, field: None, detail: detail.into() }
    }

    /// The same refusal, blamed on a field.
    #[must_use]
    pub fn because_of(self, at_fault: &'static str) -> Reject {
        match self {
            Reject::Refused { problem, detail, .. } => {
                Reject::Refused { problem, field: Some(at_fault.into()), detail }
            }
            other => other,
        }
    }

    pub(crate) fn problem(&self) -> Problem {
        match self {
            Reject::Refused { problem, .. } => *problem,
            Reject::LacksScope { .. } => Problem::Forbidden,
            Reject::NotAllowed { .. } => Problem::MethodNotAllowed,
            Reject::Busy(_) => Problem::Unavailable,
            Reject::Internal(_) => Problem::Internal,
        }
    }
}
