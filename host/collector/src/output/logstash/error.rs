//! What goes wrong with Logstash.

use std::io;

use crate::http;

/// Why a window was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option is wrong. Trying again is of no use.
    #[error("output.logstash: {0}")]
    Settings(#[source] http::Error),
    /// There is no connection, so nothing was sent.
    #[error("output.logstash: connecting to {host}: {source}; `defenderbeat test output` says how far it comes")]
    Connect {
        /// Host and port.
        host: String,
        /// The cause.
        source: io::Error,
    },
    /// The connection broke, or an answer did not come in time. What was not acknowledged may have arrived.
    #[error("output.logstash: {host}: {why}")]
    Broken {
        /// Host and port.
        host: String,
        /// The cause.
        why: String,
    },
}

impl Error {
    /// Whether the same documents may be taken later.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Settings(_))
    }
}
