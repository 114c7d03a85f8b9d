//! Facts of all components that gather some.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::config::Kind;
use crate::coordination::Coordinator;
use crate::facts::Facts;

/// How often facts are saved: so much of them a crash loses.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// Facts by the type of the inputs that share them.
pub(super) struct Memory {
    data: PathBuf,
    /// Has other processes know them too.
    coordinator: Option<Arc<Coordinator>>,
    facts: Mutex<BTreeMap<Kind, Arc<Facts>>>,
}

impl Memory {
    /// Facts that are kept below `path.data`.
    pub(super) fn new(data: PathBuf, coordinator: Option<Arc<Coordinator>>) -> Arc<Self> {
        Arc::new(Self { data, coordinator, facts: Mutex::default() })
    }

    /// Those of a type, which are read when they are first asked for.
    pub(super) fn of(&self, kind: Kind) -> Arc<Facts> {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let load = || {
            let facts = Arc::new(Facts::load(&self.data, kind.name()));
            if let Some(coordinator) = &self.coordinator {
                coordinator.share(kind, facts.clone());
            }
            facts
        };
        facts.entry(kind).or_insert_with(load).clone()
    }

    fn save(&self) {
        let facts: Vec<_> = self.facts.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        facts.iter().for_each(|facts| facts.save());
    }
}

/// Saves them now and then, and when it is dropped.
pub(super) struct Saver {
    memory: Arc<Memory>,
    task: JoinHandle<()>,
}

impl Saver {
    pub(super) fn start(memory: Arc<Memory>) -> Self {
        let saved = memory.clone();
        let task = tokio::spawn(async move {
            loop {
                sleep(SAVE_EVERY).await;
                let saved = saved.clone();
                // Its result is that it panicked, which is logged.
                let _ = tokio::task::spawn_blocking(move || saved.save()).await;
            }
        });
        Self { memory, task }
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.task.abort();
        self.memory.save();
    }
}
