//! The routes that there are, as `contract` lists them.

use contract::{Auth, ROUTES, Route};
use http::Request;

use crate::caller::Caller;
use crate::reject::{Problem, Reject};
use crate::request::RequestExt;

/// `POST /upload`, of routes that exist; whatever else a caller makes up is not for logs.
pub fn name<B>(request: &Request<B>) -> Option<String> {
    find(request).map(|Route { method, path, .. }| format!("{method} {path}"))
}

/// Who sends a request, if they may do what its route does.
pub fn admit<B>(request: &Request<B>, auth: Auth) -> Result<Caller, Reject> {
    let route = find(request).ok_or_else(|| refuse(request))?;
    let caller = Caller::of(request, auth)?;
    caller.check(route.scope)?;
    Ok(caller)
}

fn find<B>(request: &Request<B>) -> Option<&'static Route> {
    let (method, path) = (request.method().as_str(), request.resource());
    ROUTES.iter().find(|route| route.method == method && route.path == path)
}

/// Why a function refuses a request that is on none of its routes: there is nothing at its path, or not by
/// its method.
pub fn refuse<B>(request: &Request<B>) -> Reject {
    let there = ROUTES.iter().filter(|route| route.path == request.resource());
    let methods: Vec<_> = there.map(|route| route.method).collect();
    if methods.is_empty() {
        return Reject::refused(Problem::NotFound, "there is nothing here");
    }
    Reject::NotAllowed { allow: methods.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gateway::event;

    #[test]
    fn a_refused_method_is_told_of_those_that_there_are() {
        let refused = |path: &str| {
            let event = json!({ "httpMethod": "PATCH", "resource": path });
            refuse(&event::read(event.to_string().into_bytes())).to_string()
        };
        for (path, detail) in [
            ("/upload", "use POST"),
            ("/list", "use GET"),
            ("/images/{imageId}", "use GET, DELETE"),
            ("/images/{imageId}/thumbnail", "use GET"),
            ("/other", "there is nothing here"),
        ] {
            assert_eq!(refused(path), detail);
        }
    }
}
