//! API Gateway's side: the event that carries a request (`event`, with the string that holds its body found
//! by `text`), the answer as the event's sender wants it (`reply`), and the loop between the two (`serve`).
//!
//! The event is read here and not by `lambda_http`, for two reasons. That copies an event of 6 MB twice before
//! a handler sees its body; here the body is unescaped in the buffer that it arrived in. And whatever the
//! event holds, even if it is no JSON, becomes a request and gets an answer, instead of a failed invocation.

pub mod event;
pub mod reply;
pub mod serve;
pub mod text;
