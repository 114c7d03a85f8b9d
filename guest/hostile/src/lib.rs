//! A component for tests that breaks every limit on request.
//!
//! A record says what to do: `{"do":"spin"}`. All commands are in [`Command`]; a record that is no command leaves as
//! it came. Settings may name a command for the calls that have no record: `{"open":{"do":"panic"}}`, and `learn` and
//! `finish` likewise. Lies about parts and receipts are told at the boundary, behind an honest driver.

#[cfg(target_arch = "wasm32")]
mod component;
mod deeds;

use std::cell::RefCell;
use std::mem;

use defenderbeat_sdk::{
    Code, Descriptor, Documents, Fate, Feed, Guest, Level, Meta, Outcome, Record, SettingsError, State, hash,
};
use serde::Deserialize;

/// What a record or a setting asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Command {
    /// Never returns.
    Spin,
    /// Counts to `n` and leaves as it came.
    Work {
        /// Steps.
        n: u64,
    },
    /// Takes `n` bytes of memory while the record is mapped.
    Grow {
        /// Bytes.
        n: usize,
    },
    /// Takes `n` bytes of memory and keeps them as long as the instance lives.
    Leak {
        /// Bytes.
        n: usize,
    },
    /// Calls itself `n` deep.
    Recurse {
        /// Calls.
        n: u64,
    },
    /// Panics with a message.
    Panic {
        /// The message.
        text: String,
    },
    /// Traps without a message.
    Trap,
    /// Writes a document of `n` bytes: a part of its own where that is more than a part holds.
    Part {
        /// Bytes, the line feed included.
        n: usize,
    },
    /// Writes `n` documents.
    Documents {
        /// Documents.
        n: u64,
    },
    /// Reports `n` messages of `length` bytes.
    Report {
        /// Messages.
        n: u64,
        /// Bytes of each.
        #[serde(default)]
        length: usize,
        /// Whether they are errors.
        #[serde(default)]
        error: bool,
    },
    /// Counts `n` unknown names of `length` bytes.
    Drift {
        /// Names.
        n: u64,
        /// Bytes of each, at least.
        #[serde(default)]
        length: usize,
    },
    /// Asks for a lookup and writes its answer as the document, `null` where there is none.
    Lookup {
        /// The kind of question.
        kind: String,
        /// The question.
        key: String,
    },
    /// Leaves as it came, with a position.
    Position {
        /// The position.
        n: u64,
    },
    /// Is held until the end, when it leaves as it came.
    Hold,
    /// Traps if `n` records or more are held: a trap that no single record reproduces.
    Crowd {
        /// Records.
        n: usize,
    },
    /// Is dropped.
    Drop,
    /// Is rejected, honestly.
    Reject,
    /// Leaves a fact, which takes effect when it is learned.
    Fact {
        /// The fact.
        text: String,
    },
    /// Writes everything learned as a document, `{"learned":"..."}`.
    Recall,
    /// Writes a document with a route that is out of range.
    Route,
    /// Does one thing after the other; the fate is that of the last.
    All {
        /// What to do.
        of: Vec<Command>,
    },
    /// Tells a lie, behind a record that leaves as it came.
    Lie {
        /// The lie.
        about: Lie,
    },
}

/// A lie about the parts or the receipt of the call in which it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// The first document of a part is said to be a byte longer than it is.
    LengthLong,
    /// The first document of a part is said to be a byte shorter than it is.
    LengthShort,
    /// The first document is said to be a byte longer, the second a byte shorter: the sum is right.
    LengthShifted,
    /// A document of no bytes is added.
    LengthZero,
    /// A document is said to come from a payload that is not in the batch.
    Payload,
    /// The line feed at the end of a part is replaced by a space.
    LineFeed,
    /// The last document of a part is not listed.
    Unlisted,
    /// A document has a line feed inside.
    TwoLines,
    /// The first tally has a record more than fates.
    TallyRecords,
    /// The first tally counts a document more than was written.
    TallyDocuments,
    /// The first tally counts a rejected record for which there is no reject.
    TallyRejected,
    /// The first tally counts a mapped record that gave no document.
    TallyMapped,
    /// The first tally's counts wrap around 32 bits to a sum that looks right.
    TallyWrapped,
    /// There is a tally too many.
    TallyMore,
    /// The last tally is missing.
    TallyFewer,
    /// A reject lies in a payload that is not in the batch.
    RejectPayload,
    /// A reject begins behind the end of its payload.
    RejectOffset,
    /// A reject ends behind the end of its payload.
    RejectLength,
    /// A reject's offset and length wrap around 64 bits.
    RejectWrapped,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    open: Option<Command>,
    learn: Option<Command>,
    finish: Option<Command>,
    max_record_size: Option<usize>,
    /// Bytes of what was learned that are kept, the newest; the others are forgotten.
    keep: Option<usize>,
}

/// The guest that does what it is told.
#[derive(Debug, Default)]
pub struct Hostile {
    settings: Settings,
    held: Vec<Vec<u8>>,
    learned: Vec<u8>,
}

thread_local! {
    /// Lies asked for in the call that runs. They are told at the boundary, which the guest does not see.
    static LIES: RefCell<Vec<Lie>> = const { RefCell::new(Vec::new()) };
}

