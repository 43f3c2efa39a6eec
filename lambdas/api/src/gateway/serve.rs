//! Takes events from Lambda one by one, and gives back answers.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;

use catalog::log::Line;
use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde::de::IgnoredAny;

use super::event;
use super::reply::Reply;
use crate::answer::Answer;
use crate::request::Request;
use crate::route;

/// Serves until Lambda ends the process. Each request's line is logged when its answer is known.
///
/// The runtime crate would parse each payload into a value that owns all it holds. It is made to
/// parse `null` instead, and the payload's bytes, which nobody else holds, are taken past it.
pub async fn serve(answer: impl AsyncFn(Request, &Line) -> Answer) -> anyhow::Result<()> {
    let payload = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&payload);
    let take = move |mut invocation: LambdaInvocation| {
        taken.replace(std::mem::replace(&mut invocation.body, "null".into()).into());
        invocation
    };
    let cold_start = Cell::new(true);
    let handle = async |event: LambdaEvent<IgnoredAny>| {
        let context = event.context;
        let line = Line::new(&context.request_id, &context.env_config.function_name, cold_start.take());
        let request = event::read(payload.take());
        line.route(route::name(&request));
        let answer = answer(request, &line).await;
        line.write(answer.status.as_u16(), answer.problem);
        Ok::<_, Infallible>(Reply::from(answer))
    };
    let runtime = Runtime::new(service_fn(handle)).layer(MapRequestLayer::new(take));
    runtime.run().await.map_err(anyhow::Error::from_boxed)
}
