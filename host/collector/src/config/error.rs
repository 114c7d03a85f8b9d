//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::keystore::KeystoreError;

/// Why a configuration was refused. No value of an option is ever part of the text: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("the configuration {} cannot be read: {cause}; name another file with -c", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
    /// Others can write the file.
    #[error("the configuration {} is refused: {fault}; --strict.perms=false takes it all the same", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        fault: String,
    },
    /// The keystore cannot be used.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The text is no YAML, or a key is in it twice.
    #[error("{place}:{column}: {message}")]
    Syntax {
        /// File and line, or the override.
        place: Place,
        /// Column, from 1.
        column: u64,
        /// What the parser met.
        message: String,
    },
    /// An override is not of the form `key=value`.
    #[error("-E {key}: wants the form key=value, such as -E output.console.pretty=true")]
    Override {
        /// What comes before the first `=`, or all of it.
        key: String,
    },
    /// Options that are unknown, missing or wrong: all that were found.
    #[error("{}", lines(.0))]
    Options(Vec<Problem>),
}

/// What is wrong with one option, or is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {}{message}", prefix(option))]
pub struct Problem {
    /// Where it is written; for a missing option, where it belongs.
    pub place: Place,
    /// The option as `-E` takes it, such as `inputs.0.ssl.verification_mode`; empty for the whole file.
    pub option: String,
    /// What is wrong and what is wanted.
    pub message: String,
}

/// A place in a file or on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) origin: Arc<str>,
    /// From 1; 0 where there are no lines.
    pub(super) line: u64,
}

impl Place {
    /// Whether it is the command line.
    pub(super) fn is_override(&self) -> bool {
        self.origin.starts_with("-E ")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if self.line > 0 { write!(f, ":{}", self.line) } else { Ok(()) }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

fn prefix(option: &str) -> String {
    if option.is_empty() { String::new() } else { format!("{option}: ") }
}
