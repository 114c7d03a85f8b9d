//! `test output` with Kafka's own broker.

use defenderbeat_collector::config::Output;
use defenderbeat_collector::http::{Secret, SslSettings};
use defenderbeat_collector::output::Kafka;
use defenderbeat_collector::output::kafka::{KafkaSettings, Mechanism};

use crate::authority::Authority;
use crate::kafka::broker::{Broker, Listener, PASSWORD};
use crate::kafka::settings;
use crate::{deliver, test_output};

async fn run(settings: KafkaSettings) -> (bool, String) {
    test_output(Output::Kafka(Box::new(settings))).await
}

fn secure(broker: &Broker) -> KafkaSettings {
    let mut settings = settings(broker, Listener::Secure);
    settings.username = Some("writer".into());
    settings.password = Some(Secret::new(PASSWORD));
    settings.sasl.mechanism = Some(Mechanism::ScramSha256);
    settings
}

pub(crate) async fn each_step_to_the_topics_is_told(broker: &Broker) {
    let mut settings = KafkaSettings { topic: "trial.%{[data_stream.dataset]}".into(), ..secure(broker) };
    let address = broker.address(Listener::Secure);
    let (fine, lines) = run(settings.clone()).await;
    let said = "topics...\n  trial.m365_defender.alert... WARN is not listed";
    assert!(fine && lines.contains(said), "{lines}");

    deliver(&Kafka::open(settings.clone()).unwrap(), 0..1).await;
    let (fine, lines) = run(settings.clone()).await;
    let (before, after) = lines.split_once("    addresses: ").unwrap();
    assert_eq!(before, format!("kafka: {address}...\n  connection...\n    dns lookup... OK\n"));
    let expected = "
    dial up... OK
  TLS...
    handshake... OK
    TLS version: TLSv1_3
  talk to server... OK
topics...
  trial.m365_defender.alert: 3 partitions
";
    assert!(fine && after.ends_with(expected), "{lines}");

    // A topic that is there is not made known to whom has no rights.
    settings.sasl.mechanism = Some(Mechanism::Plain);
    settings.username = Some("stranger".into());
    let (fine, lines) = run(settings).await;
    assert!(
        fine && lines.contains("WARN is not listed: it does not exist, or this user may not describe it"),
        "{lines}"
    );
}

pub(crate) async fn each_step_that_fails_is_told(broker: &Broker) {
    let plain = settings(broker, Listener::Open);
    let secure = secure(broker);
    let others = SslSettings { certificate_authorities: vec![Authority::new().pem], ..broker.ssl() };
    for (settings, said) in [
        // Nothing listens on port 1.
        (KafkaSettings { hosts: vec!["127.0.0.1:1".into()], ..plain.clone() }, "    dial up... ERROR "),
        (KafkaSettings { hosts: vec!["host.invalid".into()], ..plain.clone() }, "    dns lookup... ERROR "),
        (KafkaSettings { ssl: Some(others), ..secure.clone() }, "    handshake... ERROR "),
        (
            KafkaSettings { password: Some(Secret::new("wr0ng")), ..secure },
            "  talk to server... ERROR output.kafka: connecting to localhost:",
        ),
    ] {
        let (fine, lines) = run(settings.clone()).await;
        assert!(!fine && lines.contains(said) && !lines.contains("wr0ng") && !lines.contains("topics"), "{lines}");

        // One that answers is enough to find the topics; the other is told all the same.
        let both = settings.hosts.into_iter().chain(plain.hosts.clone()).collect();
        let (fine, lines) = run(KafkaSettings { hosts: both, ..plain.clone() }).await;
        if said.contains("dial up") || said.contains("dns") {
            assert!(!fine && lines.contains(said) && lines.contains("\ntopics...\n"), "{lines}");
        }
    }
    let (fine, lines) = run(plain).await;
    assert!(
        fine && lines.contains("  TLS... WARN is not used: documents travel in the clear\n  talk to server... OK"),
        "{lines}"
    );
}
