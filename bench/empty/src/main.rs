//! A function on `lambda_http` that does nothing.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

async fn answer(_: Request) -> Result<Response<Body>, Error> {
    Ok(Response::new(Body::Empty))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(answer)).await
}
