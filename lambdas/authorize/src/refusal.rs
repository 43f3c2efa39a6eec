//! Why a request is nobody's. It is for the log: whoever sent the request hears that it was refused, and no more.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no Authorization header")]
    Missing,
    #[error("there is more than one Authorization header")]
    Doubled,
    #[error("the Authorization header is too long")]
    TooLong,
    #[error("the Authorization header is no bearer token")]
    NoBearer,
    #[error("it looks like a key, and is none")]
    Misspelt,
    #[error("there is no such key")]
    UnknownKey,
    #[error("the key has expired")]
    ExpiredKey,
    #[error("the token is malformed")]
    Malformed,
    #[error("the token is not signed as it must be, by RS256")]
    Algorithm,
    #[error("the token is signed by a key that the provider does not have")]
    UnknownSigner,
    #[error("the token is not signed by the provider")]
    Forged,
    #[error("the token is another provider's")]
    Issuer,
    #[error("the token is for another application")]
    Application,
    #[error("the token is no access token")]
    NoAccessToken,
    #[error("the token is of nobody who could own an image")]
    Subject,
    #[error("the token has expired")]
    Expired,
    #[error("the token does not count yet")]
    NotYet,
}
