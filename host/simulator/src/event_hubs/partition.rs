//! A partition: its messages, in order, and how many there are.
//!
//! Messages that can be made again are not kept but made when they are read; they follow from their number alone. So what
//! is in memory does not depend on how many there are.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use fe2o3_amqp::types::messaging::{Body, Data, Message, MessageAnnotations};
use fe2o3_amqp::types::primitives::{Binary, Timestamp, Value};
use tokio::sync::watch;

use super::position::Position;
use super::seats::Seats;
use crate::time;

/// What offsets grow by from message to message: they are no sequence numbers.
const OFFSET: u64 = 1000;
/// Ticks of a millisecond.
const MILLISECOND: i64 = time::SECOND / 1000;

/// A message as it was sent.
pub(super) type Sent = Message<Body<Value>>;
/// Makes the body of the message of a number.
pub(super) type Make = Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

/// A partition.
pub(super) struct Partition {
    pub(super) id: String,
    pub(super) seats: Seats,
    runs: RwLock<Vec<Run>>,
    /// How many messages there are.
    count: watch::Sender<u64>,
}

/// Messages in a row.
struct Run {
    /// Sequence number of the first.
    first: u64,
    count: u64,
    /// In milliseconds since 1970.
    enqueued: i64,
    content: Content,
}

enum Content {
    /// One message.
    Sent(Arc<Sent>),
    /// Messages that are made, from this number on.
    Made(Make, u64),
}

/// What is known of the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) sequence: u64,
    /// In milliseconds since 1970.
    pub(super) enqueued: i64,
}

impl Last {
    pub(super) fn offset(self) -> String {
        offset(self.sequence)
    }
}

fn offset(sequence: u64) -> String {
    sequence.saturating_mul(OFFSET).to_string()
}

impl Run {
    fn end(&self) -> u64 {
        self.first + self.count
    }

    fn is_continued_by(&self, make: &Make, number: u64, enqueued: i64) -> bool {
        let Content::Made(of_run, begin) = &self.content else { return false };
        Arc::ptr_eq(of_run, make) && begin + self.count == number && self.enqueued == enqueued
    }
}

impl Partition {
    pub(super) fn new(id: u32) -> Self {
        Self { id: id.to_string(), seats: Seats::default(), runs: RwLock::default(), count: watch::Sender::new(0) }
    }

    fn runs(&self) -> RwLockReadGuard<'_, Vec<Run>> {
        self.runs.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows how many messages there are.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// Appends a message; gives its sequence number.
    pub(super) fn push(&self, message: Sent) -> u64 {
        self.append(1, |runs, first, enqueued| {
            runs.push(Run { first, count: 1, enqueued, content: Content::Sent(Arc::new(message)) });
        })
    }

    /// Appends messages that are made from a number on; gives the sequence number of the first.
    pub(super) fn extend(&self, make: &Make, number: u64, count: u64) -> u64 {
        self.append(count, |runs, first, enqueued| match runs.last_mut() {
            Some(last) if last.is_continued_by(make, number, enqueued) => last.count += count,
            _ => runs.push(Run { first, count, enqueued, content: Content::Made(make.clone(), number) }),
        })
    }

    fn append(&self, count: u64, add: impl FnOnce(&mut Vec<Run>, u64, i64)) -> u64 {
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        let first = runs.last().map_or(0, Run::end);
        // The clock may be set back; times of messages never are.
        let enqueued = runs.last().map_or(i64::MIN, |run| run.enqueued).max(time::now() / MILLISECOND);
        if count > 0 {
            add(&mut runs, first, enqueued);
            self.count.send_replace(first + count);
        }
        first
    }

    /// None: the partition is empty.
    pub(super) fn last(&self) -> Option<Last> {
        self.runs().last().map(|run| Last { sequence: run.end() - 1, enqueued: run.enqueued })
    }

    /// The sequence number with which a receiver begins.
    pub(super) fn find(&self, position: Position) -> u64 {
        let at_least = |number: i64| u64::try_from(number).unwrap_or(0);
        match position {
            Position::Earliest => 0,
            Position::Latest => *self.count.borrow(),
            Position::Sequence(number) => at_least(number),
            Position::Offset(number) => at_least(number).div_ceil(OFFSET),
            Position::Enqueued(time) => {
                let runs = self.runs();
                let index = runs.partition_point(|run| run.enqueued < time);
                runs.get(index).map_or_else(|| *self.count.borrow(), |run| run.first)
            }
        }
    }

    /// The message of a sequence number, as it is delivered. None: there is none yet.
    pub(super) fn message(&self, sequence: u64) -> Option<Sent> {
        let (mut message, enqueued) = {
            let runs = self.runs();
            let run = runs.get(runs.partition_point(|run| run.end() <= sequence))?;
            match &run.content {
                Content::Sent(message) => (Message::clone(message), run.enqueued),
                Content::Made(make, number) => {
                    let (make, number, enqueued) = (make.clone(), number + sequence - run.first, run.enqueued);
                    drop(runs);
                    (data(make(number)), enqueued)
                }
            }
        };
        let annotations = message.message_annotations.get_or_insert_with(MessageAnnotations::default);
        annotations.insert("x-opt-sequence-number".into(), Value::Long(i64::try_from(sequence).unwrap_or(i64::MAX)));
        annotations.insert("x-opt-offset".into(), Value::String(offset(sequence)));
        annotations.insert("x-opt-enqueued-time".into(), Value::Timestamp(Timestamp::from_milliseconds(enqueued)));
        Some(message)
    }
}

/// A message of bytes.
pub(super) fn data(body: Vec<u8>) -> Sent {
    Message::builder().body(Body::Data(vec![Data(Binary::from(body))].into())).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(partition: &Partition, sequence: u64) -> Option<String> {
        let body = partition.message(sequence)?.body;
        Some(String::from_utf8(body.try_into_data().unwrap().next().unwrap().into_vec()).unwrap())
    }

    #[test]
    fn sent_and_made_messages_are_read_by_their_sequence_numbers() {
        let partition = Partition::new(0);
        assert_eq!(partition.last(), None);
        let make: Make = Arc::new(|number| format!("made {number}").into_bytes());
        assert_eq!(partition.push(data(b"first".to_vec())), 0);
        assert_eq!(partition.extend(&make, 10, 1_000_000_000), 1);
        assert_eq!(partition.push(data(b"last".to_vec())), 1_000_000_001);
        assert_eq!(text(&partition, 0).as_deref(), Some("first"));
        assert_eq!(text(&partition, 1).as_deref(), Some("made 10"));
        assert_eq!(text(&partition, 1_000_000_000).as_deref(), Some("made 1000000009"));
        assert_eq!(text(&partition, 1_000_000_001).as_deref(), Some("last"));
        assert_eq!(text(&partition, 1_000_000_002), None);
        assert_eq!(partition.last().map(Last::offset).as_deref(), Some("1000000001000"));
    }

    #[test]
    fn positions_are_found() {
        let partition = Partition::new(0);
        let make: Make = Arc::new(|_| Vec::new());
        partition.extend(&make, 0, 10);
        let enqueued = partition.last().unwrap().enqueued;
        for (position, sequence) in [
            (Position::Earliest, 0),
            (Position::Latest, 10),
            (Position::Sequence(-1), 0),
            (Position::Sequence(4), 4),
            (Position::Offset(4000), 4),
            (Position::Offset(4001), 5),
            (Position::Enqueued(enqueued), 0),
            (Position::Enqueued(enqueued + 1), 10),
        ] {
            assert_eq!(partition.find(position), sequence, "{position:?}");
        }
    }
}
