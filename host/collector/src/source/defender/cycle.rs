//! The cycles: when one begins, how it ends, and how often a sync is begun.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::settings::{DefenderSettings, Mode};
use super::{Error, Shared};
use crate::checkpoint::unix_millis;
use crate::http::{Client, Service};
use crate::metrics::Metrics;
use crate::source::records::error_record;
use crate::source::{Budget, DeadLetters, Delivery, Start, Step, Trapped};

/// How often one sync is begun because records made the component trap.
const ATTEMPTS: u32 = 10;

/// The clock is looked at this often while waiting for a cycle, because the machine may sleep, or its clock be set.
const TICK: Duration = Duration::from_secs(60);

/// The feed of records that stand for themselves: findings of an export, changes, and failures.
pub(super) const RECORDS: &str = "records";

/// Why a cycle ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed.
    Failed(Error),
    /// Nobody takes records any more.
    Gone,
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Stop {
    /// The status that the API answered with, where that is the reason.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Failed(Error::Http(error)) => error.status(),
            _ => None,
        }
    }
}

/// The task behind a source.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) settings: DefenderSettings,
    /// Connections without a token, for files.
    pub(super) storage: Client,
    pub(super) service: Service,
    pub(super) budget: Budget,
    pub(super) max_record_size: usize,
    pub(super) dead_letters: Arc<dyn DeadLetters>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shared: Arc<Shared>,
    /// Since when what is read now may have been delivered before.
    pub(super) sent_since: Option<i64>,
    deliveries: mpsc::Sender<Delivery>,
    /// The last delivery.
    sequence: u64,
    once: bool,
}

