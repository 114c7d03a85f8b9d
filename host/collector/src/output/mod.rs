//! Where documents go.

mod console;
mod discard;
mod file;

use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use defenderbeat_runtime::Part;

use crate::config;

pub use console::Console;
pub use discard::Discard;
pub use file::File;
pub(crate) use file::{mend, truncate};

/// Documents of one input, one a line, with what delivering them takes.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The documents and their routing facts.
    pub part: Part,
    /// Names of the data streams by route, such as `logs-m365_defender.alert-default`.
    pub streams: Arc<[String]>,
}

impl Documents {
    /// Writes the documents, one a line; with `metadata` each begins with `@metadata`, as Beats write it: `_id`, by which
    /// a reader tells a document that comes again, and `raw_index`, the data stream it is for.
    fn write(&self, metadata: bool, out: &mut impl Write) -> io::Result<()> {
        if !metadata {
            return out.write_all(&self.part.ndjson);
        }
        for (document, bytes) in self.part.iter() {
            let stream = usize::try_from(document.route).ok().and_then(|route| self.streams.get(route));
            let stream = stream.map_or("", String::as_str);
            write!(out, r#"{{"@metadata":{{"_id":"{:032x}","raw_index":"{stream}"}},"#, document.id)?;
            out.write_all(bytes.strip_prefix(b"{").unwrap_or(&bytes))?;
        }
        Ok(())
    }
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is where it should be, or will be once the output was [flushed](Output::flush).
    Delivered,
    /// It was there already.
    Duplicate,
    /// It was not taken, and may be later.
    Retry,
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

/// Takes documents.
pub trait Output: Send {
    /// Takes documents and gives one fate for each, in order.
    fn send(&mut self, documents: &Documents) -> impl Future<Output = Result<Vec<Fate>, OutputError>> + Send;

    /// Makes all that was delivered survive the end of the process, and, where the output keeps it, of the machine.
    fn flush(&mut self) -> impl Future<Output = Result<(), OutputError>> + Send;

    /// Says what was delivered, for the log, when the process ends.
    fn summary(&self) -> Option<String> {
        None
    }
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
}

impl OutputError {
    /// Whether the same documents may be taken later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::File { .. })
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
        })
    }
}

impl Output for AnyOutput {
    async fn send(&mut self, documents: &Documents) -> Result<Vec<Fate>, OutputError> {
        match self {
            Self::Console(output) => output.send(documents).await,
            Self::File(output) => output.send(documents).await,
            Self::Discard(output) => output.send(documents).await,
        }
    }

    async fn flush(&mut self) -> Result<(), OutputError> {
        match self {
            Self::Console(output) => output.flush().await,
            Self::File(output) => output.flush().await,
            Self::Discard(output) => output.flush().await,
        }
    }

    fn summary(&self) -> Option<String> {
        match self {
            Self::Console(output) => output.summary(),
            Self::File(output) => output.summary(),
            Self::Discard(output) => output.summary(),
        }
    }
}
