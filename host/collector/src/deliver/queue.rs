//! Documents that wait for a lane, and the sends that are made of them.

use std::collections::VecDeque;
use std::sync::Arc;

use defenderbeat_runtime::{Document, Part};

use super::Session;
use crate::output::{Documents, Limits};

/// Whose documents are, and the ticket by which they are settled.
#[derive(Clone)]
pub(super) struct Label {
    pub(super) session: Arc<dyn Session>,
    pub(super) ticket: u64,
}

/// Documents on their way to the output together; each label belongs to the documents at the same place.
#[derive(Default)]
pub(super) struct Parcel {
    pub(super) labels: Vec<Label>,
    pub(super) documents: Vec<Documents>,
}

impl Parcel {
    pub(super) fn add(&mut self, label: Label, documents: Documents) {
        self.labels.push(label);
        self.documents.push(documents);
    }

    /// How many documents.
    pub(super) fn len(&self) -> usize {
        self.documents.iter().map(|documents| documents.part.documents.len()).sum()
    }
}

/// Documents in the order in which they came.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<(Label, Documents)>,
    documents: usize,
    bytes: usize,
}

impl Queue {
    pub(super) fn add(&mut self, label: Label, documents: Documents) {
        self.documents += documents.part.documents.len();
        self.bytes += documents.part.ndjson.len();
        self.waiting.push_back((label, documents));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether there is enough for a send.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.documents >= limits.documents || self.bytes >= limits.bytes
    }

    /// Takes the next send. Documents that came together stay together, if they are not too many by themselves.
    pub(super) fn next(&mut self, limits: &Limits) -> Parcel {
        let mut parcel = Parcel::default();
        let mut left = (limits.documents.max(1), limits.bytes);
        while let Some((label, mut documents)) = self.waiting.pop_front() {
            let fit = fitting(&documents.part, left);
            if fit < documents.part.documents.len() {
                if parcel.labels.is_empty() {
                    let front = split_off_front(&mut documents.part, fit.max(1));
                    parcel.add(label.clone(), Documents { part: front, ..documents.clone() });
                }
                if !documents.part.documents.is_empty() {
                    self.waiting.push_front((label, documents));
                }
                break;
            }
            left = (left.0 - documents.part.documents.len(), left.1 - documents.part.ndjson.len());
            parcel.add(label, documents);
        }
        self.documents -= parcel.len();
        self.bytes -= parcel.documents.iter().map(|documents| documents.part.ndjson.len()).sum::<usize>();
        parcel
    }
}

/// How many of the first documents there is room for.
fn fitting(part: &Part, (documents, bytes): (usize, usize)) -> usize {
    if part.documents.len() <= documents && part.ndjson.len() <= bytes {
        return part.documents.len();
    }
    let mut length = 0;
    let fits = |document: &&Document| {
        length += document.length as usize;
        length <= bytes
    };
    part.documents.iter().take(documents).take_while(fits).count()
}

/// Takes the first documents off a part, without copying them.
fn split_off_front(part: &mut Part, count: usize) -> Part {
    let rest = part.documents.split_off(count.min(part.documents.len()));
    let documents = std::mem::replace(&mut part.documents, rest);
    let length: usize = documents.iter().map(|document| document.length as usize).sum();
    Part { ndjson: part.ndjson.split_to(length.min(part.ndjson.len())), documents }
}

/// Some documents of a part, copied, so that the rest of its memory is free.
#[derive(Default)]
pub(crate) struct Selection {
    ndjson: Vec<u8>,
    documents: Vec<Document>,
}

impl Selection {
    pub(crate) fn add(&mut self, document: &Document, bytes: &[u8]) {
        self.ndjson.extend_from_slice(bytes);
        self.documents.push(*document);
    }

    pub(crate) fn into_part(self) -> Part {
        Part { ndjson: self.ndjson.into(), documents: self.documents }
    }
}
