//! The log: what is written of it, how, and how often.

mod ecs;
mod fold;

use std::io::{self, IsTerminal as _};

use defenderbeat_collector::config::{Config, LogLevel, LoggingOptions};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::progress::Progress;
use ecs::Ecs;
use fold::{Fold, Folding};

/// The crate whose modules selectors name.
const COLLECTOR: &str = "defenderbeat_collector";
const CRATES: [&str; 3] = ["defenderbeat", COLLECTOR, "defenderbeat_runtime"];

/// Begins to log to standard error, first what is to be said of the configuration. What is still to be said of messages that were repeated is said when this is dropped.
#[must_use]
pub(crate) fn start(config: &Config, progress: &Progress) -> Log {
    let options = &config.logging;
    let terminal = io::stderr().is_terminal();
    let writer = Stderr(progress.clone());
    let json = options.json.unwrap_or(!terminal);
    let layer = if json {
        Ecs::new(writer).boxed()
    } else {
        tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(terminal).with_target(false).boxed()
    };
    let (fold, folding) = Fold::new();
    tracing_subscriber::registry().with(layer).with(targets(options)).with(fold).init();
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Log { json, folding }
}

/// The log, as long as this lives.
pub(crate) struct Log {
    json: bool,
    folding: Folding,
}

impl Log {
    /// Whether it is lines of JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Says what is still to be said of messages that were repeated, for a process that ends before this is dropped.
    pub(crate) fn rest(&self) -> impl FnOnce() + Send + use<> {
        self.folding.rest()
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

fn targets(options: &LoggingOptions) -> Targets {
    let levels = options.levels();
    let all = levels.iter().rev().find(|(module, _)| module.is_none()).map_or(options.level, |(_, level)| *level);
    let level = filter(all);
    // Libraries beneath are heard at their warnings, whose debug output could show what requests hold.
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN));
    // What this one cannot do is said by `output.kafka`, with what to do about it.
    let targets = targets.with_target("rskafka", LevelFilter::OFF);
    // What was repeated was let through before.
    let targets =
        targets.with_targets(CRATES.map(|name| (name, level))).with_target(fold::REPEATED, LevelFilter::DEBUG);
    let module = |(module, level): (Option<&str>, LogLevel)| {
        Some((format!("{COLLECTOR}::{}", module?.replace('.', "::")), filter(level)))
    };
    targets.with_targets(levels.into_iter().filter_map(module))
}

/// A module as selectors and `log.logger` have it.
fn module(target: &str) -> String {
    let own = target.strip_prefix(COLLECTOR).and_then(|below| below.strip_prefix("::"));
    own.unwrap_or(target).replace("::", ".")
}

/// Standard error, where lines go above what shows progress.
struct Stderr(Progress);

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Lines<'a> {
        Lines { progress: &self.0, text: Vec::new() }
    }
}

/// Lines that are written together.
struct Lines<'a> {
    progress: &'a Progress,
    text: Vec<u8>,
}

impl io::Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        // There is nowhere to say that the log cannot be written.
        let _ = self.progress.above(|| io::Write::write_all(&mut io::stderr(), &self.text));
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn options(level: LogLevel, selectors: &[&str]) -> LoggingOptions {
        LoggingOptions { level, selectors: selectors.iter().map(|text| (*text).to_owned()).collect(), json: None }
    }

    #[test]
    fn selectors_are_levels_of_modules() {
        let targets = targets(&options(LogLevel::Warning, &["source.graph", "http=error"]));
        for (target, level, logged) in [
            ("defenderbeat_collector::source::graph::poll", Level::DEBUG, true),
            ("defenderbeat_collector::source::defender", Level::INFO, false),
            ("defenderbeat_collector::http::service", Level::WARN, false),
            ("defenderbeat_collector::http::service", Level::ERROR, true),
            ("hyper::proto", Level::DEBUG, false),
            ("hyper::proto", Level::WARN, true),
        ] {
            assert_eq!(targets.would_enable(target, &level), logged, "{target} {level}");
        }
        let all = super::targets(&options(LogLevel::Error, &["*"]));
        assert!(all.would_enable("defenderbeat_runtime::host", &Level::DEBUG));
        assert!(!all.would_enable("hyper::proto", &Level::INFO), "libraries are never heard so closely");
        assert!(all.would_enable(fold::REPEATED, &Level::DEBUG), "how often is said of all that is said");
    }

    #[test]
    fn modules_are_named_as_selectors_name_them() {
        assert_eq!(module("defenderbeat_collector::source::graph"), "source.graph");
        assert_eq!(module("defenderbeat::run"), "defenderbeat.run");
    }
}
