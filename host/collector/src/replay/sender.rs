//! Sends letters again, one by one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use defenderbeat_runtime::{Batch, Component, Document, Lookup, Part, Pipeline, SinkError, State, Transform as _};
use tokio::sync::mpsc;

use super::line::{About, Letter, Line, copy_of};
use super::{ReplayError, Replayed, Summary};
use crate::config::{Agent, Config, Input, Kind};
use crate::dead_letter::DeadLetterFile;
use crate::deliver::Event;
use crate::output::Documents;
use crate::run::{setup, streams};

/// What becomes of a letter, other than that it is sent.
enum Kept {
    /// It is not asked for.
    LeftOut,
    /// It fails as before, or cannot be sent; why.
    Failing(String),
}

impl<E: Into<String>> From<E> for Kept {
    fn from(reason: E) -> Self {
        Self::Failing(reason.into())
    }
}

/// Sends letters of a file.
pub(super) struct Sender<'a> {
    pub(super) config: &'a Config,
    pub(super) components: &'a [(Kind, Component)],
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) agent: Agent,
    /// Inputs whose letters are sent; all where there are none.
    pub(super) only: &'a [String],
    /// Also what the failure store has.
    pub(super) failure_store: bool,
    pub(super) path: &'a Path,
    /// Where letters go that are not sent.
    pub(super) kept: DeadLetterFile,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) sessions: BTreeMap<String, Arc<Replayed>>,
    pub(super) pipelines: BTreeMap<&'a str, Pipeline>,
    pub(super) summary: Summary,
}

impl<'a> Sender<'a> {
    /// Sends a letter, or keeps its line.
    pub(super) fn take(&mut self, line: &Line) -> Result<(), ReplayError> {
        self.summary.letters += 1;
        let reason = match self.send(line)? {
            Ok(()) => return Ok(()),
            Err(Kept::LeftOut) => {
                self.summary.left_out += 1;
                None
            }
            Err(Kept::Failing(reason)) => {
                self.summary.failing += 1;
                Some(reason)
            }
        };
        if let Some(reason) = reason {
            tracing::warn!(file = %self.path.display(), line = line.number, reason, "a letter is kept");
        }
        let keep = || self.kept.copy(line.length + 1, &mut copy_of(self.path, line)?);
        keep().map_err(ReplayError::file(self.kept.path()))
    }

    fn send(&mut self, line: &Line) -> Result<Result<(), Kept>, ReplayError> {
        let Some(text) = &line.text else {
            let reason = format!("its {} bytes are more than any input's max_record_size allows", line.length);
            return Ok(Err(reason.into()));
        };
        let letter = match Letter::parse(text) {
            Ok(letter) => letter,
            Err(reason) => return Ok(Err(reason.into())),
        };
        let asked_for = self.only.is_empty() || self.only.contains(&letter.input);
        if !asked_for || (letter.failure_store && !self.failure_store) {
            return Ok(Err(Kept::LeftOut));
        }
        self.prepare(letter).map_or_else(|kept| Ok(Err(kept)), |ready| self.dispatch(ready))
    }

