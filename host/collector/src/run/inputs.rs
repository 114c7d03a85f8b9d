//! The inputs that run, and those that should.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use defenderbeat_runtime::Component;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use super::input::{Shared, component, run_input, run_led};
use super::{InputCause, InputError, RunError};
use crate::config::{Input, Kind};

/// The inputs of a process. Each runs by itself; one that is no longer wanted as it is ends where all of it is settled, and begins anew
/// where it is wanted otherwise.
pub(super) struct Inputs {
    shared: Arc<Shared>,
    wanted: BTreeMap<String, (Input, Component)>,
    running: BTreeMap<String, Running>,
    tasks: JoinSet<Result<(), InputError>>,
    /// Those that ended for good, and why.
    failed: BTreeMap<String, InputError>,
    /// Those that have run before in this process.
    known: BTreeSet<String>,
    /// All of them are to end.
    stops: bool,
}

struct Running {
    input: Input,
    stop: watch::Sender<bool>,
    task: Id,
}

/// How many inputs are affected by what is wanted now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) started: usize,
    pub(super) restarted: usize,
    pub(super) stopped: usize,
}

impl Inputs {
    /// None yet.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            wanted: BTreeMap::new(),
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            failed: BTreeMap::new(),
            known: BTreeSet::new(),
            stops: false,
        }
    }

    /// Wants those of these inputs to run that are enabled, and no others. Those that run as they are wanted are left alone; those that had
    /// ended are started.
    ///
    /// # Errors
    ///
    /// There is no component for one of them. Nothing has changed then.
    pub(super) fn want(&mut self, inputs: &[Input], components: &[(Kind, Component)]) -> Result<Change, RunError> {
        let enabled = inputs.iter().filter(|input| input.enabled);
        let wanted =
            enabled.map(|input| Ok((input.id.clone(), (input.clone(), component(input, components)?.clone()))));
        self.wanted = wanted.collect::<Result<_, RunError>>()?;
        let mut change = Change::default();
        for (id, running) in &self.running {
            let wanted = self.wanted.get(id);
            if wanted.is_some_and(|(input, _)| *input == running.input) {
                continue;
            }
            tracing::info!(input = id, "the input stops: what is under way of it is delivered");
            running.stop.send_replace(true);
            match wanted {
                Some(_) => change.restarted += 1,
                None => change.stopped += 1,
            }
        }
        let failed = std::mem::take(&mut self.failed).into_keys();
        failed.filter(|id| !self.wanted.contains_key(id)).for_each(|id| self.shared.metrics.remove(&id));
        let idle = self.wanted.keys().filter(|id| !self.running.contains_key(*id));
        for id in idle.cloned().collect::<Vec<_>>() {
            self.start(&id);
            change.started += 1;
        }
        Ok(change)
    }

    fn start(&mut self, id: &str) {
        let Some((input, component)) = self.wanted.get(id) else { return };
        self.shared.metrics.add(input);
        let (stop, told) = watch::channel(false);
        let again = !self.known.insert(id.to_owned());
        let (shared, own, component) = (self.shared.clone(), input.clone(), component.clone());
        let task = match self.shared.coordinator.as_ref().filter(|_| !input.is_shared()) {
            Some(coordinator) => {
                let candidate = coordinator.stand(input, self.shared.metrics.input(id));
                self.tasks.spawn(run_led(shared, own, component, candidate, again, told)).id()
            }
            None => self.tasks.spawn(run_input(shared, own, component, again, told)).id(),
        };
        self.running.insert(id.to_owned(), Running { input: input.clone(), stop, task });
    }

    /// Whether none runs.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether one has ended for good.
    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Waits until an input has ended, and starts it again where it is wanted otherwise. May be dropped and called again.
    pub(super) async fn ended(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else { return };
        let task = match &ended {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        // Each task is one of those that run.
        let Some((id, running)) = self.running.extract_if(.., |_, running| running.task == task).next() else { return };
        let told = *running.stop.borrow();
        let result = match ended {
            Ok((_, result)) => result,
            Err(error) => {
                tracing::error!(%error, input = id, "the input has ended in a way that it must not; please report this");
                Err(InputError { input: id.clone(), cause: InputCause::Thread(error.to_string()) })
            }
        };
        match result {
            Ok(()) if told && self.wanted.contains_key(&id) => self.start(&id),
            Ok(()) if told => self.shared.metrics.remove(&id),
            Ok(()) => {}
            Err(error) if told && self.wanted.contains_key(&id) => {
                tracing::error!(%error, "the input has ended; it starts with what is wanted now");
                self.start(&id);
            }
            Err(error) if told && !self.stops => {
                tracing::error!(%error, "an input that is wanted no longer has ended without settling all");
                self.shared.metrics.remove(&id);
            }
            Err(error) => {
                if !self.tasks.is_empty() {
                    tracing::error!(%error, "an input has ended; the others go on");
                }
                self.failed.insert(id, error);
            }
        }
    }

    /// Waits until all have ended.
    pub(super) async fn all_ended(&mut self) {
        while !self.is_empty() {
            self.ended().await;
        }
    }

    /// Tells all to end; what is under way is delivered.
    pub(super) fn stop(&mut self) {
        self.stops = true;
        self.wanted.clear();
        for running in self.running.values() {
            running.stop.send_replace(true);
        }
    }

    /// Why inputs ended for good. Afterwards nothing more is handed to the delivery.
    pub(super) fn failures(self) -> Vec<InputError> {
        self.failed.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::tests::{component, config, shared};
    use super::*;

    #[tokio::test]
    async fn an_input_that_is_wanted_no_longer_does_not_count_as_failed() {
        let (config, folder) = (config(), tempfile::tempdir().unwrap());
        let shared = Arc::new(shared(&config, folder.path()));
        let checkpoints = folder.path().join("checkpoints");
        std::fs::create_dir_all(&checkpoints).unwrap();
        std::fs::write(checkpoints.join("contoso.checkpoint"), "broken").unwrap();
        let components = [(Kind::Alert, component())];
        let mut inputs = Inputs::new(shared.clone());
        for is_wanted in [true, false] {
            inputs.want(&config.inputs, &components).unwrap();
            if !is_wanted {
                inputs.want(&[], &components).unwrap();
            }
            inputs.ended().await;
            assert_eq!((inputs.is_empty(), inputs.has_failed()), (true, is_wanted));
        }
        inputs.want(&config.inputs, &components).unwrap();
        inputs.stop();
        inputs.all_ended().await;
        assert_eq!(inputs.failures().len(), 1, "a process that ends says what was not settled");
    }
}
