//! Receivers: positions, order, credit, epochs.

use std::collections::BTreeSet;

use defenderbeat_simulator::{EventHubsOptions, EventOptions, Events};
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::types::definitions::{AmqpError, LinkError};
use serde_json::Value;

use crate::client::{Client, condition, hub, next, start};

const ADDRESS: &str = "defender/ConsumerGroups/$Default/Partitions/0";
const FROM_START: Option<&str> = Some("x-opt-offset > '-1'");

#[tokio::test]
async fn messages_come_in_their_order_with_their_places() {
    let simulator = start(EventHubsOptions::default()).await;
    for number in 0..250 {
        hub(&simulator).publish(2, format!("message {number}"));
    }
    let mut client = Client::new(&simulator).await;
    let mut receiver = client.receiver(2, "x-opt-offset > '-1'").await;
    let mut enqueued = 0;
    for number in 0..250 {
        let message = next(&mut receiver).await.unwrap();
        assert_eq!((message.sequence, &*message.offset), (number, &*(number * 1000).to_string()));
        assert_eq!((message.text(), message.key.as_deref()), (&*format!("message {number}"), None));
        assert!(message.enqueued >= enqueued && message.enqueued > 1_700_000_000_000);
        enqueued = message.enqueued;
    }
    assert_eq!(simulator.event_hubs().counters().delivered, 250);
}

#[tokio::test]
async fn a_receiver_begins_where_it_wants_to() {
    let simulator = start(EventHubsOptions::default()).await;
    for number in 0..10 {
        hub(&simulator).publish(0, number.to_string());
    }
    let mut client = Client::new(&simulator).await;
    for (position, first) in [
        ("x-opt-offset > '-1'", "0"),
        ("x-opt-offset > '4000'", "5"),
        ("x-opt-offset >= '4000'", "4"),
        ("x-opt-sequence-number > '6'", "7"),
        ("x-opt-sequence-number >='6'", "6"),
        ("x-opt-sequence-number > '-1'", "0"),
        ("x-opt-enqueued-time > '1000'", "0"),
    ] {
        let mut receiver = client.receiver(0, position).await;
        assert_eq!(next(&mut receiver).await.unwrap().text(), first, "{position}");
        receiver.close().await.unwrap();
    }
    let mut latest = client.receiver(0, "x-opt-offset > '@latest'").await;
    let mut future = client.receiver(0, "x-opt-enqueued-time > '9000000000000'").await;
    hub(&simulator).publish(0, "10");
    assert_eq!(next(&mut latest).await.unwrap().text(), "10");
    assert_eq!(next(&mut future).await.unwrap().text(), "10");
    let mut everything = client.attach(ADDRESS, None, None, CreditMode::Auto(1)).await.unwrap();
    assert_eq!(next(&mut everything).await.unwrap().text(), "0");
    let wrong = client.refused(ADDRESS, Some("x-opt-offset = '1'"), None).await;
    assert_eq!(wrong, AmqpError::InvalidField.into());
}

#[tokio::test]
async fn no_more_is_sent_than_there_is_credit_for() {
    let simulator = start(EventHubsOptions::default()).await;
    hub(&simulator).publish_made(0, 1_000_000, |number| number.to_string().into_bytes());
    let mut client = Client::new(&simulator).await;
    let mut receiver = client.attach(ADDRESS, FROM_START, None, CreditMode::Manual).await.unwrap();
    receiver.set_credit(3).await.unwrap();
    for number in 0..3 {
        assert_eq!(next(&mut receiver).await.unwrap().text(), number.to_string());
    }
    // An answer is later than whatever was sent before it.
    client.read("com.microsoft:partition", "defender", "0").await.unwrap();
    assert_eq!(simulator.event_hubs().counters().delivered, 3);
    receiver.set_credit(1).await.unwrap();
    assert_eq!(next(&mut receiver).await.unwrap().text(), "3");
}

#[tokio::test]
async fn long_messages_and_many_take_no_memory() {
    let simulator = start(EventHubsOptions { partitions: 32, ..EventHubsOptions::default() }).await;
    let long = |number: u64| number.to_string().repeat(1_000_000).into_bytes();
    for partition in 0..32 {
        // 32 TB, if they were kept.
        assert_eq!(hub(&simulator).publish_made(partition, 1_000_000, long), Some(0));
    }
    let mut client = Client::new(&simulator).await;
    for partition in [0, 31] {
        let address = format!("defender/ConsumerGroups/$Default/Partitions/{partition}");
        let position = Some("x-opt-sequence-number >= '7'");
        let mut receiver = client.attach(&address, position, None, CreditMode::Auto(1)).await.unwrap();
        for number in 7..10 {
            let message = next(&mut receiver).await.unwrap();
            assert_eq!(message.sequence, number);
            assert!(message.body == long(number.unsigned_abs()));
        }
    }
}

