//! The functions' side of API Gateway: the event that carries a request (`request`, with the string
//! that holds its body found by `text`), the answer as the event's sender wants it (`reply`), and the loop
//! between the two (`serve`).
//!
//! This is a crate of its own because both functions need it and `catalog` knows no event. It reads
//! the event itself, for two reasons. `lambda_http` copies an event of 6 MB twice before a handler
//! sees its body; here the body is unescaped in the buffer that it arrived in. And whatever the event
//! holds, even if it is no JSON, becomes a request and gets an answer, instead of a failed invocation.

pub mod reply;
pub mod request;
pub mod serve;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
