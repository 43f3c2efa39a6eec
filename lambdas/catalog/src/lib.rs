//! Where images are kept, as the functions use it. What an image is, is `image`'s; what carried a request
//! belongs to the function crates.
//!
//! The modules, in reading order: where an image is kept (`store` is S3, `index` is DynamoDB), how images are
//! listed (`listing`, `cursor`), what the client hears (`answer`), what a function starts from
//! (`environment`, `aws`), and what it says of each request (`log`).

pub mod answer;
pub mod aws;
pub mod cursor;
pub mod environment;
pub mod index;
pub mod listing;
pub mod log;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
