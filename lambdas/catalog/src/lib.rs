//! Where images and keys are kept: the bucket and the tables, and nothing else. What an image is, is `image`'s, and
//! what a key is `keys`'; what a client asks and hears is `api`'s.
//!
//! The modules, in reading order: where an image is kept (`store` is S3, `index` is DynamoDB), how images are
//! listed (`listing`, `cursor`), where keys for programs are kept (`access`), how all of that fails (`failure`), what
//! a function starts from (`environment`, `aws`, `dynamodb`), and what it says of each request (`log`).

pub mod access;
pub mod aws;
pub mod cursor;
mod dynamodb;
pub mod environment;
pub mod failure;
pub mod index;
pub mod listing;
pub mod log;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
