//! What an image is, for everyone who has to do with one: the functions, `provision`, the fuzzers, the
//! benchmarks, and clients. Pure data and its checks: nothing here knows AWS, HTTP or async.
//!
//! The modules, in reading order: what is read from a file (`format`, `picture`, `digest`) and what its sender calls it
//! (`file_name`); what is made of it (`facts`, `thumbnails`); the `record` of all that with its `owner`, its `status`,
//! its `position` in listings, and how a `moment` is written. A record has three other forms, each with both
//! directions in one file: an `item` of the table, the `metadata` of the object, and what clients send and
//! get (`wire`, with the `link`s that a store signs).

pub mod digest;
pub mod facts;
pub mod file_name;
pub mod format;
pub mod item;
pub mod link;
pub mod metadata;
pub mod moment;
pub mod owner;
pub mod picture;
pub mod position;
pub mod record;
pub mod status;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod thumbnails;
pub mod wire;
