//! Whose request it is: API Gateway asks before it lets one through to a route.
//!
//! A request bears an access token of the sign-in (`token`, with the provider's keys in `jwks`), or a key for
//! programs, which is looked up by its hash. The modules in reading order: the `event` that asks, the `credential` in
//! it, how each kind is judged (`authorizer`), the `policy` that is the answer, why there is a `refusal`, and the
//! `decision` on the whole.
//!
//! A refusal is a policy too, one that denies. To fail would be an error of the function's, which rings its alarm
//! whenever a stranger likes, and API Gateway would ask again each time; a policy it keeps for a minute.

pub mod authorizer;
pub mod credential;
pub mod decision;
pub mod event;
pub mod fetch;
pub mod jwks;
pub mod policy;
mod provider;
pub mod refusal;
mod roots;
pub mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod token;
