//! The function that writes, and has the rights to: it takes images in and deletes them, and makes and revokes keys.

use std::process::ExitCode;

use api::answer::Answer;
use api::caller::Caller;
use api::reject::Reject;
use api::request::{Request, RequestExt};
use api::route;
use api::routes::delete::delete;
use api::routes::keys::make::make;
use api::routes::keys::revoke::revoke;
use api::routes::upload::upload;
use api::service::{self, Service};
use catalog::log::Line;
use contract::path;
use jiff::Timestamp;

// One request at a time runs in an environment, so more threads would only cost start time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    service::main(warm, routes).await
}

async fn warm(service: &Service) {
    tokio::join!(service.store.warm(), service.index.warm_for_writing());
}

async fn routes(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    match (request.method().as_str(), request.resource()) {
        ("POST", path::UPLOAD) => upload(service, caller, request, line, now).await,
        ("DELETE", path::IMAGE) => delete(service, caller, request, line, now).await,
        ("POST", path::KEYS) => make(service, caller, request, line, now).await,
        ("DELETE", path::KEY) => revoke(service, caller, request, line, now).await,
        _ => Err(route::refuse(&request)),
    }
}

#[cfg(test)]
mod tests {
    use api::testing::{check_answer, check_routes, event, serve, service};
    use catalog::testing::world::World;
    use contract::{Auth, Function};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_serves_its_routes_and_no_others() {
        check_routes(Function::Upload, &routes);
    }

    proptest! {
        #[test]
        fn any_event_gets_an_answer(event in event()) {
            let open = service(&World::default().aws(), "*");
            check_answer(&serve(&open, &routes, event.clone()), &[201, 204, 400, 404, 405, 413, 415, 422]);
            let closed = Service { auth: Auth::Users, ..open };
            check_answer(&serve(&closed, &routes, event), &[201, 204, 400, 401, 403, 404, 405, 413, 415, 422]);
        }
    }
}
