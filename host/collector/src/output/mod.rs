//! Where documents go.

mod address;
mod backoff;
mod console;
mod dial;
mod discard;
pub mod elasticsearch;
mod file;
pub mod kafka;
pub mod logstash;
mod message;
mod rest;
pub mod trial;

use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use defenderbeat_runtime::{Document, Part};

use crate::config;
use crate::http::RetrySettings;

pub use backoff::Backoff;
pub use console::Console;
pub use discard::Discard;
pub use elasticsearch::Elasticsearch;
pub use file::File;
pub(crate) use file::{mend, truncate};
pub use kafka::Kafka;
pub use logstash::Logstash;

/// Documents of one input, one a line, with what delivering them takes.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The documents and their routing facts.
    pub part: Part,
    /// Names of the data streams by route, such as `logs-m365_defender.alert-default`.
    pub streams: Arc<[String]>,
    /// Since when they may have been delivered without that being known, milliseconds since 1970-01-01T00:00:00Z; none where
    /// they were not.
    pub sent_since: Option<i64>,
}

impl Documents {
    /// The data stream that a document is for.
    pub fn stream(&self, document: &Document) -> Option<&str> {
        let route = usize::try_from(document.route).ok()?;
        self.streams.get(route).map(String::as_str)
    }

    /// Writes the documents, one a line; with `metadata` each begins with `@metadata`, as Beats write it: `_id`, by which
    /// a reader tells a document that comes again, and `raw_index`, the data stream it is for.
    fn write(&self, metadata: bool, out: &mut impl Write) -> io::Result<()> {
        if !metadata {
            return out.write_all(&self.part.ndjson);
        }
        self.messages("").try_for_each(|message| message.write_line(out))
    }
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is where it should be, or will be once the output was [flushed](Output::flush).
    Delivered,
    /// It was there already.
    Duplicate,
    /// The receiver keeps it where failures are kept, and says why: it is settled, and listed with the dead letters.
    FailureStore(Refusal),
    /// It was not taken, and may be later.
    Retry,
    /// Whether it was taken is not known. It is sent again, and may be there by then.
    Unknown,
    /// It will never be taken.
    Refused(Refusal),
}

/// Why a document is refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The receiver's code.
    pub code: String,
    /// The receiver's words.
    pub message: String,
}

/// What came of a send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// One for each document, in order over all [`Documents`] of the send.
    pub fates: Vec<Fate>,
    /// How long the receiver asks to wait before what is left is sent again.
    pub retry_after: Option<Duration>,
    /// The receiver is asked too much: it answered 429 for what is left.
    pub throttled: bool,
    /// Why documents are left, where the output knows it: the words of what the receiver, or the way to it, met last.
    pub problem: Option<String>,
}

impl Sent {
    /// All documents were delivered.
    fn delivered(documents: &[Documents]) -> Self {
        let count = documents.iter().map(|documents| documents.part.documents.len()).sum();
        Self { fates: vec![Fate::Delivered; count], ..Self::default() }
    }
}

/// How much an output takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Documents of one send.
    pub documents: usize,
    /// Bytes of one send's documents. A longer document is a send of its own.
    pub bytes: usize,
    /// Sends side by side. Where it is 1, documents keep their order.
    pub lanes: usize,
}

/// Takes documents.
pub trait Output: Send + Sync + 'static {
    /// How much may be sent at once.
    fn limits(&self) -> Limits;

    /// When what was not taken is sent again. The number of attempts is not limited.
    fn retry(&self) -> RetrySettings {
        RetrySettings::default()
    }

    /// Takes documents and gives one fate for each, in order.
    ///
    /// # Errors
    ///
    /// None of them was taken.
    fn send(&self, documents: &[Documents]) -> impl Future<Output = Result<Sent, OutputError>> + Send;

    /// Makes all that was delivered survive the end of the process, and, where the output keeps it, of the machine.
    ///
    /// # Errors
    ///
    /// Whether it does is not known.
    fn flush(&self) -> impl Future<Output = Result<(), OutputError>> + Send;

    /// Says what only this output counts, for the log, when the process ends.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// A send of an output that writes lines in order, as large as what leaves a component together: nothing waits for more.
const LINES: Limits = Limits { documents: usize::MAX, bytes: 256 << 10, lanes: 1 };

