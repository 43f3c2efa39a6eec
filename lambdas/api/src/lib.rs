//! The HTTP face: a request becomes an answer here, one file a route.
//!
//! `gateway` is API Gateway's side: the event that carries a request, and the reply that carries an answer.
//! Between the two there are the ecosystem's own `http::Request` (`request`), who sends it (`caller`), the
//! `routes`, what they answer (`answer`) or why they do not (`reject`), and whom a route is open to and what a
//! function says to a request that is on none of its routes (`route`). A function's program is `service::main` with the routes that it serves; a route that no program
//! names is not linked.

pub mod answer;
pub mod caller;
pub mod gateway;
pub mod reject;
pub mod request;
pub mod route;
pub mod routes;
pub mod service;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
