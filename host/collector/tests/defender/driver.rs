//! A driver in place of workers and delivery.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use defenderbeat_collector::http::{RetrySettings, Secret};
use defenderbeat_collector::source::defender::{Defender, DefenderSettings, Error, Mode};
use defenderbeat_collector::source::{Budget, DeadLetter, DeadLetters, Source, Start, Step, Trapped};

use crate::api::Api;

pub(crate) fn settings(api: &Api, mode: Mode) -> DefenderSettings {
    DefenderSettings {
        tenant_id: "contoso".into(),
        client_id: "app".into(),
        client_secret: Secret::new("s3cret"),
        login_url: api.url.clone(),
        url: api.url.clone(),
        mode,
        retry: RetrySettings {
            max_attempts: 3,
            wait_min: Duration::from_millis(1),
            wait_max: Duration::from_millis(2),
        },
        ..DefenderSettings::default()
    }
}

/// Keeps what is set aside.
#[derive(Clone, Debug, Default)]
struct Letters(Arc<Mutex<Vec<Vec<u8>>>>);

struct Letter(Vec<u8>, Letters);

impl DeadLetters for Letters {
    fn open(&self, _: &str, _: i64) -> std::io::Result<Box<dyn DeadLetter>> {
        Ok(Box::new(Letter(Vec::new(), self.clone())))
    }
}

impl DeadLetter for Letter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn id(&self) -> u128 {
        xxhash_rust::xxh3::xxh3_128(&self.0)
    }

    fn keep(self: Box<Self>) -> std::io::Result<()> {
        self.1.0.lock().unwrap().push(self.0);
        Ok(())
    }
}

/// What a worker would say of a record.
type Trap = Box<dyn FnMut(&str) -> Option<Trapped>>;

/// What a source gave.
#[derive(Default)]
pub(crate) struct Driver {
    /// The cursor that was saved last.
    pub(crate) cursor: Option<String>,
    /// Records by feed, in order.
    pub(crate) records: BTreeMap<&'static str, Vec<String>>,
    pub(crate) steps: Vec<Step>,
    /// Since when what was given may have left before, without what is repeated in a row.
    pub(crate) since: Vec<Option<i64>>,
    /// Records that were too long.
    pub(crate) letters: Vec<Vec<u8>>,
    /// What the worker says of each record.
    pub(crate) trap: Option<Trap>,
    /// Ends before the delivery of this number is settled.
    pub(crate) crash_at: Option<u64>,
}

impl Driver {
    /// Runs one cycle.
    pub(crate) async fn once(&mut self, settings: &DefenderSettings) -> Result<(), Error> {
        self.run(settings, true).await
    }

    /// Runs cycles until a sync has ended.
    pub(crate) async fn until_end(&mut self, settings: &DefenderSettings) -> Result<(), Error> {
        self.run(settings, false).await
    }

    async fn run(&mut self, settings: &DefenderSettings, once: bool) -> Result<(), Error> {
        let letters = Letters::default();
        let start = Start {
            cursor: self.cursor.clone(),
            sent_since: None,
            owner: "test".to_owned(),
            once,
            budget: Budget { bytes: 1 << 20, records: 3 },
            max_record_size: 1 << 10,
            dead_letters: Arc::new(letters.clone()),
            metrics: Arc::default(),
        };
        let source = Defender::open(settings, start)?;
        let ended = self.drive(&source, once).await;
        self.letters.append(&mut letters.0.lock().unwrap());
        ended
    }

    async fn drive(&mut self, source: &Defender, once: bool) -> Result<(), Error> {
        let mut over = false;
        while let Some(delivery) = source.next().await? {
            if self.crash_at == Some(delivery.sequence) {
                return Ok(());
            }
            assert!(delivery.payloads.len() <= 3);
            if self.since.last() != Some(&delivery.sent_since) {
                self.since.push(delivery.sent_since);
            }
            if let Some(step) = delivery.step {
                self.steps.push(step);
                over &= !matches!(step, Step::Begin(_) | Step::GiveUp);
            }
            for payload in delivery.payloads.iter().filter(|_| !over) {
                let record = String::from_utf8(payload.to_vec()).unwrap();
                if let Some(trapped) = self.trap.as_mut().and_then(|trap| trap(&record)) {
                    over = true;
                    source.trapped(delivery.sequence, trapped);
                    break;
                }
                self.records.entry(delivery.feed).or_default().push(record);
            }
            source.mapped(delivery.sequence, &vec![0; delivery.payloads.len()]);
            self.cursor = Some(source.settled(delivery.sequence));
            source.saved(delivery.sequence);
            if !once && delivery.step == Some(Step::End) {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(crate) fn of(&self, feed: &str) -> &[String] {
        self.records.get(feed).map_or(&[], Vec::as_slice)
    }

    /// The starts with which syncs began.
    pub(crate) fn starts(&self) -> Vec<i64> {
        let start = |step: &Step| if let Step::Begin(start) = step { Some(*start) } else { None };
        self.steps.iter().filter_map(start).collect()
    }
}

/// Numbered records.
pub(crate) fn records(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!(r#"{{"id":"{number}"}}"#)).collect()
}
