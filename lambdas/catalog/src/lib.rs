//! The images of CloudPix, as the functions see them: what an image is, where its bytes and its
//! record live, and how the answers look. Nothing here knows what carried a request: events belong
//! to the function crates.
//!
//! The modules, in reading order: an image (`file_name`, `picture`, `digest`, `record`, `derived`), where it is
//! kept (`store` is S3, `index` is DynamoDB), how it is listed (`listing`, `cursor`), what the client
//! sees and hears (`view`, `answer`), what a function starts from (`environment`, `aws`), and what it
//! says of each request (`log`).

pub mod answer;
pub mod aws;
pub mod cursor;
pub mod derived;
pub mod digest;
pub mod environment;
pub mod file_name;
pub mod index;
pub mod listing;
pub mod log;
pub mod picture;
pub mod record;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod view;
