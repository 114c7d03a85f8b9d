//! The answer to a `_bulk` request, held against the request item by item.

use std::borrow::Cow;

use serde::Deserialize;

use crate::output::{Fate, Refusal};

use super::Error;
use super::request::Item;

/// What is asked of an answer; the rest would be most of it.
pub(super) const FILTER: &str = "items.*._index,items.*._id,items.*.status,items.*.failure_store,items.*.error.type,\
                                 items.*.error.reason,items.*.error.caused_by.type,items.*.error.caused_by.reason";

/// Refusals with a status of 4xx that are about the index or the cluster, not about the document: closed indices, and too many
/// shards for another index.
const NOT_OF_THE_DOCUMENT: [&str; 2] = ["index_closed_exception", "validation_exception"];

/// Fates of the documents of a request.
#[derive(Debug)]
pub(super) struct Fates {
    /// One a document, in order.
    pub(super) fates: Vec<Fate>,
    /// Some wait for an operator.
    pub(super) held: Option<Held>,
    /// Why others are sent again: what the first of them met.
    pub(super) put_off: Option<Refusal>,
    /// The server is asked too much for some.
    pub(super) throttled: bool,
}

/// Why documents wait for an operator: what the first of them met.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) documents: usize,
    pub(super) status: u16,
    pub(super) refusal: Refusal,
}

impl Held {
    /// As the problem of a send to a host.
    pub(super) fn into_error(self, host: String) -> Error {
        let Self { documents, status, refusal: Refusal { code, message } } = self;
        let advice = match status {
            403 => {
                "; give the account the privileges auto_configure and create_doc on logs-m365_defender.*, or unblock the index"
            }
            404 => "; `defenderbeat setup` installs the templates that make data streams of these names",
            _ => "",
        };
        Error::Held { host, documents, code, message, advice }
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    items: Vec<Action<'a>>,
}

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    create: Outcome<'a>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(borrow, default, rename = "_index")]
    index: Cow<'a, str>,
    #[serde(borrow, default, rename = "_id")]
    id: Cow<'a, str>,
    status: u16,
    #[serde(borrow, default)]
    failure_store: Cow<'a, str>,
    error: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "type", default)]
    kind: String,
    reason: Option<String>,
    caused_by: Option<Box<Cause>>,
}

/// Reads the fates of a request's documents.
///
/// # Errors
///
/// The answer is not one to this request: its text, number or order differ. Nothing of it is believed. Names are held against
/// it where they are `kept`: pipelines may change them.
pub(super) fn fates<'a>(
    items: impl ExactSizeIterator<Item = &'a Item<'a>>,
    kept: bool,
    answer: &[u8],
) -> Result<Fates, String> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    if answer.items.len() != items.len() {
        return Err(format!("it tells of {} documents where {} were sent", answer.items.len(), items.len()));
    }
    let mut fates = Vec::with_capacity(items.len());
    let mut held: Option<Held> = None;
    let (mut put_off, mut throttled) = (None, false);
    for (item, Action { create }) in items.zip(answer.items) {
        let id = format!("{:032x}", item.id);
        if kept && !create.id.is_empty() && create.id != id {
            return Err(format!("it tells of the document {} in the place of {id}", create.id));
        }
        // That of a backing index has the name of its stream within.
        if kept && !create.index.is_empty() && !create.index.contains(item.stream) {
            return Err(format!("it tells of the index {} in the place of {}", create.index, item.stream));
        }
        let status = create.status;
        fates.push(match fate(create) {
            Ok(fate) => fate,
            Err((wait, refusal)) => {
                throttled |= wait == Wait::Throttled;
                if wait == Wait::Held {
                    held.get_or_insert(Held { documents: 0, status, refusal }).documents += 1;
                } else {
                    put_off.get_or_insert(refusal);
                }
                if wait == Wait::Unknown { Fate::Unknown } else { Fate::Retry }
            }
        });
    }
    Ok(Fates { fates, held, put_off, throttled })
}

/// Why a document has to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The server is asked too much.
    Throttled,
    /// It was not taken.
    Retry,
    /// It may have been taken.
    Unknown,
    /// An operator has to mend something first.
    Held,
}

/// What became of a document; the error is why it is not settled.
fn fate(outcome: Outcome<'_>) -> Result<Fate, (Wait, Refusal)> {
    let Outcome { index, status, failure_store, error, .. } = outcome;
    let kind = error.as_ref().map_or("", |error| &error.kind);
    let wait = match (status, kind) {
        (200..=299, _) if failure_store == "used" => {
            return Ok(Fate::FailureStore(Refusal {
                code: "failure_store".into(),
                message: format!(
                    "Elasticsearch could not index it and keeps it, with the reason, in the failure store {index}"
                ),
            }));
        }
        (200..=299, _) => return Ok(Fate::Delivered),
        (409, "version_conflict_engine_exception") => return Ok(Fate::Duplicate),
        (429, _) | (_, "es_rejected_execution_exception") => Wait::Throttled,
        (408 | 409, _) => Wait::Retry,
        // A node that fails may have taken it first.
        (500..=599, _) => Wait::Unknown,
        (401 | 403 | 404, _) => Wait::Held,
        (_, kind) if NOT_OF_THE_DOCUMENT.contains(&kind) || lacks_pipeline(error.as_ref()) => Wait::Held,
        _ => return Ok(Fate::Refused(refusal(status, error))),
    };
    Err((wait, refusal(status, error)))
}

/// Whether the pipeline is missing that the settings or an index template name. It has no kind of error of its own.
fn lacks_pipeline(error: Option<&Cause>) -> bool {
    let reason = error.and_then(|error| error.reason.as_deref()).unwrap_or_default();
    reason.starts_with("pipeline with id [") && reason.ends_with("does not exist")
}

fn refusal(status: u16, error: Option<Cause>) -> Refusal {
    let Some(Cause { kind, reason, caused_by }) = error else {
        return Refusal { code: status.to_string(), message: String::new() };
    };
    let mut message = reason.unwrap_or_default();
    if let Some(Cause { kind, reason, .. }) = caused_by.map(|cause| *cause) {
        let reason = reason.unwrap_or_default();
        if !message.contains(&reason) || reason.is_empty() {
            message = format!("{message}: {kind}: {reason}");
        }
    }
    Refusal { code: if kind.is_empty() { status.to_string() } else { kind }, message }
}
