//! SQS: the queue of events that `process` failed at.
//!
//! A queue is addressed by a URL that is not to be put together by hand:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>.

use anyhow::Context;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::create_queue::builders::CreateQueueFluentBuilder;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use serde_json::Value;

use super::failure::{failed, optional};
use super::wait::{NotYet, retry, says, wait};
use super::{Aws, tag_changes};
use crate::stack::resource::managed_tags;
use crate::stack::resource::storage::Queue;

/// The second is what SQS said before it spoke JSON, and says beside it.
const GONE: &[&str] = &["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
/// For a minute after its deletion, no queue can have the name of one.
const DELETED_RECENTLY: &[NotYet] =
    &[("QueueDeletedRecently", ""), ("AWS.SimpleQueueService.QueueDeletedRecently", "")];

pub async fn read(aws: &Aws, name: &str) -> anyhow::Result<Option<Queue>> {
    let Some(url) = url(aws, name).await? else { return Ok(None) };
    let attributes = aws.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All);
    let tags = aws.sqs.list_queue_tags().queue_url(&url);
    let (attributes, tags) = tokio::join!(attributes.send(), tags.send());
    let attributes = optional(attributes, "sqs:GetQueueAttributes", GONE)?;
    let tags = optional(tags, "sqs:ListQueueTags", GONE)?;
    let (Some(attributes), Some(tags)) = (attributes, tags) else { return Ok(None) };
    let attributes = attributes.attributes.unwrap_or_default();
    let value = |name: QueueAttributeName| attributes.get(&name).map(String::as_str).unwrap_or_default();
    let number = |name: QueueAttributeName| value(name).parse().unwrap_or_default();
    let policy = match value(QueueAttributeName::Policy) {
        "" => Value::Null,
        policy => {
            serde_json::from_str(policy).with_context(|| format!("read the policy of the queue {name}"))?
        }
    };
    let encryption = match value(QueueAttributeName::KmsMasterKeyId) {
        "" if value(QueueAttributeName::SqsManagedSseEnabled) == "true" => "SSE-SQS",
        key => key,
    };
    Ok(Some(Queue {
        tags: managed_tags(tags.tags.unwrap_or_default()),
        encryption: encryption.to_owned(),
        retention: number(QueueAttributeName::MessageRetentionPeriod),
        visibility: number(QueueAttributeName::VisibilityTimeout),
        policy,
    }))
}

async fn url(aws: &Aws, name: &str) -> anyhow::Result<Option<String>> {
    let answer = aws.sqs.get_queue_url().queue_name(name).send().await;
    Ok(optional(answer, "sqs:GetQueueUrl", GONE)?.and_then(|answer| answer.queue_url))
}

async fn existing(aws: &Aws, name: &str) -> anyhow::Result<String> {
    url(aws, name)
        .await?
        .with_context(|| format!("there is no queue {name}; create it with `provision apply`"))
}

fn attributes(desired: &Queue) -> [(QueueAttributeName, String); 4] {
    [
        (QueueAttributeName::SqsManagedSseEnabled, (desired.encryption == "SSE-SQS").to_string()),
        (QueueAttributeName::MessageRetentionPeriod, desired.retention.to_string()),
        (QueueAttributeName::VisibilityTimeout, desired.visibility.to_string()),
        (QueueAttributeName::Policy, desired.policy.to_string()),
    ]
}

/// `progress` hears where a queue of this name was deleted so recently that SQS makes it wait.
pub async fn create(aws: &Aws, name: &str, desired: &Queue, progress: impl Fn(String)) -> anyhow::Result<()> {
    let create = aws.sqs.create_queue().queue_name(name);
    let create = create.set_attributes(Some(attributes(desired).into()));
    let create = create.set_tags(Some(desired.tags.clone().into_iter().collect()));
    let once = async |create: CreateQueueFluentBuilder| {
        let answer = create.send().await;
        if let Err(error) = &answer
            && DELETED_RECENTLY.iter().any(|pattern| says(error, *pattern))
        {
            progress("one of this name was deleted; SQS wants a minute to pass since".to_owned());
        }
        answer
    };
    let answer = retry(DELETED_RECENTLY, async || once(create.clone()).await).await;
    answer.map(|_| ()).map_err(failed("sqs:CreateQueue"))
}

