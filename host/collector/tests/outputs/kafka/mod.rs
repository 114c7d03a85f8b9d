//! `output.kafka` against Kafka's own broker.

mod access;
mod broker;
mod login;
mod trial;

use std::collections::BTreeSet;
use std::time::Duration;

use defenderbeat_collector::output::kafka::{Compression, KafkaSettings};
use defenderbeat_collector::output::{Backoff, Fate, Kafka, Output as _};
use rskafka::client::ClientBuilder;

use crate::{deliver, documents};
use broker::{Broker, Listener};

/// Settings for a listener, without a user.
fn settings(broker: &Broker, listener: Listener) -> KafkaSettings {
    KafkaSettings {
        hosts: vec![broker.address(listener)],
        topic: "siem.%{[data_stream.dataset]}".into(),
        max_message_bytes: 500_000,
        timeout: Duration::from_secs(20),
        backoff: Backoff { init: Duration::from_millis(100), max: Duration::from_secs(1) },
        ssl: (listener != Listener::Open).then(|| broker.ssl()),
        ..KafkaSettings::default()
    }
}

/// Why nothing is delivered with these settings, which may change.
async fn refusal(settings: KafkaSettings) -> String {
    let error = Kafka::open(settings).unwrap().send(&[documents(0..1)]).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    error.to_string()
}

/// A topic that is made late, each compression in turn, and a broker that is killed while documents come.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_although_the_broker_is_killed() {
    let Some(mut broker) = Broker::start(false) else { return };
    let error = refusal(settings(&broker, Listener::Open)).await;
    let said = "output.kafka: topic siem.m365_defender.alert: ";
    assert!(error.starts_with(said) && error.ends_with("let brokers make it (auto.create.topics.enable)"), "{error}");
    let client = ClientBuilder::new(vec![broker.address(Listener::Open)]).build().await.unwrap();
    client.controller_client().unwrap().create_topic("siem.m365_defender.alert", 3, 1, 10_000).await.unwrap();

    let all = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    let mut sent = 0;
    for (compression, is_killed) in all.into_iter().zip([true, false, false, false, true]) {
        let kafka = Kafka::open(KafkaSettings { compression, ..settings(&broker, Listener::Open) }).unwrap();
        deliver(&kafka, sent..sent + 500).await;
        if is_killed {
            broker.kill_and_restart();
        }
        deliver(&kafka, sent + 500..sent + 1000).await;
        sent += 1000;
    }
    let records = broker.read("siem.m365_defender.alert");
    let keys: BTreeSet<&str> = records.iter().map(|(_, key, _)| key.as_str()).collect();
    let expected: BTreeSet<String> = (0..sent).map(|id| format!("{id:032x}")).collect();
    assert_eq!(keys, expected.iter().map(String::as_str).collect());
    let partitions: BTreeSet<&str> = records.iter().map(|(partition, ..)| partition.as_str()).collect();
    assert_eq!(partitions.len(), 3);
    for (_, key, value) in &records {
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        assert_eq!(
            (&value["@metadata"]["_id"], &value["@metadata"]["beat"]),
            (&(**key).into(), &"defenderbeat".into())
        );
        assert_eq!(value["number"], u64::from_str_radix(key, 16).unwrap());
    }
}

/// All that takes no broker of its own, with one: it takes seconds to start.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_used_by_whom_it_lets_in() {
    let Some(broker) = Broker::start(true) else { return };
    tokio::join!(
        what_is_too_large_for_the_broker_is_refused_alone(&broker),
        access::a_password_is_taken_by_each_mechanism_and_a_wrong_one_is_not(&broker),
        access::a_mechanism_that_the_broker_does_not_take_is_told(&broker),
        access::what_is_wrong_with_tls_is_told(&broker),
        access::a_user_without_rights_is_told_which_are_missing(&broker),
        access::tokens_of_the_login_server_are_taken_and_replaced_when_they_expire(&broker),
        access::a_token_that_is_refused_and_one_that_is_not_given_are_told_apart(&broker),
        trial::each_step_to_the_topics_is_told(&broker),
        trial::each_step_that_fails_is_told(&broker),
    );
}

/// The broker takes batches of 100,000 bytes, less than the option says: batches are halved, and what is too large alone is refused.
async fn what_is_too_large_for_the_broker_is_refused_alone(broker: &Broker) {
    let settings = KafkaSettings { compression: Compression::None, ..settings(broker, Listener::Open) };
    let kafka = Kafka::open(settings).unwrap();
    deliver(&kafka, 0..1).await;
    let mut sent = documents(1..2001);
    let large = format!("{{\"text\":\"{}\"}}\n", "x".repeat(200_000));
    sent.part.documents[7].length = large.len() as u32;
    let lines = std::str::from_utf8(&sent.part.ndjson).unwrap().split_inclusive('\n').enumerate();
    sent.part.ndjson = lines.map(|(at, line)| if at == 7 { large.as_str() } else { line }).collect::<String>().into();
    let fates = kafka.send(&[sent]).await.unwrap().fates;
    let refused: Vec<usize> = (0..2000).filter(|at| fates[*at] != Fate::Delivered).collect();
    assert_eq!(refused, [7]);
    assert!(matches!(&fates[7], Fate::Refused(refusal) if refusal.code == "MessageTooLarge"), "{:?}", fates[7]);
}