impl Collector {
    pub(super) fn new(
        settings: DefenderSettings,
        start: Start,
        storage: Client,
        service: Service,
        shared: Arc<Shared>,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Self {
        let Start { budget, max_record_size, dead_letters, metrics, once, .. } = start;
        Self {
            settings,
            storage,
            service,
            budget,
            max_record_size,
            dead_letters,
            metrics,
            shared,
            sent_since: None,
            deliveries,
            sequence: 0,
            once,
        }
    }

    /// Runs cycles until nobody takes records any more, or one with `once`.
    pub(super) async fn run(mut self) {
        let interval = millis(self.settings.interval);
        let mut due = {
            let due = self.shared.state().progress.cursor.due(unix_millis(), interval);
            if self.once { i64::MIN } else { due }
        };
        loop {
            wait_until(due).await;
            let start = self.shared.state().progress.cursor.start(unix_millis(), interval);
            let result = match self.cycle(start).await {
                Ok(()) => Ok(()),
                Err(Stop::Failed(error)) => Err(error),
                Err(Stop::Gone) => return,
            };
            match &result {
                Ok(()) => {
                    self.shared.state().read = Some(start);
                    self.metrics.cycle_ended();
                }
                Err(error) => self.metrics.cycle_failed(error),
            }
            if let Err(error) = &result
                && self.report(error).await.is_err()
            {
                return;
            }
            let passes = result.as_ref().is_err_and(|error| !error.ends_sync());
            due = next(start, interval, passes.then(|| (unix_millis(), millis(self.settings.pause()))));
            if self.once {
                self.shared.state().ended = Some(result);
                return;
            }
        }
    }

    /// Hands a failure on as a record; what the component holds of a sync is given back.
    async fn report(&mut self, error: &Error) -> Result<(), Stop> {
        tracing::error!(%error, "cycle failed");
        let record = error_record(&error.code(), error.id(), &error.to_string());
        self.give(RECORDS, vec![record], Some(Step::GiveUp)).await
    }

    /// Runs a cycle, and begins its sync again where records trap.
    async fn cycle(&mut self, start: i64) -> Result<(), Stop> {
        let shared = self.shared.clone();
        for _ in 0..ATTEMPTS {
            shared.trapped.send_replace(None);
            let result = tokio::select! {
                result = self.attempt(start) => result,
                _ = is(&shared.trapped, Option::is_some) => Ok(()),
            };
            match shared.trapped.send_replace(None) {
                None => return result,
                Some(Trapped::Records(records)) => tracing::warn!(
                    records,
                    "records made the component trap and are set aside: the sync begins again without them"
                ),
                Some(Trapped::Whole(reason)) => {
                    self.done(start);
                    return Err(Error::Trapped(reason).into());
                }
            }
        }
        self.done(start);
        Err(Error::Attempts { attempts: ATTEMPTS }.into())
    }

    async fn attempt(&mut self, start: i64) -> Result<(), Stop> {
        match self.settings.mode {
            Mode::Correlated => {
                self.begin(start).await?;
                self.correlated().await?;
                self.end(start).await
            }
            Mode::Export => {
                self.begin(start).await?;
                self.export().await?;
                self.end(start).await
            }
            Mode::Changes => self.changes_or_export(start).await,
        }
    }

    /// Begins a sync, and returns when its start is saved.
    pub(super) async fn begin(&mut self, start: i64) -> Result<(), Stop> {
        let before = self.shared.state().progress.cursor.sync.replace(start);
        // Begun again, it gives the same ids again.
        self.sent_since = before.filter(|before| *before == start);
        self.give(RECORDS, Vec::new(), Some(Step::Begin(start))).await?;
        let sequence = self.sequence;
        is(&self.shared.saved, |saved| *saved >= sequence).await
    }

    /// Ends a sync. Its end is saved only after the component has taken it without a trap: until then the sync may have to
    /// begin again.
    pub(super) async fn end(&mut self, start: i64) -> Result<(), Stop> {
        self.give(RECORDS, Vec::new(), Some(Step::End)).await?;
        self.all_mapped().await?;
        if self.shared.trapped.borrow().is_some() {
            return Ok(());
        }
        self.done(start);
        self.shared.state().progress.cursor.full = Some(start);
        self.give(RECORDS, Vec::new(), None).await
    }

    /// How long a page or a file is asked for again. With `once` somebody waits for the outcome.
    pub(super) fn patience(&self) -> Duration {
        if self.once { Duration::ZERO } else { self.settings.pause() }
    }

    /// The cycle that began then is done with, well or not.
    pub(super) fn done(&self, start: i64) {
        let cursor = &mut self.shared.state().progress.cursor;
        (cursor.sync, cursor.last) = (None, Some(start));
    }

    /// Hands payloads on, or none, with the cursor as it is now.
    pub(super) async fn give(
        &mut self,
        feed: &'static str,
        payloads: Vec<Bytes>,
        step: Option<Step>,
    ) -> Result<(), Stop> {
        // A cycle may be dropped while it waits; a number that was taken has to be given.
        let permit = self.deliveries.reserve().await.map_err(|_| Stop::Gone)?;
        self.sequence += 1;
        let (sequence, received_at, origins) = (self.sequence, unix_millis(), Vec::new());
        let sent_since = self.sent_since;
        self.shared.state().progress.reach(sequence);
        permit.send(Delivery { sequence, feed, received_at, payloads, origins, step, sent_since });
        Ok(())
    }

    pub(super) async fn all_mapped(&self) -> Result<(), Stop> {
        let sequence = self.sequence;
        is(&self.shared.mapped, |mapped| *mapped >= sequence).await
    }
}

/// When the cycle after one that began then is due; after a failure that may pass, by the clock and the pause, however long
/// ago it began.
fn next(start: i64, interval: i64, passes: Option<(i64, i64)>) -> i64 {
    let (from, time) = passes.unwrap_or((start, interval));
    from.saturating_add(time)
}

/// Waits until something is so.
async fn is<T>(watched: &watch::Sender<T>, so: impl FnMut(&T) -> bool) -> Result<(), Stop> {
    watched.subscribe().wait_for(so).await.map(|_| ()).map_err(|_| Stop::Gone)
}

async fn wait_until(due: i64) {
    loop {
        let left = due.saturating_sub(unix_millis());
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else { return };
        sleep(TICK.min(Duration::from_millis(left))).await;
    }
}

pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_that_failed_is_not_begun_again_at_once_however_old_it_is() {
        const HOUR: i64 = 3_600_000;
        let (start, pause) = (1_795_507_200_250, HOUR / 4);
        for now in [start + 1, start + 23 * HOUR, start + 100 * HOUR] {
            assert_eq!(next(start, 24 * HOUR, Some((now, pause))), now + pause);
        }
        assert_eq!(next(start, 24 * HOUR, None), start + 24 * HOUR);
    }
}
