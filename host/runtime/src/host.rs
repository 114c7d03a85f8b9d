//! The host's side of a call: what it knows of the call that runs, its limits, and the imports that the guest calls.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use scoped_tls_hkt::scoped_thread_local;
use wasmtime::{ResourceLimiter, Trap};

use crate::bindings::defenderbeat::pipeline::{diagnostics, lookup, sink};
use crate::error::{Error, SinkError};
use crate::imports::{Diagnostics, Lookup, Sink};
use crate::limits::Limits;
use crate::types::{Code, Document, Level, Part};
use crate::verify;

scoped_thread_local!(
    /// The sink of the call that runs on this thread.
    pub(crate) static mut SINK: for<'a> &'a mut (dyn Sink + 'a)
);

/// Elements of a table, at most. A table holds a guest's functions, of which the largest has some thousands.
const TABLE: usize = 100_000;

/// Bytes of a receipt, at least: 40 a payload, and names, paths and messages.
const RECEIPT: usize = 16 << 20;

/// What a store holds besides the guest's memory.
pub(crate) struct Host {
    limits: Limits,
    lookup: Arc<dyn Lookup>,
    diagnostics: Arc<dyn Diagnostics>,
    routes: usize,
    memory: usize,
    /// Calls that ended in a trap.
    traps: u32,
    call: Call,
}

/// What is known of the call that runs.
#[derive(Default)]
struct Call {
    /// None where that is further away than an instant can say.
    ends: Option<Instant>,
    messages: usize,
    /// The last message, if it was an error and nothing else was asked of the host since.
    last_words: Option<String>,
    passage: Passage,
    fault: Option<Fault>,
}

/// How the documents of a call pass.
#[derive(Default)]
pub(crate) struct Passage {
    /// For each payload of the call, its place in `progress`.
    pub(crate) origins: Vec<usize>,
    /// For each payload of the call, the documents that the guest wrote.
    pub(crate) written: Vec<u32>,
    /// For each payload of the batch, how far its documents have come.
    pub(crate) progress: Vec<Progress>,
}

/// How far the documents of a payload have come. A payload is run again after a trap; what was passed on is not passed
/// on twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Documents that the guest has written, repeats counted once.
    pub(crate) produced: u32,
    /// Documents that were passed on.
    pub(crate) passed: u32,
}

/// Why the host ended a call.
enum Fault {
    Lie(String),
    Sink(SinkError),
    Memory(usize),
    Part(String),
    Deadline,
}

/// How a call ended badly.
pub(crate) enum Failure {
    /// By a trap: the instance is gone, the record may be at fault.
    Trap { code: Code, message: String },
    /// By anything else.
    Error(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Trap { code, message } => Error::Trap { code, message },
            Failure::Error(error) => error,
        }
    }
}

impl Passage {
    /// A passage for payloads of these origins.
    pub(crate) fn new(origins: Vec<usize>, progress: Vec<Progress>) -> Self {
        Self { written: vec![0; origins.len()], origins, progress }
    }

    /// The documents that were not passed on before the guest was run again.
    fn unseen(&mut self, ndjson: Vec<u8>, documents: Vec<Document>) -> Part {
        let mut kept = Vec::with_capacity(documents.len());
        let mut ranges = Vec::new();
        let mut offset = 0;
        let total = documents.len();
        for mut document in documents {
            let range = offset..offset + document.length as usize;
            offset = range.end;
            let payload = document.payload as usize;
            let Some(origin) = self.origins.get(payload).copied() else { continue };
            let (Some(written), Some(progress)) = (self.written.get_mut(payload), self.progress.get_mut(origin)) else {
                continue;
            };
            *written = written.saturating_add(1);
            progress.produced = progress.produced.saturating_add(1);
            if progress.produced > progress.passed {
                progress.passed = progress.produced;
                document.payload = u32::try_from(origin).unwrap_or(u32::MAX);
                kept.push(document);
                ranges.push(range);
            }
        }
        let ndjson = if kept.len() == total {
            Bytes::from(ndjson)
        } else {
            let kept: Vec<&[u8]> = ranges.into_iter().filter_map(|range| ndjson.get(range)).collect();
            Bytes::from(kept.concat())
        };
        Part { ndjson, documents: kept }
    }
}

impl Host {
    pub(crate) fn new(
        limits: Limits,
        lookup: Arc<dyn Lookup>,
        diagnostics: Arc<dyn Diagnostics>,
        routes: usize,
    ) -> Self {
        Self { limits, lookup, diagnostics, routes, memory: 0, traps: 0, call: Call::default() }
    }

    /// Linear memory in bytes, of all the component's memories together.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Calls that ended in a trap.
    pub(crate) fn traps(&self) -> u32 {
        self.traps
    }

    /// Bytes that wasmtime may copy out of the guest in one go: a part as large as allowed with its entries, or a
    /// receipt.
    pub(crate) fn copied(limits: &Limits) -> usize {
        let entries = limits.documents.saturating_mul(size_of::<sink::Document>());
        limits.part.saturating_add(entries).max(RECEIPT)
    }

