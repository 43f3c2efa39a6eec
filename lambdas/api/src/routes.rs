//! A file for each route. A route takes the request and what it is to be served with, notes in the log's line
//! what it does, and returns an answer or why there is none.

pub mod delete;
mod find;
mod json;
pub mod keys;
pub mod list;
pub mod show;
pub mod thumbnail;
pub mod upload;

#[cfg(test)]
mod tests;
