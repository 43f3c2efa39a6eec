//! Where images are kept: the bucket and the table, and nothing else. What an image is, is `image`'s; what a
//! client asks and hears is `api`'s.
//!
//! The modules, in reading order: where an image is kept (`store` is S3, `index` is DynamoDB), how images are
//! listed (`listing`, `cursor`), how all of that fails (`failure`), what a function starts from (`environment`,
//! `aws`), and what it says of each request (`log`).

pub mod aws;
pub mod cursor;
pub mod environment;
pub mod failure;
pub mod index;
pub mod listing;
pub mod log;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
