//! Faults on the wire.

use defenderbeat_simulator::EventHubsOptions;
use fe2o3_amqp::link::RecvError;
use fe2o3_amqp::types::definitions::ErrorCondition;
use fe2o3_amqp::types::primitives::Symbol;

use crate::client::{Client, SAS, hub, next, signature, start};

const ADDRESS: &str = "defender/ConsumerGroups/$Default/Partitions/0";

#[tokio::test]
async fn connections_end_without_a_word() {
    let options = EventHubsOptions { drop_connection_after: 5, ..EventHubsOptions::default() };
    let simulator = start(options).await;
    hub(&simulator).publish_made(0, 100, |number| number.to_string().into_bytes());
    let mut read = 0_i64;
    for round in 1..=3 {
        let mut client = Client::new(&simulator).await;
        let mut receiver = client.receiver(0, &format!("x-opt-sequence-number >= '{read}'")).await;
        let error = loop {
            match next(&mut receiver).await {
                Ok(message) => {
                    assert_eq!(message.sequence, read);
                    read += 1;
                }
                Err(error) => break error,
            }
        };
        assert!(matches!(error, RecvError::LinkStateError(_)), "{error}");
        // What was on its way when the connection ended may be lost.
        assert!(read <= 5 * round);
        assert_eq!(simulator.event_hubs().counters().dropped, round.unsigned_abs());
    }
}

#[tokio::test]
async fn all_connections_end_when_asked_for() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::new(&simulator).await;
    let mut receiver = client.receiver(0, "x-opt-offset > '-1'").await;
    simulator.event_hubs().drop_connections();
    assert!(next(&mut receiver).await.is_err());
    hub(&simulator).publish(0, "after");
    let mut client = Client::new(&simulator).await;
    let mut receiver = client.receiver(0, "x-opt-offset > '-1'").await;
    assert_eq!(next(&mut receiver).await.unwrap().text(), "after");
    assert_eq!(simulator.event_hubs().counters().connections, 2);
    simulator.stop().await;
    assert!(next(&mut receiver).await.is_err());
}

#[tokio::test]
async fn links_are_refused() {
    let simulator = start(EventHubsOptions { links_refused: 1.0, ..EventHubsOptions::default() }).await;
    let mut client = Client::new(&simulator).await;
    let busy = Symbol::from("com.microsoft:server-busy");
    assert_eq!(client.refused(ADDRESS, None, None).await, ErrorCondition::Custom(busy));
    let counters = simulator.event_hubs().counters();
    assert_eq!((counters.refused, counters.links), (1, 0));
}

#[tokio::test]
async fn tokens_are_refused_at_their_rate() {
    let simulator = start(EventHubsOptions { tokens_refused: 1.0, ..EventHubsOptions::default() }).await;
    let mut client = Client::anonymous(&simulator).await;
    let resource = "sb://127.0.0.1/defender";
    let token = signature(&simulator, resource, std::time::Duration::from_secs(3600));
    assert_eq!(client.put_token(resource, SAS, token).await.0, 401);
}