pub async fn update(aws: &Aws, name: &str, live: &Queue, desired: &Queue) -> anyhow::Result<()> {
    let (client, url) = (&aws.sqs, existing(aws, name).await?);
    let (set, unset) = tag_changes(&live.tags, &desired.tags);
    if !set.is_empty() {
        let call = client.tag_queue().queue_url(&url).set_tags(Some(set.into_iter().collect()));
        call.send().await.map_err(failed("sqs:TagQueue"))?;
    }
    if !unset.is_empty() {
        let call = client.untag_queue().queue_url(&url).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("sqs:UntagQueue"))?;
    }
    if (Queue { tags: live.tags.clone(), ..desired.clone() }) != *live {
        let mut changed: Vec<_> = attributes(desired).into();
        if live.encryption != desired.encryption {
            // A key of KMS gives way to SQS's own only where it is taken off in the same call.
            changed.push((QueueAttributeName::KmsMasterKeyId, String::new()));
        }
        let call = client.set_queue_attributes().queue_url(&url);
        let call = call.set_attributes(Some(changed.into_iter().collect()));
        call.send().await.map_err(failed("sqs:SetQueueAttributes"))?;
    }
    Ok(())
}

/// Waits until SQS says that it is gone, which takes up to a minute: who applied before that would
/// find a queue that is about to vanish.
pub async fn delete(aws: &Aws, name: &str) -> anyhow::Result<()> {
    let Some(found) = url(aws, name).await? else { return Ok(()) };
    optional(aws.sqs.delete_queue().queue_url(found).send().await, "sqs:DeleteQueue", GONE)?;
    wait(&format!("the deletion of the queue {name}"), async || {
        Ok(url(aws, name).await?.is_none().then_some(()))
    })
    .await
}

/// How many messages are in the queue, those in flight included; `None` where there is no queue.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>:
/// approximate, and right a minute after the last message came.
pub async fn count(aws: &Aws, name: &str) -> anyhow::Result<Option<u64>> {
    let Some(url) = url(aws, name).await? else { return Ok(None) };
    let counted = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let get = aws.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(counted.to_vec()));
    let answer = optional(get.send().await, "sqs:GetQueueAttributes", GONE)?;
    let attributes = answer.map(|answer| answer.attributes.unwrap_or_default());
    Ok(attributes.map(|attributes| attributes.values().filter_map(|text| text.parse::<u64>().ok()).sum()))
}

/// A message that was received, and is hidden from others for a while.
#[derive(Clone, Debug)]
pub struct Message {
    pub body: String,
    /// When it came into the queue, in milliseconds since the epoch by AWS's clock.
    pub sent: i64,
    receipt: String,
}

/// A queue whose URL is known.
pub struct Open {
    client: Client,
    url: String,
}

impl Open {
    pub async fn new(aws: &Aws, name: &str) -> anyhow::Result<Open> {
        Ok(Open { client: aws.sqs.clone(), url: existing(aws, name).await? })
    }

    /// Ten messages at most, hidden from others for `seconds`. Asked of all of SQS's servers, so an
    /// empty list means that none is visible.
    pub async fn receive(&self, seconds: i32) -> anyhow::Result<Vec<Message>> {
        let receive = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let receive = receive.visibility_timeout(seconds).wait_time_seconds(1);
        let receive = receive.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let answer = receive.send().await.map_err(failed("sqs:ReceiveMessage"))?;
        let message = |message: aws_sdk_sqs::types::Message| {
            let attributes = message.attributes.unwrap_or_default();
            let sent = attributes.get(&MessageSystemAttributeName::SentTimestamp);
            Message {
                body: message.body.unwrap_or_default(),
                sent: sent.and_then(|text| text.parse().ok()).unwrap_or_default(),
                receipt: message.receipt_handle.unwrap_or_default(),
            }
        };
        Ok(answer.messages.unwrap_or_default().into_iter().map(message).collect())
    }

    pub async fn delete(&self, message: &Message) -> anyhow::Result<()> {
        let delete = self.client.delete_message().queue_url(&self.url).receipt_handle(&message.receipt);
        delete.send().await.map(|_| ()).map_err(failed("sqs:DeleteMessage"))
    }

    /// Lets others see it again at once.
    pub async fn release(&self, message: &Message) -> anyhow::Result<()> {
        let change = self.client.change_message_visibility().queue_url(&self.url);
        let change = change.receipt_handle(&message.receipt).visibility_timeout(0);
        change.send().await.map(|_| ()).map_err(failed("sqs:ChangeMessageVisibility"))
    }
}
