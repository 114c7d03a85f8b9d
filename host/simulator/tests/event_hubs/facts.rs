//! What `$management` says.

use defenderbeat_simulator::EventHubsOptions;
use fe2o3_amqp::types::primitives::{OrderedMap, Value};

use crate::client::{Client, hub, start};

fn fact<'a>(facts: &'a OrderedMap<Value, Value>, name: &str) -> &'a Value {
    facts.get(&Value::from(name)).unwrap_or_else(|| panic!("{name} in {facts:?}"))
}

#[tokio::test]
async fn an_event_hub_has_a_name_and_partitions() {
    let simulator = start(EventHubsOptions { partitions: 3, ..EventHubsOptions::default() }).await;
    let mut client = Client::new(&simulator).await;
    let facts = client.read("com.microsoft:eventhub", "DEFENDER", "").await.unwrap();
    assert_eq!(fact(&facts, "name"), &"defender".into());
    assert_eq!(fact(&facts, "partition_count"), &Value::Int(3));
    let Value::Array(ids) = fact(&facts, "partition_ids") else { panic!("{facts:?}") };
    assert_eq!(ids.clone().into_inner(), ["0", "1", "2"].map(Value::from));
    assert!(matches!(fact(&facts, "created_at"), Value::Timestamp(_)));
}

#[tokio::test]
async fn a_partition_has_its_last_message() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::new(&simulator).await;
    let facts = client.read("com.microsoft:partition", "defender", "1").await.unwrap();
    assert_eq!(fact(&facts, "is_partition_empty"), &Value::Bool(true));
    assert_eq!(fact(&facts, "last_enqueued_sequence_number"), &Value::Long(-1));
    assert_eq!(fact(&facts, "last_enqueued_offset"), &"-1".into());
    for number in 0..3 {
        assert_eq!(hub(&simulator).publish(1, "x"), Some(number));
    }
    assert_eq!(hub(&simulator).last_sequence_number(1), Some(2));
    let facts = client.read("com.microsoft:partition", "defender", "1").await.unwrap();
    assert_eq!(fact(&facts, "is_partition_empty"), &Value::Bool(false));
    assert_eq!(fact(&facts, "begin_sequence_number"), &Value::Long(0));
    assert_eq!(fact(&facts, "last_enqueued_sequence_number"), &Value::Long(2));
    assert_eq!(fact(&facts, "last_enqueued_offset"), &"2000".into());
    assert_eq!((fact(&facts, "partition"), fact(&facts, "name")), (&"1".into(), &"defender".into()));
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::new(&simulator).await;
    assert_eq!(client.read("com.microsoft:eventhub", "other", "").await, Err(404));
    assert_eq!(client.read("com.microsoft:partition", "defender", "4").await, Err(404));
    assert_eq!(client.read("com.microsoft:queue", "defender", "").await, Err(400));
    assert_eq!(hub(&simulator).publish(4, "x"), None);
    assert!(simulator.event_hubs().hub("other").is_none());
}
