//! What a key for programs is, for the functions and for `provision`. Pure data and its checks: nothing here knows
//! AWS, HTTP or async.
//!
//! The modules, in reading order: the `secret` that a program sends with each request, and of which we keep only a
//! hash; what it may do (`scopes`) and what its owner calls it (`name`); the `record` of all that. A record has two
//! other forms: an `item` of the table, and what its owner gets to see (`wire`).

pub mod item;
pub mod name;
pub mod record;
pub mod scopes;
pub mod secret;
pub mod wire;
