//! How calls to AWS fail, for those who decide what comes of it.

/// The cause is for the log: no client sees it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// AWS could not do it now and may soon.
    #[error("it could not be done now")]
    Busy(#[source] anyhow::Error),
    /// It will not work by itself: a missing right, a broken record, a mistake of ours.
    #[error("it cannot be done")]
    Broken(#[source] anyhow::Error),
}

impl Failure {
    pub fn cause(&self) -> &anyhow::Error {
        match self {
            Failure::Busy(cause) | Failure::Broken(cause) => cause,
        }
    }

    pub fn into_cause(self) -> anyhow::Error {
        match self {
            Failure::Busy(cause) | Failure::Broken(cause) => cause,
        }
    }
}
