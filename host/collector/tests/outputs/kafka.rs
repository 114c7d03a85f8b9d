//! `output.kafka` against Kafka's own broker.

use std::collections::BTreeSet;
use std::time::Duration;

use defenderbeat_collector::output::kafka::{Compression, KafkaSettings};
use defenderbeat_collector::output::{Backoff, Fate, Kafka, Output as _};

use crate::broker::Broker;
use crate::{deliver, documents};

fn settings(broker: &Broker, compression: Compression) -> KafkaSettings {
    KafkaSettings {
        hosts: vec![format!("127.0.0.1:{}", broker.port)],
        topic: "siem.%{[data_stream.dataset]}".into(),
        compression,
        max_message_bytes: 500_000,
        timeout: Duration::from_secs(20),
        backoff: Backoff { init: Duration::from_millis(100), max: Duration::from_secs(1) },
        ..KafkaSettings::default()
    }
}

/// Each compression in turn; the broker is killed after each, while the next documents come.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_although_the_broker_is_killed() {
    let Some(mut broker) = Broker::start() else { return };
    let all = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    let mut sent = 0;
    for compression in all {
        let kafka = Kafka::open(settings(&broker, compression)).unwrap();
        deliver(&kafka, sent..sent + 500).await;
        broker.kill_and_restart();
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

/// The broker takes batches of 100,000 bytes, less than the option says: batches are halved, and what is too large alone is refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_the_broker_is_refused_alone() {
    let Some(broker) = Broker::start() else { return };
    let kafka = Kafka::open(settings(&broker, Compression::None)).unwrap();
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
