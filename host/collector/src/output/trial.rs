//! What `test output` does: uses an output without delivering anything, step by step.

use std::fmt;
use std::path::Path;

use super::{elasticsearch, kafka, logstash};
use crate::config::Output;

/// One step of a trial, with what came of it; shown as Beats show theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How deep it lies within others.
    pub depth: usize,
    /// What is tried.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Steps below it say.
    Begun,
    /// It is as it should be.
    Fine,
    /// Something to know.
    Told(String),
    /// Documents can be delivered, and something is not as it should be.
    Warning(String),
    /// Documents cannot be delivered, or not as they should be.
    Failed(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { depth, name, verdict } = self;
        write!(f, "{:1$}{name}", "", 2 * depth)?;
        match verdict {
            Verdict::Begun => f.write_str("..."),
            Verdict::Fine => f.write_str("... OK"),
            Verdict::Told(text) => write!(f, ": {text}"),
            Verdict::Warning(text) => write!(f, "... WARN {text}"),
            Verdict::Failed(text) => write!(f, "... ERROR {text}"),
        }
    }
}

/// Tells steps as they end, and keeps whether all went well.
pub struct Trial<'a> {
    report: &'a mut (dyn FnMut(&Step) + Send),
    failed: bool,
}

impl<'a> Trial<'a> {
    /// Steps are told to `report`.
    pub fn new(report: &'a mut (dyn FnMut(&Step) + Send)) -> Self {
        Self { report, failed: false }
    }

    pub(super) fn step(&mut self, depth: usize, name: impl Into<String>, verdict: Verdict) {
        self.failed |= matches!(verdict, Verdict::Failed(_));
        (self.report)(&Step { depth, name: name.into(), verdict });
    }

    /// Tells a result; gives what is in it, or none.
    pub(super) fn result<T>(&mut self, depth: usize, name: &str, result: Result<T, String>) -> Option<T> {
        let (verdict, value) = match result {
            Ok(value) => (Verdict::Fine, Some(value)),
            Err(error) => (Verdict::Failed(error), None),
        };
        self.step(depth, name, verdict);
        value
    }

    /// Tries the output of a configuration for documents of these data streams, and compares index templates with those that are
    /// named here, each with the version that this program would install. Says whether documents can be delivered as they should.
    pub async fn run(mut self, output: &Output, streams: &[String], templates: &[(String, String)]) -> bool {
        match output {
            Output::Elasticsearch(settings) => {
                elasticsearch::trial::run(settings, streams, templates, &mut self).await;
            }
            Output::Kafka(settings) => kafka::trial::run(settings, streams, &mut self).await,
            Output::Logstash(settings) => logstash::trial::run(settings, &mut self).await,
            Output::Console(_) => self.step(0, "console: standard output", Verdict::Fine),
            Output::File(settings) => {
                self.step(0, format!("file: {}", settings.path.display()), Verdict::Begun);
                let _ = self.result(1, "write", write(&settings.path).map_err(|error| error.to_string()));
            }
            Output::Discard => self.step(0, "discard: documents go nowhere", Verdict::Fine),
        }
        !self.failed
    }
}

/// Writes a file that vanishes again into a folder, which is made where there is none, as the output does.
fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    tempfile::NamedTempFile::new_in(folder)?.close()
}
