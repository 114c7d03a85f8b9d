//! What can go wrong, and whether trying again helps.

use crate::types::Code;

/// An error of the sandbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// wasmtime could not be set up.
    #[error("setting up the sandbox: {0}")]
    Engine(String),
    /// The bytes are no component of this machine.
    #[error("compiling the component: {0}")]
    Compile(String),
    /// The component asks for more than the contract gives.
    #[error(
        "the component imports `{0}`, which no pipeline needs: only defenderbeat:pipeline/diagnostics, sink and lookup \
         are allowed"
    )]
    ForbiddenImport(String),
    /// The component was built against another contract.
    #[error(
        "the component does not fit the contract defenderbeat:pipeline@0.1: {0}; build it against the WIT of this \
         version"
    )]
    Contract(String),
    /// The component refused its settings.
    #[error("settings refused at {path}: {message}")]
    Settings {
        /// The key at fault, as a JSONPath.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// The component has no such feed.
    #[error("the component `{component}` has no feed `{feed}`")]
    UnknownFeed {
        /// The component.
        component: String,
        /// The feed.
        feed: String,
    },
    /// A call ended in a trap that cannot be laid at one record's door.
    #[error("the component trapped ({code}): {message}")]
    Trap {
        /// The kind of trap.
        code: Code,
        /// The guest's last words, or wasmtime's.
        message: String,
    },
    /// One batch trapped more often than [`Limits::traps`](crate::Limits::traps) allows.
    #[error(
        "one batch trapped {traps} times, last with: {message}; the component is broken, or its limits are too low; \
         nothing of the batch counts as settled"
    )]
    Broken {
        /// How often.
        traps: usize,
        /// What was said about the last trap.
        message: String,
    },
    /// What the guest said does not add up.
    #[error("the component's answer cannot be true: {0}; it was discarded")]
    Lie(String),
    /// The host's own sink refused a part.
    #[error("passing documents on: {0}")]
    Sink(#[source] SinkError),
}

impl Error {
    /// Whether the same call may succeed later: only where the sink refused.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Sink(_))
    }
}

/// Why a sink refused a part.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;
