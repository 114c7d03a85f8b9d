//! What a host gives a pipeline: the three imports of a component.

use crate::error::SinkError;
use crate::types::{Level, Part};

/// Takes documents as a guest makes them.
pub trait Sink {
    /// Takes a part. The guest waits, and its deadline stands still.
    ///
    /// # Errors
    ///
    /// The part cannot be taken; the push ends with this error.
    fn write(&mut self, part: Part) -> Result<(), SinkError>;
}

impl<F: FnMut(Part) -> Result<(), SinkError>> Sink for F {
    fn write(&mut self, part: Part) -> Result<(), SinkError> {
        self(part)
    }
}

/// The host's own data. While it answers, the guest's deadline stands still.
pub trait Lookup: Send + Sync {
    /// Answers with a JSON fragment, or with none. `kind` is `geo`, `as` or `user-agent`. The same question has the same
    /// answer as long as the pipeline lives.
    fn find(&self, kind: &str, key: &str) -> Option<String>;
}

/// A host without data of its own.
impl Lookup for () {
    fn find(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

/// Takes what guests say to the operator. While it does, the guest's deadline stands still.
pub trait Diagnostics: Send + Sync {
    /// Takes one message.
    fn report(&self, level: Level, message: &str);
}

/// Drops messages.
impl Diagnostics for () {
    fn report(&self, _: Level, _: &str) {}
}
