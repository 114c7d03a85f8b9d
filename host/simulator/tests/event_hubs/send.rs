//! Senders: messages of other clients.

use defenderbeat_simulator::EventHubsOptions;
use fe2o3_amqp::types::messaging::{Data, Message, MessageAnnotations};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Sendable, Sender};

use crate::client::{Client, hub, next, start};

fn message(text: &str, key: Option<&str>) -> Message<Data> {
    let annotations =
        key.map(|key| MessageAnnotations::builder().insert("x-opt-partition-key", Value::from(key)).build());
    Message::builder().message_annotations(annotations).body(Data::from(text.as_bytes().to_vec())).build()
}

#[tokio::test]
async fn a_partition_takes_messages() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::new(&simulator).await;
    let name = client.name();
    let mut sender = Sender::attach(&mut client.session, name, "defender/Partitions/3").await.unwrap();
    for text in ["one", "two"] {
        sender.send(message(text, None)).await.unwrap().accepted_or("refused").unwrap();
    }
    assert_eq!([0, 3].map(|id| hub(&simulator).last_sequence_number(id)), [None, Some(1)]);
    let mut receiver = client.receiver(3, "x-opt-offset > '-1'").await;
    assert_eq!(next(&mut receiver).await.unwrap().text(), "one");
    assert_eq!(next(&mut receiver).await.unwrap().text(), "two");
    assert_eq!(simulator.event_hubs().counters().received, 2);
}

#[tokio::test]
async fn a_hub_chooses_a_partition() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::new(&simulator).await;
    let name = client.name();
    let mut sender = Sender::attach(&mut client.session, name, "defender").await.unwrap();
    for _ in 0..4 {
        sender.send(message("in turn", None)).await.unwrap();
    }
    assert_eq!([0, 1, 2, 3].map(|id| hub(&simulator).last_sequence_number(id)), [Some(0); 4]);
    for _ in 0..3 {
        sender.send(message("keyed", Some("a device"))).await.unwrap();
    }
    let lasts = [0, 1, 2, 3].map(|id| hub(&simulator).last_sequence_number(id).unwrap());
    let chosen = lasts.iter().position(|last| *last == 3).expect("one key, one partition");
    let mut receiver = client.receiver(u32::try_from(chosen).unwrap(), "x-opt-sequence-number > '0'").await;
    for _ in 0..3 {
        assert_eq!(next(&mut receiver).await.unwrap().key.as_deref(), Some("a device"));
    }
}

#[tokio::test]
async fn a_batch_of_what_is_no_message_is_refused() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::new(&simulator).await;
    let name = client.name();
    let mut sender = Sender::attach(&mut client.session, name, "defender").await.unwrap();
    let batch = Sendable::builder().message(message("no message", None)).message_format(0x8001_3700).build();
    assert!(sender.send(batch).await.unwrap().is_rejected());
    assert_eq!(hub(&simulator).last_sequence_number(0), None);
    sender.send(message("a message", None)).await.unwrap().accepted_or("refused").unwrap();
}
