//! The component: what the sdk does for an honest guest, with lies told on the way out.

use std::cell::RefCell;
use std::mem;

use defenderbeat_sdk::component::bindings::exports::defenderbeat::pipeline::transformer as wit;
use defenderbeat_sdk::component::{self, Imports};
use defenderbeat_sdk::{Batch, Document, Driver, Host, Level};

use crate::{Hostile, LIES, Lie};

struct Component;

/// A driver, which is honest.
struct Pipeline(RefCell<Driver<Hostile>>);

impl wit::Guest for Component {
    type Pipeline = Pipeline;

    fn describe() -> wit::Descriptor {
        <component::Component<Hostile> as wit::Guest>::describe()
    }
}

impl wit::GuestPipeline for Pipeline {
    fn open(settings: String) -> Result<wit::Pipeline, wit::SettingsError> {
        component::report_panics();
        match Driver::open(&settings) {
            Ok(driver) => Ok(wit::Pipeline::new(Self(RefCell::new(driver)))),
            Err(error) => Err(wit::SettingsError { path: error.path, message: error.message }),
        }
    }

    fn push(&self, batch: wit::Batch) -> wit::Receipt {
        let feed = component::feed::<Hostile>(&batch.feed);
        let batch = Batch { feed, received_at: batch.received_at, payloads: &batch.payloads };
        lie(self.0.borrow_mut().push(&batch, &mut Liar).into())
    }

    fn finish(&self) -> wit::Receipt {
        lie(self.0.borrow_mut().finish(&mut Liar).into())
    }

    fn learn(&self, facts: Vec<u8>) {
        self.0.borrow_mut().learn(&facts);
    }

    fn facts(&self) -> Vec<u8> {
        self.0.borrow().facts()
    }
}

/// Passes parts on, changed by the lies that concern them.
struct Liar;

impl Host for Liar {
    fn write(&mut self, ndjson: &[u8], documents: &[Document]) {
        let lies = LIES.with_borrow(Clone::clone);
        if lies.is_empty() {
            return Imports.write(ndjson, documents);
        }
        let (mut ndjson, mut documents) = (ndjson.to_vec(), documents.to_vec());
        for lie in lies {
            distort(lie, &mut ndjson, &mut documents);
        }
        Imports.write(&ndjson, &documents);
    }

    fn find(&mut self, kind: &str, key: &str) -> Option<String> {
        Imports.find(kind, key)
    }

    fn report(&mut self, level: Level, message: &str) {
        Imports.report(level, message);
    }
}

fn distort(lie: Lie, ndjson: &mut [u8], documents: &mut Vec<Document>) {
    match (lie, documents.as_mut_slice()) {
        (Lie::LengthLong, [first, ..]) => first.length += 1,
        (Lie::LengthShort, [first, ..]) => first.length -= 1,
        (Lie::LengthShifted, [first, second, ..]) => {
            first.length += 1;
            second.length -= 1;
        }
        (Lie::LengthZero, [first, ..]) => {
            let empty = Document { length: 0, ..*first };
            documents.push(empty);
        }
        (Lie::Unlisted, _) => {
            documents.pop();
        }
        (Lie::Payload, [first, ..]) => first.payload = u32::MAX,
        (Lie::LineFeed, _) => {
            if let Some(last) = ndjson.last_mut() {
                *last = b' ';
            }
        }
        _ => {}
    }
}

/// Changes a receipt by the lies that concern it, and forgets them.
fn lie(mut receipt: wit::Receipt) -> wit::Receipt {
    for lie in LIES.with_borrow_mut(mem::take) {
        let payloads = u32::try_from(receipt.tallies.len()).unwrap_or(u32::MAX);
        let reject = |payload, offset, length| wit::Reject {
            payload,
            offset,
            length,
            id_high: 0,
            id_low: 0,
            code: wit::Code::Malformed,
            path: String::new(),
            message: String::new(),
        };
        let Some(tally) = receipt.tallies.first_mut() else { continue };
        let rejects = &mut receipt.rejects;
        // So that only the reject itself is wrong, its record is counted.
        let mut add = |reject| {
            tally.records += 1;
            tally.rejected += 1;
            rejects.push(reject);
        };
        match lie {
            Lie::RejectPayload => add(reject(payloads, 0, 0)),
            Lie::RejectOffset => add(reject(0, u64::from(u32::MAX), 1)),
            Lie::RejectLength => add(reject(0, 0, u64::from(u32::MAX))),
            Lie::RejectWrapped => add(reject(0, u64::MAX, 2)),
            Lie::TallyRecords => tally.records += 1,
            Lie::TallyDocuments => tally.documents += 1,
            Lie::TallyRejected => {
                tally.records += 1;
                tally.rejected += 1;
            }
            Lie::TallyMapped => {
                tally.records += 1;
                tally.mapped += 1;
            }
            Lie::TallyWrapped => {
                tally.held = tally.held.wrapping_sub(1);
                tally.dropped = tally.dropped.wrapping_add(1);
            }
            Lie::TallyMore => receipt.tallies.extend(receipt.tallies.last().copied()),
            Lie::TallyFewer => {
                receipt.tallies.pop();
            }
            Lie::LengthLong
            | Lie::LengthShort
            | Lie::LengthShifted
            | Lie::LengthZero
            | Lie::Payload
            | Lie::LineFeed
            | Lie::Unlisted
            | Lie::TwoLines => {}
        }
    }
    receipt
}

component::export!(Component with_types_in defenderbeat_sdk::component::bindings);
