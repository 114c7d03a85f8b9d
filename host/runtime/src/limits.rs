//! What a guest may use in one call.

use std::time::Duration;

/// Limits of each call. A guest that exceeds one traps, and its instance is replaced.
///
/// ```
/// # use std::time::Duration;
/// # use defenderbeat_runtime::Limits;
/// let limits = Limits::default().with_deadline(Duration::from_secs(2)).with_memory(256 << 20);
/// assert_eq!(limits.part, Limits::default().part);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Time of a call, looked at every 10 ms; while the host takes a part, answers a lookup or takes a message, the clock
    /// stands still. A batch of 1 MiB maps in 10 ms, so the default of 10 s is met by a broken guest or an overloaded
    /// machine only.
    pub deadline: Duration,
    /// Linear memory in bytes, all of an instance's memories together. The default of 512 MiB holds the largest record
    /// (64 MiB) several times over; joins may need more.
    pub memory: usize,
    /// Bytes of a part. The default of 128 MiB is twice the largest record.
    pub part: usize,
    /// Documents of a part.
    pub documents: usize,
    /// Messages of a call that reach the operator; the others are counted.
    pub messages: usize,
    /// Bytes of a message; the rest is cut.
    pub message: usize,
    /// Traps in one batch after which the guest counts as broken. Each trap costs a new instance and a deadline at
    /// most, so this bounds the work that one batch can cause.
    pub traps: usize,
    /// Calls after which an instance is replaced, so that whatever a guest may leak is bounded.
    pub calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            memory: 512 << 20,
            part: 128 << 20,
            documents: 1 << 20,
            messages: 100,
            message: 4096,
            traps: 256,
            calls: 100_000,
        }
    }
}

impl Limits {
    /// Sets [`deadline`](field@Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets [`memory`](field@Self::memory).
    #[must_use]
    pub fn with_memory(mut self, memory: usize) -> Self {
        self.memory = memory;
        self
    }

    /// Sets [`part`](field@Self::part).
    #[must_use]
    pub fn with_part(mut self, part: usize) -> Self {
        self.part = part;
        self
    }

    /// Sets [`documents`](field@Self::documents).
    #[must_use]
    pub fn with_documents(mut self, documents: usize) -> Self {
        self.documents = documents;
        self
    }

    /// Sets [`messages`](field@Self::messages).
    #[must_use]
    pub fn with_messages(mut self, messages: usize) -> Self {
        self.messages = messages;
        self
    }

    /// Sets [`message`](field@Self::message).
    #[must_use]
    pub fn with_message(mut self, message: usize) -> Self {
        self.message = message;
        self
    }

    /// Sets [`traps`](field@Self::traps).
    #[must_use]
    pub fn with_traps(mut self, traps: usize) -> Self {
        self.traps = traps;
        self
    }

    /// Sets [`calls`](field@Self::calls).
    #[must_use]
    pub fn with_calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }
}
