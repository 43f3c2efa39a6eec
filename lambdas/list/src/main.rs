//! The function that reads, and may do nothing else: lists of images and of keys, single images, and the way to thumbnails.

use std::process::ExitCode;

use api::answer::Answer;
use api::caller::Caller;
use api::reject::Reject;
use api::request::{Request, RequestExt};
use api::route;
use api::routes::keys;
use api::routes::list::list;
use api::routes::show::show;
use api::routes::thumbnail::thumbnail;
use api::service::{self, Service};
use catalog::log::Line;
use contract::path;
use jiff::Timestamp;

// One request at a time runs in an environment, so more threads would only cost start time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    service::main(warm, routes).await
}

/// Links are signed without S3, so there is no connection to it.
async fn warm(service: &Service) {
    service.index.warm_for_listing().await;
}

async fn routes(
    service: &Service,
    caller: &Caller,
    request: Request,
    line: &Line,
    now: Timestamp,
) -> Result<Answer, Reject> {
    match (request.method().as_str(), request.resource()) {
        ("GET", path::LIST) => list(service, caller, request, line, now).await,
        ("GET", path::IMAGE) => show(service, caller, request, line, now).await,
        ("GET", path::THUMBNAIL) => thumbnail(service, caller, request, line, now).await,
        ("GET", path::KEYS) => keys::list::list(service, caller, request, line, now).await,
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
        check_routes(Function::List, &routes);
    }

    proptest! {
        #[test]
        fn any_event_gets_an_answer(event in event()) {
            let open = service(&World::default().aws(), "https://pix.example");
            check_answer(&serve(&open, &routes, event.clone()), &[200, 400, 404, 405]);
            let closed = Service { auth: Auth::Users, ..open };
            check_answer(&serve(&closed, &routes, event), &[200, 400, 401, 403, 404, 405]);
        }
    }
}
