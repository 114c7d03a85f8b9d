//! From the contract's shapes to ours.

use crate::bindings::defenderbeat::pipeline::{diagnostics, sink};
use crate::bindings::exports::defenderbeat::pipeline::transformer as wit;
use crate::types::{Code, Descriptor, Document, Drift, Feed, Level, Receipt, Reject, State, Tally};

fn id(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

impl From<diagnostics::Level> for Level {
    fn from(level: diagnostics::Level) -> Self {
        match level {
            diagnostics::Level::Error => Level::Error,
            diagnostics::Level::Warn => Level::Warn,
            diagnostics::Level::Info => Level::Info,
            diagnostics::Level::Debug => Level::Debug,
        }
    }
}

impl From<sink::Document> for Document {
    fn from(document: sink::Document) -> Self {
        let sink::Document { payload, length, route, id_high, id_low, time, position } = document;
        Self { payload, length, route, id: id(id_high, id_low), time, position }
    }
}

impl From<wit::Descriptor> for Descriptor {
    fn from(descriptor: wit::Descriptor) -> Self {
        let wit::Descriptor { name, version, ecs_version, tables, feeds, routes } = descriptor;
        Self { name, version, ecs_version, tables, feeds: feeds.into_iter().map(Feed::from).collect(), routes }
    }
}

impl From<wit::Feed> for Feed {
    fn from(feed: wit::Feed) -> Self {
        let state = match feed.state {
            wit::State::None => State::None,
            wit::State::Facts => State::Facts,
            wit::State::Sync => State::Sync,
        };
        Self { name: feed.name, keys: feed.keys, state }
    }
}

impl From<wit::Receipt> for Receipt {
    fn from(receipt: wit::Receipt) -> Self {
        Self {
            tallies: receipt.tallies.into_iter().map(Tally::from).collect(),
            rejects: receipt.rejects.into_iter().map(Reject::from).collect(),
            drift: receipt.drift.into_iter().map(|drift| Drift { name: drift.name, count: drift.count }).collect(),
            facts: receipt.facts,
        }
    }
}

impl From<wit::Tally> for Tally {
    fn from(tally: wit::Tally) -> Self {
        let wit::Tally { records, mapped, held, dropped, rejected, documents, position } = tally;
        Self { records, mapped, held, dropped, rejected, documents, position }
    }
}

impl From<wit::Reject> for Reject {
    fn from(reject: wit::Reject) -> Self {
        let wit::Reject { payload, offset, length, id_high, id_low, code, path, message } = reject;
        let code = match code {
            wit::Code::Malformed => Code::Malformed,
            wit::Code::Oversized => Code::Oversized,
        };
        Self { payload, offset, length, id: id(id_high, id_low), code, path, message }
    }
}