/// Locks what only one send at a time has; a panic in between leaves whole lines.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why an output takes nothing.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Whoever read standard output has gone.
    #[error("output.console: nobody reads standard output any more")]
    Closed,
    /// Standard output cannot be written.
    #[error("output.console: {0}")]
    Console(#[source] io::Error),
    /// A file cannot be written. Space or rights may come back.
    #[error("output.file: {}: {source}; what is waiting is kept and tried again", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The folder or the file written last cannot be used at the start.
    #[error("output.file: {}: {source}; make it, give this user the right to write there, or choose another path", file.display())]
    Open {
        /// The folder or file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file was written and could not be synced. What the system still holds of it is unknown, so it is not tried again
    /// here: the process ends, and what was not settled is delivered after the next start.
    #[error("output.file: syncing {} to disk: {source}", file.display())]
    Sync {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Elasticsearch takes nothing.
    #[error(transparent)]
    Elasticsearch(#[from] elasticsearch::Error),
    /// Kafka takes nothing.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// Logstash takes nothing.
    #[error(transparent)]
    Logstash(#[from] logstash::Error),
}

impl OutputError {
    /// Whether the same documents may be taken later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Elasticsearch(error) => error.is_transient(),
            Self::Kafka(error) => error.is_transient(),
            Self::Logstash(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether the receiver is asked too much.
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::Elasticsearch(error) if error.is_throttled())
    }

    /// How long to wait before they are sent again, where that is not for the backoff to say.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Elasticsearch(error) => error.retry_after(),
            Self::Kafka(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// The output that the configuration names.
pub enum AnyOutput {
    /// Standard output.
    Console(Console),
    /// Files.
    File(File),
    /// Nowhere.
    Discard(Box<Discard>),
    /// Elasticsearch.
    Elasticsearch(Box<Elasticsearch>),
    /// Kafka.
    Kafka(Box<Kafka>),
    /// Logstash.
    Logstash(Box<Logstash>),
}

impl AnyOutput {
    /// Opens the output of a configuration.
    ///
    /// # Errors
    ///
    /// It cannot be used.
    pub fn open(output: &config::Output) -> Result<Self, OutputError> {
        Ok(match output {
            config::Output::Console(settings) => Self::Console(Console::new(settings.clone())),
            config::Output::File(settings) => Self::File(File::open(settings.clone())?),
            config::Output::Discard => Self::Discard(Box::default()),
            config::Output::Elasticsearch(settings) => {
                Self::Elasticsearch(Box::new(Elasticsearch::open((**settings).clone())?))
            }
            config::Output::Kafka(settings) => Self::Kafka(Box::new(Kafka::open((**settings).clone())?)),
            config::Output::Logstash(settings) => Self::Logstash(Box::new(Logstash::open((**settings).clone())?)),
        })
    }
}

/// Checks the options of an output as far as that goes without using it.
///
/// # Errors
///
/// The option at fault.
pub fn check(output: &config::Output) -> Result<(), OutputError> {
    match output {
        config::Output::Elasticsearch(settings) => Elasticsearch::open((**settings).clone()).map(drop)?,
        config::Output::Kafka(settings) => Kafka::open((**settings).clone()).map(drop)?,
        config::Output::Logstash(settings) => Logstash::open((**settings).clone()).map(drop)?,
        config::Output::Console(_) | config::Output::File(_) | config::Output::Discard => {}
    }
    Ok(())
}

impl Output for AnyOutput {
    fn limits(&self) -> Limits {
        match self {
            Self::Console(output) => output.limits(),
            Self::File(output) => output.limits(),
            Self::Discard(output) => output.limits(),
            Self::Elasticsearch(output) => output.limits(),
            Self::Kafka(output) => output.limits(),
            Self::Logstash(output) => output.limits(),
        }
    }

    fn retry(&self) -> RetrySettings {
        match self {
            Self::Console(output) => output.retry(),
            Self::File(output) => output.retry(),
            Self::Discard(output) => output.retry(),
            Self::Elasticsearch(output) => output.retry(),
            Self::Kafka(output) => output.retry(),
            Self::Logstash(output) => output.retry(),
        }
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        match self {
            Self::Console(output) => output.send(documents).await,
            Self::File(output) => output.send(documents).await,
            Self::Discard(output) => output.send(documents).await,
            Self::Elasticsearch(output) => output.send(documents).await,
            Self::Kafka(output) => output.send(documents).await,
            Self::Logstash(output) => output.send(documents).await,
        }
    }

    async fn flush(&self) -> Result<(), OutputError> {
        match self {
            Self::Console(output) => output.flush().await,
            Self::File(output) => output.flush().await,
            Self::Discard(output) => output.flush().await,
            Self::Elasticsearch(output) => output.flush().await,
            Self::Kafka(output) => output.flush().await,
            Self::Logstash(output) => output.flush().await,
        }
    }

    fn summary(&self) -> Option<String> {
        match self {
            Self::Console(output) => output.summary(),
            Self::File(output) => output.summary(),
            Self::Discard(output) => output.summary(),
            Self::Elasticsearch(output) => output.summary(),
            Self::Kafka(output) => output.summary(),
            Self::Logstash(output) => output.summary(),
        }
    }
}
