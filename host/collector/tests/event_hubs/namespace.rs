//! A namespace with messages that can be told apart, and a collector that maps nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use defenderbeat_collector::http::{RetrySettings, Secret};
use defenderbeat_collector::source::event_hubs::{AuthType, Error, EventHubSettings, EventHubs};
use defenderbeat_collector::source::{Budget, DeadLetter, DeadLetters, Source as _, Start};
use defenderbeat_simulator::{EventHubsOptions, Options, Simulator};

/// A namespace with one hub, `defender`.
pub(crate) async fn namespace(options: EventHubsOptions) -> Simulator {
    Simulator::start(Options { event_hubs: options, ..Options::default() }).await.unwrap()
}

/// Options of a reader of it.
pub(crate) fn settings(simulator: &Simulator) -> EventHubSettings {
    EventHubSettings {
        eventhub: vec!["defender".into()],
        connection_string: Some(Secret::new(simulator.event_hubs().connection_string())),
        processor_update_interval: Duration::from_secs(1),
        processor_ownership_expiration: Duration::from_secs(3),
        partition_receive_timeout: Duration::from_millis(10),
        retry: RetrySettings {
            max_attempts: 20,
            wait_min: Duration::from_millis(5),
            wait_max: Duration::from_millis(50),
        },
        ..EventHubSettings::default()
    }
}

/// As [`settings`], with the secret of an application instead of a key.
pub(crate) fn with_client_secret(simulator: &Simulator) -> EventHubSettings {
    let access = &simulator.options().access;
    EventHubSettings {
        auth_type: AuthType::ClientSecret,
        connection_string: None,
        eventhub_namespace: "contoso.servicebus.windows.net".into(),
        custom_endpoint: simulator.event_hubs().url(),
        tenant_id: access.tenant_id.clone(),
        client_id: access.client_id.clone(),
        client_secret: Some(Secret::new(access.client_secret.clone())),
        authority_host: simulator.url().to_owned(),
        ..settings(simulator)
    }
}

/// Puts so many messages into each partition after those that are there.
pub(crate) fn publish(simulator: &Simulator, count: u64) {
    let hub = simulator.event_hubs().hub("defender").unwrap();
    for partition in 0..hub.partitions() {
        for _ in 0..count {
            hub.publish(partition, format!(r#"{{"records":[{{"partition":{partition}}}]}}"#)).unwrap();
        }
    }
}

/// How often each message was read: partition and sequence number.
pub(crate) type Read = BTreeMap<(String, i64), usize>;

/// What each message is read if none is missing: once.
pub(crate) fn all(partitions: u32, count: i64) -> Read {
    let every = (0..partitions).flat_map(|partition| (0..count).map(move |number| (partition.to_string(), number)));
    every.map(|message| (message, 1)).collect()
}

#[derive(Debug)]
struct NoLetters;

impl DeadLetters for NoLetters {
    fn open(&self, _: &str, _: i64) -> std::io::Result<Box<dyn DeadLetter>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// A collector that settles what it reads.
pub(crate) struct Collector {
    pub(crate) source: EventHubs,
    pub(crate) read: Read,
    pub(crate) cursor: Option<String>,
    pub(crate) sequence: u64,
    /// Since when each message may have left before.
    pub(crate) since: BTreeMap<(String, i64), Option<i64>>,
}

impl Collector {
    pub(crate) fn open(
        settings: &EventHubSettings,
        owner: &str,
        cursor: Option<&str>,
        once: bool,
    ) -> Result<Self, Error> {
        Self::open_again(settings, owner, cursor, None, once)
    }

    /// As after a run that saved its cursor at a time.
    pub(crate) fn open_again(
        settings: &EventHubSettings,
        owner: &str,
        cursor: Option<&str>,
        sent_since: Option<i64>,
        once: bool,
    ) -> Result<Self, Error> {
        let start = Start {
            cursor: cursor.map(str::to_owned),
            sent_since,
            owner: owner.to_owned(),
            once,
            budget: Budget::default(),
            max_record_size: 64 << 20,
            dead_letters: Arc::new(NoLetters),
            metrics: Arc::default(),
        };
        let source = EventHubs::open(settings, start)?;
        Ok(Self { source, read: Read::new(), cursor: None, sequence: 0, since: BTreeMap::new() })
    }

    /// Takes the next delivery without settling it. False: there are no more.
    pub(crate) async fn take(&mut self) -> Result<bool, Error> {
        let Some(delivery) = self.source.next().await? else { return Ok(false) };
        assert_eq!(delivery.sequence, self.sequence + 1);
        assert_eq!(delivery.payloads.len(), delivery.origins.len());
        self.sequence = delivery.sequence;
        for origin in delivery.origins {
            let message = (origin.partition, origin.sequence_number.unwrap());
            self.since.insert(message.clone(), delivery.sent_since);
            *self.read.entry(message).or_default() += 1;
        }
        Ok(true)
    }

    pub(crate) fn settle(&mut self) {
        self.cursor = Some(self.source.settled(self.sequence));
        self.source.saved(self.sequence);
    }

    /// Takes and settles deliveries for a time.
    pub(crate) async fn work(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while let Ok(more) = tokio::time::timeout_at(end, self.take()).await {
            assert!(more.unwrap(), "nothing but --once ends");
            self.settle();
        }
    }

    /// Takes and settles deliveries until so many messages are read.
    pub(crate) async fn read_up_to(&mut self, count: usize) {
        while self.read.len() < count {
            self.take().await.unwrap();
            self.settle();
        }
    }
}

/// Reads what is there, as `--once` does.
pub(crate) async fn once(settings: &EventHubSettings, cursor: Option<&str>) -> Result<(Read, Option<String>), Error> {
    let mut collector = Collector::open(settings, "test", cursor, true)?;
    while collector.take().await? {
        collector.settle();
    }
    collector.source.close().await;
    Ok((collector.read, collector.cursor))
}
