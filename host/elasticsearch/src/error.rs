//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Why there is no server, or no answer from it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something has to be installed first.
    #[error("{what} is not here: {remedy}")]
    Missing {
        /// What is absent.
        what: &'static str,
        /// What to install or to set.
        remedy: String,
    },
    /// A file of the distribution or of the server cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The distribution cannot be unpacked.
    #[error("unpacking {}: {message}; delete it if it is damaged, so that it is fetched again", path.display())]
    Unpack {
        /// The zip file.
        path: PathBuf,
        /// What the program says that unpacks it.
        message: String,
    },
    /// A program cannot be run.
    #[error("running {program}: {source}")]
    Run {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// Certificates cannot be made.
    #[error("making certificates for the server: {0}")]
    Certificates(String),
    /// The server ended or does not become ready.
    #[error("Elasticsearch {what}; the end of its log:\n{log}")]
    Start {
        /// What it did.
        what: String,
        /// The last lines of what it said.
        log: String,
    },
    /// No port on loopback can be had for a proxy or a sink.
    #[error("listening on 127.0.0.1: {0}")]
    Listen(#[source] io::Error),
    /// The server cannot be asked. It may be stopped or paused.
    #[error("asking Elasticsearch: {0}")]
    Request(#[source] reqwest::Error),
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
