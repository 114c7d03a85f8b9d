//! What happens on the links of event hubs: messages are delivered to receivers and taken from senders.

use std::time::Instant;

use fe2o3_amqp::link::{MessageSizeExceeded, SendError};
use fe2o3_amqp::types::messaging::message::DecodeIntoMessage;
use fe2o3_amqp::types::messaging::{Body, Data};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Delivery, Receiver, Sender};
use serde_amqp::read::SliceReader;

use super::connection::Connection;
use super::grants::Access;
use super::partition::{Partition, Sent};
use super::refusal::Refusal;
use super::seats::Seat;
use crate::tenant::count;

/// The format of a message whose data sections are messages.
const BATCH: u32 = 0x8001_3700;

/// Delivers a partition's messages, from a sequence number on, until the receiver goes, has to go, or lacks access.
pub(super) async fn deliver(
    mut sender: Sender,
    mut seat: Seat,
    partition: &Partition,
    mut next: u64,
    connection: &Connection,
    path: &str,
) {
    let mut more = partition.watch();
    let refusal = loop {
        let expiry = match connection.grants.access(Some(path)) {
            Access::None => break Refusal::unauthorized("ExpiredToken: The token is expired."),
            Access::Until(until) => Some(until),
            Access::Always => None,
        };
        more.mark_unchanged();
        let message = partition.message(next);
        tokio::select! {
            biased;
            reason = &mut seat.leave => match reason {
                Ok(reason) => {
                    count(&connection.namespace.tally.stolen);
                    break reason;
                }
                Err(_) => return,
            },
            () = expired(expiry) => {}
            sent = send(&mut sender, message) => match sent {
                Ok(()) => {
                    next += 1;
                    count(&connection.namespace.tally.delivered);
                    connection.has_delivered();
                }
                Err(Some(refusal)) => break refusal,
                Err(None) => return,
            },
            changed = more.changed(), if *more.borrow() <= next => if changed.is_err() { return },
        }
    };
    drop(seat);
    // The client may be gone already.
    let _ = sender.close_with_error(refusal).await;
}

async fn expired(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

/// Sends a message as soon as there is credit, or waits for the link's end where there is none. Err: the link has ended, or
/// has to for a reason.
async fn send(sender: &mut Sender, message: Option<Sent>) -> Result<(), Option<Refusal>> {
    match message {
        Some(message) => match sender.send_batchable(message).await {
            // Whether it is accepted does not matter: a receiver may read again what it likes.
            Ok(_) => Ok(()),
            Err(SendError::MessageSizeExceeded(MessageSizeExceeded { size, max_size })) => {
                Err(Some(Refusal::too_long(size, max_size)))
            }
            Err(_) => Err(None),
        },
        None => {
            sender.on_detach().await;
            Err(None)
        }
    }
}

/// Takes messages from a sender and hands them on.
pub(super) async fn collect(mut receiver: Receiver, connection: &Connection, publish: impl Fn(Sent, Option<&str>)) {
    while let Ok(delivery) = receiver.recv::<Body<Value>>().await {
        match unpack(&delivery) {
            Some(messages) => {
                for message in messages {
                    let key = annotation(&message, "x-opt-partition-key");
                    count(&connection.namespace.tally.received);
                    publish(message, key.as_deref());
                }
                if receiver.accept(&delivery).await.is_err() {
                    return;
                }
            }
            None => {
                let error = Refusal::invalid("A message of the batch cannot be decoded.");
                if receiver.reject(&delivery, Some(error.into())).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The messages of a delivery. None: it is a batch of something else.
fn unpack(delivery: &Delivery<Body<Value>>) -> Option<Vec<Sent>> {
    let message = delivery.message();
    match &message.body {
        Body::Data(batch) if *delivery.message_format() == Some(BATCH) => {
            batch.iter().map(|Data(bytes)| Body::decode_message_from_reader(SliceReader::new(bytes)).ok()).collect()
        }
        _ => Some(vec![message.clone()]),
    }
}

fn annotation(message: &Sent, name: &str) -> Option<String> {
    let (_, value) = message.message_annotations.as_ref()?.iter().find(|(key, _)| **key == name.into())?;
    match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}
