//! Delivery to one partition.

use rskafka::chrono::Utc;
use rskafka::client::error::Error as ClientError;
use rskafka::record::Record;
use tokio::time::timeout;

use super::cluster::Cluster;
use super::error::{Meaning, meaning};
use super::{Error, KafkaSettings};
use crate::output::message::Message;
use crate::output::{Fate, Refusal};

/// Bytes of a record beside the document: key, lengths, offset and time.
const OVERHEAD: usize = 64;

/// The key of a document, its `_id`.
pub(super) fn key(message: &Message<'_>) -> String {
    format!("{:032x}", message.id)
}

fn record(message: &Message<'_>) -> Record {
    Record {
        key: Some(key(message).into_bytes()),
        value: Some(message.parts().concat()),
        headers: Default::default(),
        timestamp: Utc::now(),
    }
}

/// Documents of one batch, for which the broker has one limit.
fn fits(messages: &[&Message<'_>], limit: usize) -> usize {
    let mut bytes = 0_usize;
    let fitting = messages.iter().take_while(|message| {
        bytes = bytes.saturating_add(message.len() + OVERHEAD);
        bytes <= limit
    });
    fitting.count().max(1)
}

fn refused(message: &Message<'_>, limit: usize) -> Refusal {
    let message = format!("the document has {} bytes, and max_message_bytes is {limit}", message.len());
    Refusal { code: "MessageTooLarge".into(), message }
}

impl Cluster {
    /// Sends documents in batches, one after the other; gives a fate for each, and what keeps some of them waiting.
    pub(super) async fn deliver(
        &self,
        topic: &str,
        partition: i32,
        messages: Vec<&Message<'_>>,
        settings: &KafkaSettings,
    ) -> (Vec<Fate>, Option<Error>) {
        let mut fates = Vec::with_capacity(messages.len());
        let limit = settings.max_message_bytes;
        let (mut rest, mut most) = (&messages[..], usize::MAX);
        while let Some(first) = rest.first() {
            if first.len() > limit {
                fates.push(Fate::Refused(refused(first, limit)));
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let (batch, after) = rest.split_at(fits(rest, limit).min(most));
            let error = match timeout(settings.timeout, self.produce(topic, partition, batch, settings)).await {
                Ok(Ok(())) => {
                    fates.resize(fates.len() + batch.len(), Fate::Delivered);
                    (rest, most) = (after, usize::MAX);
                    continue;
                }
                Ok(Err(error)) => error,
                Err(_) => ClientError::Timeout,
            };
            let fate = match meaning(&error) {
                Meaning::Unacceptable if batch.len() > 1 => {
                    most = batch.len() / 2;
                    continue;
                }
                Meaning::Unacceptable => {
                    let message = Error::partition(topic, partition, &error).to_string();
                    let code = match &error {
                        ClientError::ServerError { protocol_error, .. } => format!("{protocol_error:?}"),
                        _ => String::new(),
                    };
                    fates.push(Fate::Refused(Refusal { code, message }));
                    (rest, most) = (after, usize::MAX);
                    continue;
                }
                Meaning::NotTaken => Fate::Retry,
                Meaning::Unknown => Fate::Unknown,
            };
            fates.resize(fates.len() + batch.len(), fate);
            // What keeps these keeps the others.
            fates.resize(messages.len(), Fate::Retry);
            return (fates, Some(Error::partition(topic, partition, &error)));
        }
        (fates, None)
    }

    async fn produce(
        &self,
        topic: &str,
        partition: i32,
        batch: &[&Message<'_>],
        settings: &KafkaSettings,
    ) -> Result<(), ClientError> {
        let connection = self.partition(topic, partition).await?;
        let Some(client) = connection.get() else { return Err(ClientError::Timeout) };
        let records = batch.iter().map(|message| record(message)).collect();
        client.produce(records, settings.compression.into()).await.map(drop)
    }
}
