//! All samples, and a line of them a minute.

use crate::MINUTE;
use crate::arrived::Arrived;
use crate::fleet::NAMES;
use crate::sample::Sample;
use crate::source::Source;

/// Samples by second, of each process.
pub(crate) struct Table {
    rows: Vec<(u64, [Option<Sample>; 2])>,
}

impl Table {
    pub(crate) fn begin() -> Self {
        let of_process =
            NAMES.map(|name| format!("{name:>8} {:>5} {:>7} {:>6} {:>8}", "files", "threads", "lag s", "messages"));
        println!(
            "processes: resident memory in MiB, open files, threads, lag in seconds and in messages of the event hub;"
        );
        println!(
            "documents: that came by then and arrived, that are behind, that were sent again although they had arrived"
        );
        println!(
            "{:>6} |{}|{} | {:>9} {:>9} {:>7} {:>7} {:>5} {:>8} {:>7}",
            "minute",
            of_process[0],
            of_process[1],
            "came",
            "arrived",
            "behind",
            "again",
            "syncs",
            "rejected",
            "letters"
        );
        Self { rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, second: u64, samples: [Option<Sample>; 2]) {
        self.rows.push((second, samples));
    }

    /// Prints the last samples, and how delivery stands.
    pub(crate) fn print(&self, source: &Source, arrived: &Arrived, dead_letters: usize) {
        let Some((second, samples)) = self.rows.last() else { return };
        let due = source.due();
        let findings = arrived.count() - arrived.counts().iter().sum::<u64>();
        let told = || samples.iter().flatten().filter_map(|sample| sample.told.as_ref());
        println!(
            "{:>6} |{}|{} | {:>9} {:>9} {:>7} {:>7} {:>5} {:>8} {:>7}",
            second / MINUTE,
            line(samples[0].as_ref()),
            line(samples[1].as_ref()),
            due.iter().sum::<u64>() + findings,
            arrived.count(),
            arrived.behind(due),
            arrived.again,
            arrived.syncs.len(),
            told().map(|told| told.rejected).sum::<u64>(),
            dead_letters,
        );
    }

    /// What a process was measured at from one part of the time to another, such as from 0.25 to 0.5.
    pub(crate) fn values(&self, process: usize, from: f64, to: f64, of: impl Fn(&Sample) -> Option<f64>) -> Vec<f64> {
        let end = self.rows.last().map_or(0, |(second, _)| *second) as f64;
        let within = self.rows.iter().filter(|(second, _)| (from..=to).contains(&(*second as f64 / end)));
        within.filter_map(|(_, samples)| of(samples[process].as_ref()?)).collect()
    }
}

fn line(sample: Option<&Sample>) -> String {
    let Some(sample) = sample else { return format!("{:>8} {:>5} {:>7} {:>6} {:>8}", "away", "", "", "", "") };
    let (lag, messages) = match &sample.told {
        Some(told) => (format!("{:.1}", told.lag), format!("{:.0}", told.messages)),
        None => ("paused".to_owned(), String::new()),
    };
    format!("{:>8.1} {:>5} {:>7} {lag:>6} {messages:>8}", sample.memory, sample.files, sample.threads)
}