    /// What is to be done with a letter.
    fn prepare(&self, letter: Letter) -> Result<Ready<'a>, Kept> {
        let (name, time) = (letter.input.clone(), letter.time()?);
        let (feed, index) = (letter.feed.clone(), letter.index.clone());
        let (config, components) = (self.config, self.components);
        let input = config.inputs.iter().find(|input| input.id == name);
        let mapping = input.and_then(|input| {
            let (_, component) = components.iter().find(|(kind, _)| *kind == input.kind)?;
            Some(Mapping { input, component })
        });
        let work = match letter.about()? {
            About::Document(id, bytes) => {
                let index = index.or_else(|| mapping.as_ref()?.only_stream());
                let index =
                    index.ok_or_else(|| format!("it has no index, and there is no input {name} to say which"))?;
                Work::Document { id, index, bytes }
            }
            About::Record(record) => {
                let mapping = mapping.ok_or_else(|| format!("there is no input {name}, whose mapping it takes"))?;
                let feed = feed.ok_or("it has no feed")?;
                mapping.check(&feed, record.len())?;
                Work::Record { mapping, feed, record }
            }
        };
        Ok(Ready { name, time, work })
    }

    fn dispatch(&mut self, ready: Ready<'a>) -> Result<Result<(), Kept>, ReplayError> {
        let Ready { name, time, work } = ready;
        let session = self.sessions.entry(name.clone()).or_insert_with(|| Replayed::new(&name)).clone();
        match work {
            Work::Document { id, index, bytes } => {
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let document = Document { payload: 0, length, route: 0, id, time: 0, position: 0 };
                let part = Part { ndjson: bytes, documents: vec![document] };
                let documents = Documents { part, streams: Arc::new([index]), sent_since: Some(time) };
                let sent = self.events.blocking_send(Event::Documents(session, documents));
                sent.map_err(|_| ReplayError::Gone)?;
                self.summary.documents += 1;
                Ok(Ok(()))
            }
            Work::Record { mapping, feed, record } => {
                let batch = Batch { feed, received_at: time, payloads: vec![record] };
                self.map(&mapping, session, &batch)
            }
        }
    }

    /// Maps a record; its documents leave.
    fn map(
        &mut self,
        mapping: &Mapping<'a>,
        session: Arc<Replayed>,
        batch: &Batch,
    ) -> Result<Result<(), Kept>, ReplayError> {
        let Mapping { input, component } = *mapping;
        let pipeline = match self.pipelines.entry(&input.id) {
            Entry::Occupied(opened) => opened.into_mut(),
            Entry::Vacant(place) => {
                let opened = Pipeline::open(component, setup(input, &self.agent, component, self.lookup.clone()));
                place.insert(opened.map_err(|source| ReplayError::Component { input: input.id.clone(), source })?)
            }
        };
        let (streams, events) = (streams(input, component), &self.events);
        let mut count = 0;
        let mut sink = |part: Part| -> Result<(), SinkError> {
            count += part.documents.len();
            let sent_since = Some(batch.received_at);
            let documents = Documents { part, streams: streams.clone(), sent_since };
            let sent = events.blocking_send(Event::Documents(session.clone(), documents));
            sent.map_err(|_| ReplayError::Gone.into())
        };
        let pushed = pipeline.push(batch, &mut sink);
        self.summary.documents += count;
        let reason = match pushed {
            Ok(receipt) => match receipt.rejects.first() {
                None => {
                    self.summary.records += 1;
                    return Ok(Ok(()));
                }
                Some(reject) => format!("it cannot be mapped ({}): {}", reject.code.as_str(), reject.message),
            },
            Err(defenderbeat_runtime::Error::Sink(_)) => return Err(ReplayError::Gone),
            Err(error) => {
                // What a component is like after a failure is not known.
                self.pipelines.remove(input.id.as_str());
                format!("it cannot be mapped: {error}")
            }
        };
        Ok(Err(reason.into()))
    }
}

/// A letter that can be sent.
struct Ready<'a> {
    /// The input it names.
    name: String,
    time: i64,
    work: Work<'a>,
}

enum Work<'a> {
    Document { id: u128, index: String, bytes: Bytes },
    Record { mapping: Mapping<'a>, feed: String, record: Bytes },
}

/// An input, and what maps its records.
#[derive(Clone, Copy)]
struct Mapping<'a> {
    input: &'a Input,
    component: &'a Component,
}

impl Mapping<'_> {
    /// The data stream, where there is one only.
    fn only_stream(&self) -> Option<String> {
        match &*streams(self.input, self.component) {
            [stream] => Some(stream.clone()),
            _ => None,
        }
    }

    /// Whether a record can be mapped by itself.
    fn check(&self, feed: &str, bytes: usize) -> Result<(), String> {
        let max = self.input.max_record_size;
        let known = self.component.descriptor().feeds.iter().find(|known| known.name == feed);
        match known.map(|known| known.state) {
            None => Err(format!("inputs of type {} have no feed {feed}", self.input.kind.name())),
            Some(State::Sync) => Err("a record of a sync comes again with each sync".to_owned()),
            Some(_) if bytes > max => Err(format!("{bytes} bytes are over max_record_size, which is {max}")),
            Some(_) => Ok(()),
        }
    }
}