    pub(crate) fn begin(&mut self, passage: Passage) {
        self.call = Call { ends: Instant::now().checked_add(self.limits.deadline), passage, ..Call::default() };
    }

    /// Ends a call: says how many messages were left out, and gives back how documents passed.
    pub(crate) fn end(&mut self) -> Passage {
        let left_out = self.call.messages.saturating_sub(self.limits.messages);
        if left_out > 0 {
            let message = format!("{left_out} more messages of one call were left out");
            self.diagnostics.report(Level::Warn, &message);
        }
        mem::take(&mut self.call).passage
    }

    /// Whether the call goes on, asked at each tick.
    pub(crate) fn goes_on(&mut self) -> bool {
        let late = self.call.ends.is_some_and(|ends| Instant::now() >= ends);
        if late {
            self.call.fault = Some(Fault::Deadline);
        }
        !late
    }

    /// Takes time that the host used off the call's.
    fn pause(&mut self, used: Duration) {
        self.call.ends = self.call.ends.and_then(|ends| ends.checked_add(used));
    }

    /// Why a call ended badly.
    pub(crate) fn failure(&mut self, error: &wasmtime::Error) -> Failure {
        let (code, message) = match self.call.fault.take() {
            Some(Fault::Lie(lie)) => return Failure::Error(Error::Lie(lie)),
            Some(Fault::Sink(error)) => return Failure::Error(Error::Sink(error)),
            Some(Fault::Memory(wanted)) => {
                let limit = self.limits.memory;
                (Code::Memory, format!("{wanted} bytes of memory were asked for, {limit} are allowed"))
            }
            Some(Fault::Part(message)) => (Code::Part, message),
            Some(Fault::Deadline) => (Code::Deadline, format!("took longer than {:?}", self.limits.deadline)),
            None => match error.downcast_ref::<Trap>() {
                Some(Trap::StackOverflow) => (Code::Stack, "the stack is exhausted".to_owned()),
                Some(trap) => (Code::Trap, self.call.last_words.take().unwrap_or_else(|| trap.to_string())),
                None => (Code::Trap, error.root_cause().to_string()),
            },
        };
        self.traps = self.traps.saturating_add(1);
        Failure::Trap { code, message }
    }

    fn fault(&mut self, fault: Fault) -> wasmtime::Error {
        self.call.fault = Some(fault);
        wasmtime::Error::msg("ended by the host")
    }
}

impl ResourceLimiter for Host {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_sub(current).saturating_add(desired);
        if total > self.limits.memory {
            return Err(self.fault(Fault::Memory(total)));
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE)
    }
}

impl sink::Host for Host {
    fn write(&mut self, ndjson: Vec<u8>, documents: Vec<sink::Document>) -> wasmtime::Result<()> {
        self.call.last_words = None;
        if let Err(message) = verify::size(ndjson.len(), documents.len(), &self.limits) {
            return Err(self.fault(Fault::Part(message)));
        }
        let documents: Vec<Document> = documents.into_iter().map(Document::from).collect();
        if let Err(lie) = verify::part(&ndjson, &documents, self.call.passage.origins.len(), self.routes) {
            return Err(self.fault(Fault::Lie(lie)));
        }
        let part = self.call.passage.unseen(ndjson, documents);
        if part.documents.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let taken = SINK.with(|sink| sink.write(part));
        self.pause(began.elapsed());
        taken.map_err(|error| self.fault(Fault::Sink(error)))
    }
}

impl lookup::Host for Host {
    fn find(&mut self, kind: String, key: String) -> wasmtime::Result<Option<String>> {
        self.call.last_words = None;
        let began = Instant::now();
        let found = self.lookup.find(&kind, &key);
        self.pause(began.elapsed());
        Ok(found)
    }
}

impl diagnostics::Host for Host {
    fn report(&mut self, level: diagnostics::Level, mut message: String) -> wasmtime::Result<()> {
        let level = Level::from(level);
        cut(&mut message, self.limits.message);
        self.call.messages = self.call.messages.saturating_add(1);
        if self.call.messages <= self.limits.messages {
            let began = Instant::now();
            self.diagnostics.report(level, &message);
            self.pause(began.elapsed());
        }
        self.call.last_words = (level == Level::Error).then_some(message);
        Ok(())
    }
}

/// Cuts a text to as many bytes, at most.
pub(crate) fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_limited_together() {
        let limits = Limits { memory: 100, ..Limits::default() };
        let mut host = Host::new(limits, Arc::new(()), Arc::new(()), 0);
        assert!(host.memory_growing(0, 40, None).unwrap());
        assert!(host.memory_growing(0, 30, None).unwrap());
        assert!(host.memory_growing(30, 60, None).unwrap());
        assert_eq!(host.memory(), 100);
        assert!(host.memory_growing(40, 41, None).is_err());
    }
}
