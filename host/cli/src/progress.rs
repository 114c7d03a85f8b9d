//! How far something is, on a terminal. Anywhere else nothing is shown: there the log says it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use defenderbeat_collector::config::{Config, Output};
use defenderbeat_collector::metrics::{Counter, Metrics, Registry};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::status::{count, duration};
use crate::stderr::say;

/// How often it is shown anew.
const TICK: Duration = Duration::from_millis(200);
/// An input of which no record came for so long is no longer shown.
const QUIET: Duration = Duration::from_secs(2);

/// The lines that show it, at the end of what is logged.
#[derive(Clone)]
pub(crate) struct Progress(Option<MultiProgress>);

impl Progress {
    /// Shows nothing, ever.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Shows something if standard error is a terminal that documents do not go to.
    pub(crate) fn of(config: &Config) -> Self {
        let documents = matches!(config.output, Output::Console(_)) && io::stdout().is_terminal();
        Self((io::stderr().is_terminal() && !documents).then(MultiProgress::new))
    }

    /// Writes to standard error, above what is shown.
    pub(crate) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(lines) => lines.suspend(write),
            None => write(),
        }
    }

    /// Shows what inputs collect, as long as the result lives.
    pub(crate) fn collecting(&self, registry: &Arc<Registry>) -> Option<Shown> {
        let lines = self.0.clone()?;
        let inputs = registry.clone();
        let mut bars: BTreeMap<String, Shows> = BTreeMap::new();
        Some(Shown(tokio::spawn(async move {
            loop {
                let inputs = inputs.inputs();
                bars.retain(|id, _| inputs.contains_key(id));
                for (id, input) in inputs {
                    let records = input.metrics.records.get();
                    let shows = bars.entry(id.clone()).or_insert_with(Shows::new);
                    let is_busy = shows.is_busy(records, input.metrics.success.get().is_some(), Instant::now());
                    shows.show(&lines, is_busy.then(|| line(&id, &input.metrics)));
                }
                tokio::time::sleep(TICK).await;
            }
        })))
    }

    /// Shows how much of a file of dead letters is sent, as long as the result lives.
    pub(crate) fn replaying(&self, length: u64, read: &Arc<Counter>) -> Option<Shown> {
        let lines = self.0.clone()?;
        let read = read.clone();
        let bar = lines.add(ProgressBar::new(length).with_style(style("{wide_bar} {bytes}/{total_bytes} {eta}")));
        Some(Shown(tokio::spawn(async move {
            let _clear = Clear(bar.clone());
            loop {
                bar.set_position(read.get());
                tokio::time::sleep(TICK).await;
            }
        })))
    }

    /// Says at the end of a collection what came of it.
    pub(crate) fn summary(&self, registry: &Registry, began: Instant) {
        if self.0.is_none() {
            return;
        }
        let time = duration(began.elapsed().as_secs_f64());
        for (id, input) in registry.inputs() {
            say(format_args!("{id}: {} ({time})", input.metrics));
        }
        say(format_args!("output: {}", registry.output()));
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that cannot be read is a defect; a plain line serves then.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Is shown until dropped.
pub(crate) struct Shown(tokio::task::JoinHandle<()>);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes a line away.
struct Clear(ProgressBar);

impl Drop for Clear {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How an input is shown.
struct Shows {
    records: u64,
    since: Option<Instant>,
    bar: Option<Clear>,
}

impl Shows {
    fn new() -> Self {
        Self { records: 0, since: None, bar: None }
    }

    /// Whether records come, or are still awaited for the first time.
    fn is_busy(&mut self, records: u64, has_succeeded: bool, now: Instant) -> bool {
        if records != self.records {
            (self.records, self.since) = (records, Some(now));
        }
        !has_succeeded || self.since.is_some_and(|since| now.duration_since(since) < QUIET)
    }

    fn show(&mut self, lines: &MultiProgress, line: Option<String>) {
        let Some(line) = line else {
            self.bar = None;
            return;
        };
        let new = || Clear(lines.add(ProgressBar::new_spinner().with_style(style("{spinner} {msg}"))));
        let Clear(bar) = self.bar.get_or_insert_with(new);
        bar.set_message(line);
        bar.tick();
    }
}

fn line(id: &str, metrics: &Metrics) -> String {
    let rate = metrics.rate.get().unwrap_or_default();
    let lag = metrics.lag.get().map(|lag| format!(", {} behind", duration(lag))).unwrap_or_default();
    let (records, delivered) = (count(metrics.records.get()), count(metrics.delivered.get()));
    format!("{id}: {records} records, {delivered} documents delivered, {rate:.0}/s{lag}")
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_shown_until_its_first_cycle_is_over_and_while_records_come() {
        let (mut shows, began) = (Shows::new(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        assert!(shows.is_busy(0, false, at(0)), "the first records are awaited");
        assert!(shows.is_busy(10, false, at(5)));
        assert!(shows.is_busy(10, true, at(6)), "records have just come");
        assert!(!shows.is_busy(10, true, at(7)));
        assert!(shows.is_busy(11, true, at(60)), "a sync begins");
    }

    #[test]
    fn the_line_says_how_much_how_fast_and_how_far_behind() {
        let metrics = Metrics::default();
        metrics.records.add(12_345_u32);
        metrics.delivered.add(12_000_u32);
        assert_eq!(line("contoso", &metrics), "contoso: 12,345 records, 12,000 documents delivered, 0/s");
        metrics.rate.set(Some(410.4));
        metrics.lag.set(Some(7_260.0));
        assert_eq!(
            line("contoso", &metrics),
            "contoso: 12,345 records, 12,000 documents delivered, 410/s, 2h 1m behind"
        );
    }
}
