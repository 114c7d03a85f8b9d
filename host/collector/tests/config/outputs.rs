//! Options of `output.kafka` and `output.logstash`.

use std::time::Duration;

use defenderbeat_collector::config::{Config, Output};
use defenderbeat_collector::http::{Secret, SslSettings};
use defenderbeat_collector::output::Backoff;
use defenderbeat_collector::output::kafka::{Compression, KafkaSettings, Mechanism, SaslSettings};
use defenderbeat_collector::output::logstash::LogstashSettings;

fn load(output: &str, options: &str) -> Result<Output, String> {
    let text = format!(
        "inputs: [{{id: a, type: alert, tenant_id: b, client_id: c, client_secret: d}}]\noutput.{output}: {{{options}}}\n"
    );
    let env = |name: &str| (name == "PASSWORD").then(|| "s3cret".to_owned());
    Config::parse("d.yml", &text, &[], &env).map(|config| config.output).map_err(|error| error.to_string())
}

#[test]
fn options_are_named_as_in_beats() {
    let expected = KafkaSettings {
        hosts: vec!["a.example.com:9093".into(), "b.example.com".into()],
        topic: "siem.%{[data_stream.dataset]}".into(),
        client_id: "collector".into(),
        username: Some("writer".into()),
        password: Some(Secret::new("s3cret")),
        sasl: SaslSettings { mechanism: Some(Mechanism::ScramSha512) },
        compression: Compression::Zstd,
        max_message_bytes: 500_000,
        bulk_max_size: 100,
        worker: 2,
        timeout: Duration::from_secs(10),
        backoff: Backoff { init: Duration::from_secs(2), max: Duration::from_secs(3) },
        ssl: Some(SslSettings::default()),
        ..KafkaSettings::default()
    };
    let options = "hosts: ['a.example.com:9093', b.example.com], topic: 'siem.%{[data_stream.dataset]}', \
        client_id: collector, username: writer, password: '${PASSWORD}', sasl.mechanism: SCRAM-SHA-512, \
        required_acks: -1, compression: zstd, max_message_bytes: 500000, bulk_max_size: 100, worker: 2, timeout: 10s, \
        backoff: {init: 2s, max: 3s}, ssl: {}";
    match load("kafka", options) {
        Ok(Output::Kafka(settings)) => assert_eq!(*settings, expected),
        other => panic!("{other:?}"),
    }
    let expected = LogstashSettings {
        hosts: vec!["a.example.com:5045".into()],
        loadbalance: true,
        worker: 2,
        pipelining: 3,
        compression_level: 0,
        bulk_max_size: 100,
        index: "siem".into(),
        timeout: Duration::from_secs(10),
        ttl: Duration::from_secs(60),
        backoff: Backoff { init: Duration::from_secs(2), ..Backoff::default() },
        ssl: Some(SslSettings::default()),
    };
    let options = "hosts: 'a.example.com:5045', loadbalance: true, worker: 2, pipelining: 3, compression_level: 0, \
        bulk_max_size: 100, index: siem, timeout: 10s, ttl: 60s, backoff.init: 2s, ssl: {}";
    match load("logstash", options) {
        Ok(Output::Logstash(settings)) => assert_eq!(*settings, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wrong_with_kafka_is_told_by_option() {
    let user = "hosts: localhost, topic: t, username: writer, password: '${PASSWORD}'";
    let token = "hosts: localhost, topic: t, sasl.mechanism: OAUTHBEARER";
    let auth = "auth: {type: client_secret, tenant_id: t, client_id: c, client_secret: '${PASSWORD}'}";
    let far = "hosts: 192.0.2.1, topic: t";
    for (options, expected) in [
        ("", "hosts: is missing"),
        ("hosts: [], topic: t", "hosts: must not be empty"),
        ("hosts: 'kafka://localhost', topic: t", "hosts: must be names or addresses such as localhost:9092"),
        ("hosts: localhost", "topic: is missing"),
        ("hosts: localhost, topic: ''", "topic: must not be empty"),
        ("hosts: localhost, topic: 'a b'", "topic: must be of at most 249 letters"),
        ("hosts: localhost, topic: '%{[host.name]}'", "topic: cannot have the field host.name"),
        ("hosts: localhost, topic: t, username: writer", "password: is missing"),
        ("hosts: localhost, topic: t, password: '${PASSWORD}'", "username: is missing"),
        ("hosts: localhost, topic: t, sasl.mechanism: PLAIN", "username: is missing"),
        ("hosts: localhost, topic: t, sasl.mechanism: SCRAM-SHA-256, username: writer", "password: is missing"),
        (
            &format!("{user}, sasl.mechanism: OAUTHBEARER"),
            "username: and password are not for sasl.mechanism OAUTHBEARER",
        ),
        (&format!("{user}, sasl.mechanism: GSSAPI"), "sasl.mechanism: "),
        (&format!("{user}, {auth}"), "auth: is for sasl.mechanism OAUTHBEARER"),
        (token, "auth.type: is missing"),
        (&format!("{token}, auth: {{type: client_secret, client_id: c}}"), "auth.tenant_id: is missing"),
        (&format!("{token}, {auth}, login_url: 'http://192.0.2.1'"), "login_url: "),
        (
            &format!("{far}, username: writer, password: '${{PASSWORD}}'"),
            "ssl: is missing: secrets do not travel in the clear",
        ),
        (&format!("{far}, sasl.mechanism: OAUTHBEARER, {auth}"), "ssl: is missing: secrets do not travel in the clear"),
        ("hosts: '[::1]:9092', topic: t, ssl: {}", "hosts: must be names or addresses of IPv4"),
        ("hosts: localhost, topic: t, required_acks: 1", "required_acks: "),
        ("hosts: localhost, topic: t, timeout: 0s", "timeout: must be longer than 0"),
        ("hosts: localhost, topic: t, max_message_bytes: 0", "max_message_bytes: wants a size above 0"),
        ("hosts: localhost, topic: t, bulk_max_size: 0", "bulk_max_size: wants a whole number"),
        ("hosts: localhost, topic: t, worker: 0", "worker: wants a whole number"),
        ("hosts: localhost, topic: t, client_id: ''", "client_id: must not be empty"),
        ("hosts: localhost, topic: t, compression: lzma", "compression: "),
        (
            "hosts: localhost, topic: t, ssl.certificate_authorities: /nowhere/ca.pem",
            "ssl.certificate_authorities: /nowhere/ca.pem",
        ),
        ("hosts: localhost, topic: t, backoff.max: 0s", "backoff.init: must not be longer than backoff.max"),
        ("hosts: localhost, topic: t, partition.hash: {}", "partition: is no option"),
    ] {
        let error = load("kafka", options).unwrap_err();
        assert!(error.contains(&format!("output.kafka.{expected}")) && !error.contains("s3cret"), "{options}: {error}");
    }
    let shown = format!("{:?}", load("kafka", user).unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn what_is_wrong_with_logstash_is_told_by_option() {
    for (options, expected) in [
        ("", "hosts: is missing"),
        ("hosts: []", "hosts: must not be empty"),
        ("hosts: 'https://localhost'", "hosts: must be names or addresses such as localhost:5044"),
        ("hosts: localhost, timeout: 0s", "timeout: must be longer than 0"),
        ("hosts: localhost, worker: 0", "worker: wants a whole number"),
        ("hosts: localhost, pipelining: 0", "pipelining: wants a whole number"),
        ("hosts: localhost, compression_level: 10", "compression_level: wants a whole number"),
        ("hosts: localhost, bulk_max_size: 0", "bulk_max_size: wants a whole number"),
        ("hosts: localhost, index: ''", "index: must not be empty"),
        ("hosts: localhost, ssl.certificate: /nowhere/c.pem", "ssl.key: is missing"),
        ("hosts: localhost, backoff.max: 0s", "backoff.init: must not be longer than backoff.max"),
        ("hosts: localhost, proxy_url: a", "proxy_url: is no option"),
    ] {
        let error = load("logstash", options).unwrap_err();
        assert!(error.contains(&format!("output.logstash.{expected}")), "{options}: {error}");
    }
}
