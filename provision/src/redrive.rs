//! Sends again what `process` failed at: from the queue of dead letters to the function.
//!
//! A message leaves the queue only when Lambda has taken its event, so a run that is cut short sends an
//! event twice at worst, and `process` does nothing twice.

use std::borrow::Cow;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use contract::Function;

use crate::aws::sqs::{Message, Open};
use crate::aws::{Aws, lambda};
use crate::interrupt::{GracefulStop, Interrupted};
use crate::stack::place::Names;

/// How long a message is hidden from others while it is sent, in seconds: longer than Lambda, throttled,
/// is asked again.
const HIDDEN: i32 = 300;

/// What became of the messages.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// Events that Lambda has taken.
    pub sent: usize,
    /// Messages that are no event, such as one put there by hand; they stay in the queue.
    pub refused: usize,
    /// Messages that came after the start, such as events that failed again; they stay too.
    pub later: usize,
}

/// Sends what was in the queue at the start. `progress` hears of every ten messages.
pub async fn run(aws: &Aws, names: &Names, progress: impl Fn(&Outcome)) -> anyhow::Result<Outcome> {
    // SQS stamps messages by its own clock. One that is behind ours costs nothing, and where it is
    // ahead the last ones wait for the next run: Lambda takes minutes to put an event back.
    let start = Timestamp::now().as_millisecond();
    let (queue, stop, mut outcome) =
        (Open::new(aws, &names.queue()).await?, GracefulStop::begin(), Outcome::default());
    let mut later = Vec::new();
    loop {
        let messages = tokio::select! {
            messages = queue.receive(HIDDEN) => messages?,
            () = stop.requested() => {
                release_all(&queue, &later).await?;
                return Err(Interrupted { left: None }.into());
            }
        };
        let (ours, new): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| message.sent < start);
        outcome.later += new.len();
        later.extend(new);
        if ours.is_empty() {
            // None is left, or none but those that came since.
            release_all(&queue, &later).await?;
            return Ok(outcome);
        }
        let sent = try_join_all(ours.iter().map(|message| send(aws, names, &queue, message))).await?;
        let taken = sent.iter().filter(|taken| **taken).count();
        outcome.sent += taken;
        outcome.refused += sent.len() - taken;
        later.extend(ours.into_iter().zip(&sent).filter(|(_, taken)| !**taken).map(|(message, _)| message));
        progress(&outcome);
    }
}

/// Sends the event of a message, and returns whether Lambda took it.
async fn send(aws: &Aws, names: &Names, queue: &Open, message: &Message) -> anyhow::Result<bool> {
    let taken = lambda::send(aws, names, Function::Process, &event(&message.body)).await?;
    if taken {
        queue.delete(message).await?;
    }
    Ok(taken)
}

/// The event that a message is about. A dead letter is the event itself; what an on-failure destination is
/// sent, and an emulator's dead letter, holds it within.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
fn event(body: &str) -> Cow<'_, str> {
    let Ok(Value::Object(mut record)) = serde_json::from_str(body) else { return body.into() };
    match record.remove("requestPayload") {
        Some(event) if record.contains_key("requestContext") => event.to_string().into(),
        _ => body.into(),
    }
}

/// What stays in the queue is seen there at once, such as by `provision status`.
async fn release_all(queue: &Open, messages: &[Message]) -> anyhow::Result<()> {
    try_join_all(messages.iter().map(|message| queue.release(message))).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn an_event_is_sent_as_it_was_and_out_of_the_record_of_its_failure() {
        for alone in [r#"{"Records": []}"#, r#"{"requestPayload": {}}"#, "no JSON", "[1]"] {
            assert_eq!(event(alone), alone);
        }
        let record =
            r#"{"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": {"Records": []}}"#;
        assert_eq!(event(record), r#"{"Records":[]}"#);
    }
}
