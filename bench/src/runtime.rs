//! The Lambda Runtime API, as one function sees it: events are handed to it one after another, and
//! when that happens and when the answer comes is taken down here, next to the socket.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};

use crate::http;

const DEADLINE: Duration = Duration::from_secs(10);

/// What the function did.
#[derive(Debug)]
pub(crate) enum Step {
    /// It asked for the next event.
    Waiting(Instant),
    /// It is about to be given one.
    Handed(Instant),
    /// All of its answer is here.
    Answered(Instant, Vec<u8>),
    /// It reported an error, in Init or for an event.
    Failed(String),
}

pub(crate) struct Runtime {
    pub(crate) address: SocketAddr,
    events: Sender<Vec<u8>>,
    steps: Receiver<Step>,
}

impl Runtime {
    pub(crate) fn serve() -> anyhow::Result<Runtime> {
        let (events, queue) = channel::<Vec<u8>>();
        let (journal, steps) = channel();
        let queue = Mutex::new(queue);
        let address = http::serve(move |request, connection| {
            let Some(path) = request.path.strip_prefix("/2018-06-01/runtime/") else {
                bail!("this is no path of the Runtime API: {}", request.path);
            };
            match (request.method.as_str(), path.rsplit('/').next()) {
                ("GET", Some("next")) => {
                    journal.send(Step::Waiting(Instant::now()))?;
                    let queue = queue.lock().ok().context("lock the events")?;
                    let event = next(&queue.recv()?)?;
                    journal.send(Step::Handed(Instant::now()))?;
                    return Ok(connection.write_all(&event)?);
                }
                ("POST", Some("response")) => {
                    journal.send(Step::Answered(Instant::now(), request.body.to_vec()))?;
                }
                ("POST", Some("error")) => {
                    journal.send(Step::Failed(String::from_utf8_lossy(request.body).into_owned()))?;
                }
                _ => bail!("the Runtime API has no {} {path}", request.method),
            }
            Ok(connection.write_all(&http::response("202 Accepted", &[], b""))?)
        });
        Ok(Runtime { address: address?, events, steps })
    }

    pub(crate) fn hand_over(&self, event: &[u8]) -> anyhow::Result<()> {
        self.events.send(event.to_owned()).context("hand over an event")
    }

    /// What the function does next, if it does anything within its time.
    pub(crate) fn step(&self) -> anyhow::Result<Step> {
        match self.steps.recv_timeout(DEADLINE).context("the function does nothing")? {
            Step::Failed(error) => bail!("the function reports an error: {error}"),
            step => Ok(step),
        }
    }
}

fn next(event: &[u8]) -> anyhow::Result<Vec<u8>> {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH)? + DEADLINE;
    let headers = [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", &deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bench"),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419"),
    ];
    Ok(http::response("200 OK", &headers, event))
}