#[tokio::test]
async fn the_higher_epoch_takes_the_partition() {
    let simulator = start(EventHubsOptions::default()).await;
    hub(&simulator).publish(0, "first");
    let mut client = Client::new(&simulator).await;
    let mut other = Client::new(&simulator).await;
    let mut low = client.attach(ADDRESS, FROM_START, Some(1), CreditMode::Auto(10)).await.unwrap();
    assert_eq!(next(&mut low).await.unwrap().text(), "first");
    let mut high = other.attach(ADDRESS, FROM_START, Some(2), CreditMode::Auto(10)).await.unwrap();
    assert_eq!(condition(next(&mut low).await.unwrap_err()), LinkError::Stolen.into());
    for epoch in [Some(1), None] {
        assert_eq!(client.refused(ADDRESS, FROM_START, epoch).await, LinkError::Stolen.into(), "{epoch:?}");
    }
    assert_eq!(next(&mut high).await.unwrap().text(), "first");
    hub(&simulator).publish(0, "second");
    assert_eq!(next(&mut high).await.unwrap().text(), "second");
    high.close().await.unwrap();
    // Who has closed its link has left its seat when the next request is answered.
    other.read("com.microsoft:partition", "defender", "0").await.unwrap();
    let mut free = other.attach(ADDRESS, FROM_START, None, CreditMode::Auto(10)).await.unwrap();
    assert_eq!(next(&mut free).await.unwrap().text(), "first");
    assert_eq!(simulator.event_hubs().counters().stolen, 1);
}

#[tokio::test]
async fn consumer_groups_read_for_themselves() {
    let options = EventHubsOptions { consumer_groups: vec!["beat".into()], ..EventHubsOptions::default() };
    let simulator = start(options).await;
    hub(&simulator).publish(0, "first");
    let mut client = Client::new(&simulator).await;
    for group in ["$Default", "beat", "BEAT"] {
        let address = format!("amqps://127.0.0.1/defender/ConsumerGroups/{group}/Partitions/0");
        let mut receiver = client.attach(&address, FROM_START, Some(5), CreditMode::Auto(1)).await.unwrap();
        assert_eq!(next(&mut receiver).await.unwrap().text(), "first", "{group}");
    }
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_received_from() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::new(&simulator).await;
    for address in ["defender/ConsumerGroups/other/Partitions/0", "defender/ConsumerGroups/$Default/Partitions/4"] {
        assert_eq!(client.refused(address, FROM_START, None).await, AmqpError::NotFound.into(), "{address}");
    }
    assert_eq!(simulator.event_hubs().counters().refused, 2);
}

/// The records of all partitions, each as its partition has them, from a hub with so many.
async fn records(client: &mut Client, partitions: u32, count: usize) -> Vec<Vec<Value>> {
    let mut lists = vec![Vec::new(); partitions as usize];
    for partition in 0..partitions {
        let mut receiver = client.receiver(partition, "x-opt-offset > '-1'").await;
        for _ in 0..count.div_ceil(7).div_ceil(partitions as usize) {
            let envelope: Value = serde_json::from_slice(&next(&mut receiver).await.unwrap().body).unwrap();
            lists[partition as usize].extend(envelope["records"].as_array().unwrap().iter().cloned());
        }
    }
    lists
}

#[tokio::test]
async fn generated_records_are_spread_over_all_partitions() {
    for events_per_second in [None, Some(50_000.0)] {
        let options = EventHubsOptions { events: 700, events_per_second, records_per_message: 7, ..Default::default() };
        let simulator = start(options).await;
        let mut client = Client::new(&simulator).await;
        let lists = records(&mut client, 4, 700).await;
        assert!(lists.iter().all(|list| list.len() == 175));
        let events = hub(&simulator).events().unwrap();
        let expected = (0..700).map(|number| events.record(number)).collect::<BTreeSet<_>>();
        let read: BTreeSet<String> = lists.concat().iter().map(Value::to_string).collect();
        let parsed = |text: &String| serde_json::from_str::<Value>(text).unwrap().to_string();
        assert_eq!(read, expected.iter().map(parsed).collect());
    }
}

#[tokio::test]
async fn a_hub_named_like_a_table_has_its_records_only() {
    let hubs = vec!["insights-logs-advancedhunting-deviceinfo".to_owned()];
    let simulator = start(EventHubsOptions { hubs, events: 20, ..EventHubsOptions::default() }).await;
    let hub = simulator.event_hubs().hub("insights-logs-AdvancedHunting-DeviceInfo").unwrap();
    let events = hub.events().unwrap();
    for number in 0..20 {
        assert!(events.record(number).contains(r#""AdvancedHunting-DeviceInfo""#));
    }
}

#[tokio::test]
async fn tests_choose_their_own_records() {
    let simulator = start(EventHubsOptions::default()).await;
    let events = Events::new(&EventOptions { count: Some(10), ..EventOptions::default() });
    assert_eq!(hub(&simulator).publish_events(&events, 4), 3);
    assert_eq!([0, 1, 2, 3].map(|id| hub(&simulator).last_sequence_number(id)), [Some(0), Some(0), Some(0), None]);
    let endless = Events::new(&EventOptions::default());
    assert_eq!(hub(&simulator).publish_events(&endless, 4), 0);
}
