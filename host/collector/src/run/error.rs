//! Why a run or an input ended.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::checkpoint::CheckpointError;
use crate::deliver::DeliverError;
use crate::http;
use crate::monitor::MonitorError;
use crate::output::OutputError;
use crate::source::{defender, event_hubs, graph};
use crate::worker::WorkerError;

/// Why a run ended otherwise than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state under `path.data` cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file of this program cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// What the process tells of itself cannot be asked for.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// The options of `coordination` are wrong.
    #[error("coordination: {0}")]
    Coordination(#[source] http::Error),
    /// The output cannot be used.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The component of an input refuses its settings, or fails at once.
    #[error("input {input}: {source}")]
    Component {
        /// The input's id.
        input: String,
        /// The cause.
        source: defenderbeat_runtime::Error,
    },
    /// An option of an input's source is wrong.
    #[error("input {input}: {source}")]
    Source {
        /// The input's id.
        input: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An option does not go with the type of its input.
    #[error("input {input}: {option} {message}")]
    Option {
        /// The input's id.
        input: String,
        /// The option.
        option: &'static str,
        /// What is wrong.
        message: &'static str,
    },
    /// There is no component for an input.
    #[error("input {input}: there is no component for type {kind}")]
    NoComponent {
        /// The input's id.
        input: String,
        /// Its type.
        kind: &'static str,
    },
    /// Delivery ended.
    #[error("delivery ended")]
    Deliver(#[from] DeliverError),
    /// Inputs failed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Inputs(Vec<InputError>),
    /// Stopping took too long. What is settled is saved.
    #[error(
        "after {timeout:?} (shutdown_timeout) not all was delivered{}; what was not is read again at the next start",
        describe(.left)
    )]
    Shutdown {
        /// How long it was waited.
        timeout: Duration,
        /// Documents that were not delivered, by input.
        left: BTreeMap<String, usize>,
    },
    /// A thread cannot be started, or ended in a way that it must not.
    #[error("{0}")]
    Thread(String),
}

fn describe(left: &BTreeMap<String, usize>) -> String {
    if left.is_empty() {
        return String::new();
    }
    let inputs = left.iter().map(|(input, documents)| format!("{documents} of input {input}"));
    format!(": documents left are {}", inputs.collect::<Vec<_>>().join(", "))
}

/// Why an input ended.
#[derive(Debug, thiserror::Error)]
#[error("input {input}: {cause}")]
pub struct InputError {
    /// The input's id.
    pub input: String,
    /// The cause.
    pub cause: InputCause,
}

/// Why an input ended.
#[derive(Debug, thiserror::Error)]
pub enum InputCause {
    /// Its checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its component failed.
    #[error(transparent)]
    Component(#[from] defenderbeat_runtime::Error),
    /// Its source failed.
    #[error(transparent)]
    Source(#[from] graph::Error),
    /// Its source failed.
    #[error(transparent)]
    EventHubs(#[from] event_hubs::Error),
    /// Its source failed.
    #[error(transparent)]
    Defender(#[from] defender::Error),
    /// A worker of it failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// It was to be read once, and whether anybody leads it is not known.
    #[error(
        "nobody is known to lead it, and this process cannot: the log says what keeps processes from being coordinated"
    )]
    Unled,
    /// It is gone: a defect of this program.
    #[error("{0}")]
    Thread(String),
}

impl InputCause {
    /// Whether starting the input again may help.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Checkpoint(error) => error.is_transient(),
            Self::Source(graph::Error::Http(error)) | Self::Defender(defender::Error::Http(error)) => {
                error.is_transient()
            }
            Self::Source(graph::Error::Cursor(_)) | Self::Defender(defender::Error::Cursor(_)) => false,
            Self::EventHubs(error) => error.is_transient(),
            Self::Source(_) | Self::Defender(_) | Self::Component(_) | Self::Thread(_) => true,
            Self::Worker(WorkerError::Mapping(_) | WorkerError::Thread(_)) => true,
            Self::Worker(WorkerError::Gone) | Self::Unled => false,
        }
    }
}
