//! A driver in place of the delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use defenderbeat_collector::http::{RetrySettings, Secret};
use defenderbeat_collector::source::graph::{ALERTS, Error, Feed, Graph, GraphSettings};
use defenderbeat_collector::source::{Budget, DeadLetter, DeadLetters, Source, Start};

use crate::tenant::{Alert, Tenant, ticks};

pub(crate) const MINUTE: u64 = 600_000_000;

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64 / 100
}

/// Alerts of the last ten hours, `tied` of them updated at one instant and created in the half hour before.
pub(crate) fn alerts(count: u64, tied: u64) -> Vec<Alert> {
    let begin = now() - 600 * MINUTE;
    let step = 500 * MINUTE / count;
    let instant = begin + 250 * MINUTE + 1_234_567;
    let severities = ["low", "medium", "high", "informational"];
    (0..count)
        .map(|number| {
            let updated = if number < tied { instant } else { begin + number * step };
            Alert {
                id: format!("da{number}_1"),
                updated,
                created: updated - (number * 7_654_321) % (30 * MINUTE),
                severity: severities[number as usize % 4],
            }
        })
        .collect()
}

pub(crate) fn settings(tenant: &Tenant) -> GraphSettings {
    GraphSettings {
        tenant_id: "contoso".into(),
        client_id: "app".into(),
        client_secret: Secret::new("s3cret&"),
        login_url: tenant.url(),
        url: tenant.url(),
        retry: RetrySettings {
            max_attempts: 5,
            wait_min: Duration::from_millis(1),
            wait_max: Duration::from_millis(2),
        },
        http_client_timeout: Duration::from_secs(20),
        ..GraphSettings::default()
    }
}

/// Keeps what is set aside, unless the disk is full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letters {
    pub(crate) kept: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(crate) full: Arc<AtomicBool>,
}

struct Letter(Vec<u8>, Letters);

impl DeadLetters for Letters {
    fn open(&self, feed: &str, received_at: i64) -> std::io::Result<Box<dyn DeadLetter>> {
        assert!(feed == "alerts" && received_at > 0);
        Ok(Box::new(Letter(Vec::new(), self.clone())))
    }
}

impl DeadLetter for Letter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        assert!(bytes.len() < 3 << 20, "no more than the limit and a chunk is held");
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn id(&self) -> u128 {
        xxhash_rust::xxh3::xxh3_128(&self.0)
    }

    fn keep(self: Box<Self>) -> std::io::Result<()> {
        if self.1.full.load(Ordering::Relaxed) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.1.kept.lock().unwrap().push(self.0);
        Ok(())
    }
}

pub(crate) fn start(cursor: Option<String>) -> Start {
    let budget = Budget { bytes: 64 << 10, records: 256 };
    Start {
        cursor,
        sent_since: None,
        owner: "test".to_owned(),
        once: true,
        budget,
        max_record_size: 2 << 20,
        dead_letters: Arc::new(Letters::default()),
        metrics: Arc::default(),
    }
}

/// Collects as the delivery does, with a reading of `id` and `lastUpdateDateTime` for a guest.
#[derive(Default)]
pub(crate) struct Collector {
    /// Alerts where it is none.
    pub(crate) feed: Option<&'static Feed>,
    /// Lines behind records that came with what belongs to them.
    pub(crate) joined: Vec<serde_json::Value>,
    pub(crate) cursor: Option<String>,
    /// Documents that left, and how often.
    pub(crate) left: BTreeMap<String, usize>,
    pub(crate) errors: Vec<serde_json::Value>,
    pub(crate) deliveries: usize,
    pub(crate) records: usize,
    pub(crate) letters: Letters,
}

impl Collector {
    /// Runs one cycle, or up to a number of deliveries, the last of them settled or not.
    pub(crate) async fn cycle(
        &mut self,
        settings: &GraphSettings,
        deliveries: usize,
        settle_last: bool,
    ) -> Result<(), Error> {
        let start = Start { dead_letters: Arc::new(self.letters.clone()), ..start(self.cursor.clone()) };
        let graph = Graph::open(self.feed.unwrap_or(&ALERTS), settings, start)?;
        for number in 1..=deliveries {
            let Some(delivery) = graph.next().await? else { return Ok(()) };
            assert!(delivery.payloads.len() <= 256);
            self.deliveries += 1;
            let mut positions = Vec::new();
            for payload in &delivery.payloads {
                let mut lines = serde_json::Deserializer::from_slice(payload).into_iter::<serde_json::Value>();
                let record = lines.next().unwrap().expect("a whole record");
                let behind: Vec<_> = lines.map(|line| line.expect("a whole line")).collect();
                assert!(behind.is_empty() || delivery.feed == "incident-alerts");
                self.joined.extend(behind);
                let text = std::str::from_utf8(payload).unwrap();
                let position = record["lastUpdateDateTime"].as_str().map_or(0, ticks);
                positions.push(position);
                self.records += 1;
                if !graph.fresh(delivery.sequence, hash(text), position) {
                    continue;
                }
                match record.get("error") {
                    Some(error) => self.errors.push(error.clone()),
                    None => {
                        *self.left.entry(format!("{}@{position}", record["id"].as_str().unwrap())).or_default() += 1
                    }
                }
            }
            graph.mapped(delivery.sequence, &positions);
            if number < deliveries || settle_last {
                self.cursor = Some(graph.settled(delivery.sequence));
            }
        }
        Ok(())
    }

    pub(crate) async fn whole_cycle(&mut self, settings: &GraphSettings) -> Result<(), Error> {
        self.cycle(settings, usize::MAX, true).await
    }

    pub(crate) fn assert_exactly(&self, tenant: &Tenant) {
        self.assert_all(tenant);
        let doubled: Vec<_> = self.left.iter().filter(|(_, count)| **count > 1).take(5).collect();
        assert!(doubled.is_empty(), "doubled: {doubled:?}");
    }

    pub(crate) fn assert_all(&self, tenant: &Tenant) {
        let expected: BTreeSet<String> =
            tenant.state().alerts.iter().map(|alert| format!("{}@{}", alert.id, alert.updated)).collect();
        let found: BTreeSet<String> = self.left.keys().cloned().collect();
        let lost: Vec<_> = expected.difference(&found).take(5).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert_eq!(found.len(), expected.len());
    }
}

fn hash(text: &str) -> u128 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    u128::from(hasher.finish())
}