impl Guest for Hostile {
    const DESCRIPTOR: Descriptor = Descriptor {
        name: "hostile",
        version: env!("CARGO_PKG_VERSION"),
        ecs_version: "9.4.0",
        tables: "",
        feeds: &[
            Feed { name: "records", keys: &["value"], state: State::None },
            Feed { name: "facts", keys: &["records"], state: State::Facts },
            Feed { name: "sync", keys: &["value"], state: State::Sync },
            Feed { name: "whole", keys: &[], state: State::None },
        ],
        routes: &["test.hostile", "test.other"],
    };

    fn open(settings: &str) -> Result<Self, SettingsError> {
        let settings: Settings = serde_json::from_str(settings)
            .map_err(|error| SettingsError { path: "$".to_owned(), message: error.to_string() })?;
        if let Some(command) = &settings.open {
            deeds::silent(command);
        }
        Ok(Self { settings, ..Self::default() })
    }

    fn map(&mut self, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome {
        match serde_json::from_slice::<Command>(record.bytes) {
            Ok(command) => self.obey(&command, record.bytes, record.received_at, out),
            Err(_) => {
                echo(record.bytes, record.received_at, 0, out);
                Outcome { fate: Fate::Mapped, position: 0 }
            }
        }
    }

    fn finish(&mut self, received_at: i64, out: &mut Documents<'_>) {
        if let Some(command) = self.settings.finish.clone() {
            self.obey(&command, b"{}", received_at, out);
        }
        for bytes in mem::take(&mut self.held) {
            echo(&bytes, received_at, 0, out);
        }
    }

    fn learn(&mut self, facts: &[u8]) {
        if let Some(command) = &self.settings.learn {
            deeds::silent(command);
        }
        self.learned.extend_from_slice(facts);
        if let Some(keep) = self.settings.keep {
            self.learned.drain(..self.learned.len().saturating_sub(keep));
        }
    }

    fn facts(&self) -> Vec<u8> {
        self.learned.clone()
    }

    fn max_record_size(&self) -> usize {
        self.settings.max_record_size.unwrap_or(defenderbeat_sdk::DEFAULT_MAX_RECORD_SIZE)
    }
}

impl Hostile {
    /// Does what needs documents; the rest is [`deeds::silent`].
    fn obey(&mut self, command: &Command, bytes: &[u8], time: i64, out: &mut Documents<'_>) -> Outcome {
        let mut position = 0;
        let mut fate = Fate::Mapped;
        match command {
            Command::Part { n } => {
                let end = out.buffer().len() + n.saturating_sub(1);
                out.buffer().reserve_exact(*n);
                out.buffer().resize(end, b'x');
                commit(hash(bytes), time, 0, 0, out);
            }
            Command::Documents { n } => (0..*n).for_each(|_| echo(bytes, time, 0, out)),
            Command::Report { n, length, error } => {
                let message = "x".repeat(*length);
                let level = if *error { Level::Error } else { Level::Info };
                (0..*n).for_each(|_| out.report(level, &message));
                echo(bytes, time, 0, out);
            }
            Command::Drift { n, length } => {
                (0..*n).for_each(|i| out.drift(&format!("{i:0length$}"), 1));
                echo(bytes, time, 0, out);
            }
            Command::Lookup { kind, key } => {
                let answer = out.lookup(kind, key).unwrap_or_else(|| "null".to_owned());
                echo(answer.as_bytes(), time, 0, out);
            }
            Command::Position { n } => {
                position = *n;
                echo(bytes, time, position, out);
            }
            Command::Hold => {
                self.held.push(bytes.to_vec());
                fate = Fate::Held;
            }
            Command::Crowd { n } => {
                if self.held.len() >= *n {
                    std::process::abort();
                }
                echo(bytes, time, 0, out);
            }
            Command::Drop => fate = Fate::Dropped,
            Command::Reject => {
                fate = Fate::Rejected {
                    code: Code::Malformed,
                    path: "$.do".to_owned(),
                    message: "asked to be rejected".to_owned(),
                };
            }
            Command::Fact { text } => {
                out.facts(text.as_bytes());
                echo(bytes, time, 0, out);
            }
            Command::Recall => {
                let document = serde_json::json!({ "learned": String::from_utf8_lossy(&self.learned) });
                echo(document.to_string().as_bytes(), time, 0, out);
            }
            Command::Route => {
                out.buffer().extend_from_slice(bytes);
                let route = u32::try_from(Self::DESCRIPTOR.routes.len()).unwrap_or(u32::MAX);
                commit(hash(bytes), time, 0, route, out);
            }
            Command::All { of } => {
                for command in of {
                    let outcome = self.obey(command, bytes, time, out);
                    (fate, position) = (outcome.fate, position.max(outcome.position));
                }
            }
            Command::Lie { about } => {
                LIES.with_borrow_mut(|lies| lies.push(*about));
                if *about == Lie::TwoLines {
                    out.buffer().extend_from_slice(b"{\n}");
                    commit(hash(bytes), time, 0, 0, out);
                } else {
                    echo(bytes, time, 0, out);
                }
            }
            silent => {
                deeds::silent(silent);
                echo(bytes, time, 0, out);
            }
        }
        Outcome { fate, position }
    }
}

/// Writes a record as it came, on one line.
fn echo(bytes: &[u8], time: i64, position: u64, out: &mut Documents<'_>) {
    out.buffer().extend(bytes.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    commit(hash(bytes), time, position, 0, out);
}

fn commit(id: u128, time: i64, position: u64, route: u32, out: &mut Documents<'_>) {
    out.buffer().push(b'\n');
    out.commit(Meta { route, id, time, position });
}
