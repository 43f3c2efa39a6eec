//! Keys for programs: made, seen and revoked by the people whose images they are for. No key has the scope that
//! these routes need, so none makes or hides another.

use catalog::access::Access;
use contract::Auth;

use crate::reject::{Problem, Reject};
use crate::service::Service;

pub mod list;
pub mod make;
pub mod revoke;

#[cfg(test)]
mod tests;

/// Where keys are kept. Where nobody signs in, nobody could own one, and these routes are not there.
fn kept(service: &Service) -> Result<&Access, Reject> {
    let kept = service.access.as_ref().filter(|_| service.auth == Auth::Users);
    kept.ok_or_else(|| Reject::refused(Problem::NotFound, "there are no keys where nobody signs in"))
}
