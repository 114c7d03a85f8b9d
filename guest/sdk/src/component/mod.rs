//! The component: the driver behind the contract of `wit/`.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Once;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub use bindings::export;

use crate::{Batch, Code, Document, Driver, Guest, Host, Level, Receipt, State};
use bindings::defenderbeat::pipeline::{diagnostics, lookup, sink};
use bindings::exports::defenderbeat::pipeline::transformer as wit;

/// The exports of a component, for a [`Guest`].
pub struct Component<G>(PhantomData<G>);

/// The contract's `pipeline`. Calls do not nest: a component is entered by one call at a time.
pub struct Pipeline<G>(RefCell<Driver<G>>);

impl<G: Guest> wit::Guest for Component<G> {
    type Pipeline = Pipeline<G>;

    fn describe() -> wit::Descriptor {
        report_panics();
        let descriptor = G::DESCRIPTOR;
        wit::Descriptor {
            name: descriptor.name.to_owned(),
            version: descriptor.version.to_owned(),
            ecs_version: descriptor.ecs_version.to_owned(),
            tables: descriptor.tables.to_owned(),
            feeds: descriptor
                .feeds
                .iter()
                .map(|feed| wit::Feed {
                    name: feed.name.to_owned(),
                    keys: owned(feed.keys),
                    state: match feed.state {
                        State::None => wit::State::None,
                        State::Facts => wit::State::Facts,
                        State::Sync => wit::State::Sync,
                    },
                })
                .collect(),
            routes: owned(descriptor.routes),
        }
    }
}

impl<G: Guest> wit::GuestPipeline for Pipeline<G> {
    fn open(settings: String) -> Result<wit::Pipeline, wit::SettingsError> {
        report_panics();
        match Driver::<G>::open(&settings) {
            Ok(driver) => Ok(wit::Pipeline::new(Self(RefCell::new(driver)))),
            Err(error) => Err(wit::SettingsError { path: error.path, message: error.message }),
        }
    }

    fn push(&self, batch: wit::Batch) -> wit::Receipt {
        let feed = feed::<G>(&batch.feed);
        let batch = Batch { feed, received_at: batch.received_at, payloads: &batch.payloads };
        self.0.borrow_mut().push(&batch, &mut Imports).into()
    }

    fn finish(&self) -> wit::Receipt {
        self.0.borrow_mut().finish(&mut Imports).into()
    }

    fn learn(&self, facts: Vec<u8>) {
        self.0.borrow_mut().learn(&facts);
    }

    fn facts(&self) -> Vec<u8> {
        self.0.borrow().facts()
    }
}

/// The index of a feed.
///
/// # Panics
///
/// The descriptor names no such feed: the host broke the contract.
#[expect(clippy::panic, reason = "a host that pushes a feed the descriptor does not name broke the contract")]
pub fn feed<G: Guest>(name: &str) -> usize {
    match G::DESCRIPTOR.feeds.iter().position(|feed| feed.name == name) {
        Some(feed) => feed,
        None => panic!("feed {name:?} was pushed, which the descriptor does not name"),
    }
}

/// Panics are reported with message and place: the trap that follows carries neither.
pub fn report_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| diagnostics::report(diagnostics::Level::Error, &panic.to_string())));
    });
}

/// The host behind the imports.
pub struct Imports;

impl Host for Imports {
    fn write(&mut self, ndjson: &[u8], documents: &[Document]) {
        let documents: Vec<sink::Document> = documents.iter().map(|&document| document.into()).collect();
        sink::write(ndjson, &documents);
    }

    fn find(&mut self, kind: &str, key: &str) -> Option<String> {
        lookup::find(kind, key)
    }

    fn report(&mut self, level: Level, message: &str) {
        let level = match level {
            Level::Error => diagnostics::Level::Error,
            Level::Warn => diagnostics::Level::Warn,
            Level::Info => diagnostics::Level::Info,
            Level::Debug => diagnostics::Level::Debug,
        };
        diagnostics::report(level, message);
    }
}

impl From<Document> for sink::Document {
    fn from(document: Document) -> Self {
        let (id_high, id_low) = halves(document.id);
        let Document { payload, length, route, id: _, time, position } = document;
        Self { payload, length, route, id_high, id_low, time, position }
    }
}

impl From<Receipt> for wit::Receipt {
    fn from(receipt: Receipt) -> Self {
        let tallies = receipt.tallies.into_iter().map(|tally| wit::Tally {
            records: tally.records,
            mapped: tally.mapped,
            held: tally.held,
            dropped: tally.dropped,
            rejected: tally.rejected,
            documents: tally.documents,
            position: tally.position,
        });
        let rejects = receipt.rejects.into_iter().map(|reject| {
            let (id_high, id_low) = halves(reject.id);
            wit::Reject {
                payload: reject.payload,
                offset: reject.offset,
                length: reject.length,
                id_high,
                id_low,
                code: match reject.code {
                    Code::Malformed => wit::Code::Malformed,
                    Code::Oversized => wit::Code::Oversized,
                },
                path: reject.path,
                message: reject.message.into_owned(),
            }
        });
        let drift = receipt.drift.into_iter().map(|drift| wit::Drift { name: drift.name, count: drift.count });
        Self { tallies: tallies.collect(), rejects: rejects.collect(), drift: drift.collect(), facts: receipt.facts }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn halves(id: u128) -> (u64, u64) {
    ((id >> 64) as u64, id as u64)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
