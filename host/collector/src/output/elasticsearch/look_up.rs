//! Which documents are there already, by id.
//!
//! `create` refuses an id only within the index that a data stream writes to at that time. A document that may have been sent
//! before the stream rolled over is therefore looked up in the backing indices of that time first. `_mget` sees what was
//! written a moment ago, which a search does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, TimeDelta};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Client, Error};

/// By how much the clocks of those who wrote before, of Elasticsearch and of this machine may differ.
const MARGIN: TimeDelta = TimeDelta::minutes(15);

/// Ids of one question: some 35 KB, which every proxy passes.
const IDS: usize = 1000;

/// What is known of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// A document has it.
    There,
    /// None has it, as far as can be told.
    Absent,
    /// An index could not tell.
    Unknown,
}

/// Looks documents up, and remembers where that is not allowed.
#[derive(Debug, Default)]
pub(super) struct LookUp {
    /// Data streams that were asked for, with whether reading them is allowed.
    allowed: Mutex<BTreeMap<String, bool>>,
}

impl LookUp {
    /// Whether this data stream was asked for before.
    pub(super) fn knows(&self, stream: &str) -> bool {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner).contains_key(stream)
    }

    /// The backing indices of a data stream; none where reading them is not allowed, which is said once.
    pub(super) async fn indices(&self, client: &Client, stream: &str) -> Result<Option<Vec<String>>, Error> {
        // Of what lists indices, this takes no privilege but `read`.
        let path = format!("/{}/_field_caps?fields=@timestamp&filter_path=indices,failures.indices", segment(stream));
        let mut reply = client.call(Method::GET, &path, None).await.map_err(Error::of_reading)?;
        if reply.status == 400 && reply.refusal().code == "index_closed_exception" {
            // Asked so at first, a missing privilege would not be told.
            let path = format!("{path}&ignore_unavailable=true");
            reply = client.call(Method::GET, &path, None).await.map_err(Error::of_reading)?;
            if !self.knows(stream) {
                tracing::warn!(
                    stream,
                    "output.elasticsearch: a backing index is closed: what it has is not looked up until it is open again"
                );
            }
        }
        let indices = match reply.status {
            200 => {
                let Listed { indices, failures } = reply.json()?;
                let failed = failures.into_iter().flat_map(|failure| failure.indices);
                Some(indices.into_iter().chain(failed).collect::<BTreeSet<_>>().into_iter().collect())
            }
            // There is no such data stream yet.
            404 => Some(Vec::new()),
            403 => None,
            _ => return Err(reply.refused()),
        };
        let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = allowed.insert(stream.to_owned(), indices.is_some());
        if indices.is_none() && before != Some(false) {
            tracing::warn!(
                stream,
                "output.elasticsearch: this account lacks the privilege `read` on the data stream, so that documents which may have been \
                 delivered before a restart or a broken connection are not looked up: such a one is doubled where the stream rolled over in between"
            );
        }
        Ok(indices)
    }

    /// Looks up ids in the indices that the stream may have written to since a time, milliseconds since
    /// 1970-01-01T00:00:00Z. One answer an id, in order; none where looking up is not allowed.
    pub(super) async fn look_up(
        &self,
        client: &Client,
        stream: &str,
        since: i64,
        ids: &[u128],
    ) -> Result<Option<Vec<Presence>>, Error> {
        let Some(indices) = self.indices(client, stream).await? else { return Ok(None) };
        let mut answers = vec![Presence::Absent; ids.len()];
        // The newest first: it has most of them.
        for index in written_since(stream, indices, since).iter().rev() {
            let mut open: Vec<(u128, &mut Presence)> =
                ids.iter().copied().zip(&mut answers).filter(|(_, answer)| **answer != Presence::There).collect();
            if open.is_empty() {
                break;
            }
            while !open.is_empty() {
                let rest = open.split_off(open.len().min(IDS));
                get(client, index, open).await?;
                open = rest;
            }
        }
        Ok(Some(answers))
    }
}

/// Asks one index.
async fn get(client: &Client, index: &str, open: Vec<(u128, &mut Presence)>) -> Result<(), Error> {
    let path = format!(
        "/{}/_mget?_source=false&stored_fields=_none_&filter_path=docs._id,docs.found,docs.error.type",
        segment(index)
    );
    let ids: Vec<String> = open.iter().map(|(id, _)| format!("{id:032x}")).collect();
    let reply = client.call(Method::POST, &path, Some(&json!({ "ids": ids }))).await.map_err(Error::of_reading)?;
    if !reply.is_success() {
        return Err(reply.refused());
    }
    let Got { docs } = reply.json()?;
    let mismatch =
        || Error::Mismatch { host: reply.host.clone(), what: "it tells of other documents than were looked up".into() };
    if docs.len() != ids.len() {
        return Err(mismatch());
    }
    for (((_, answer), id), doc) in open.into_iter().zip(&ids).zip(docs) {
        if doc.id != *id {
            return Err(mismatch());
        }
        match doc {
            Doc { found: true, .. } => *answer = Presence::There,
            // Deleted between the list and the question: it has nothing any more.
            Doc { error: Some(Cause { kind }), .. } if kind == "index_not_found_exception" => {}
            Doc { error: Some(_), .. } => *answer = Presence::Unknown,
            Doc { .. } => {}
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    indices: Vec<String>,
    #[serde(default)]
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    indices: Vec<String>,
}

#[derive(Deserialize)]
struct Got {
    #[serde(default)]
    docs: Vec<Doc>,
}

#[derive(Deserialize)]
struct Doc {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    found: bool,
    error: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "type", default)]
    kind: String,
}

/// A part of a path.
pub(super) fn segment(text: &str) -> String {
    // Names of indices have no spaces, which this would write as a plus.
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Those of a data stream's indices that it may have written to at or after a time, the newest last. Their names tell the day that they
/// were made on: all of that day and later, and the one before these. Names of another form are always among them, first.
fn written_since(stream: &str, indices: Vec<String>, since: i64) -> Vec<String> {
    let since = DateTime::from_timestamp_millis(since).and_then(|since| since.checked_sub_signed(MARGIN));
    let since = since.map_or(NaiveDate::MIN, |since| since.date_naive());
    let mut named = Vec::new();
    let mut others = Vec::new();
    for index in indices {
        match made(stream, &index) {
            Some((day, generation)) => named.push((generation, day, index)),
            None => others.push(index),
        }
    }
    named.sort_unstable();
    let first = named.iter().rposition(|(_, day, _)| *day < since).unwrap_or(0);
    others.extend(named.into_iter().skip(first).map(|(_, _, index)| index));
    others
}

/// Day and generation of a backing index, `.ds-<stream>-<yyyy.MM.dd>-<generation>`; also of one that was moved to slower storage,
/// whose name begins with something more.
fn made(stream: &str, index: &str) -> Option<(NaiveDate, u64)> {
    let (_, rest) = index.split_once(&format!(".ds-{stream}-"))?;
    let (day, generation) = rest.split_once('-')?;
    Some((NaiveDate::parse_from_str(day, "%Y.%m.%d").ok()?, generation.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(time: &str, indices: &[&str]) -> Vec<String> {
        let indices =
            indices.iter().map(|rest| if rest.starts_with('-') { format!(".ds-s{rest}") } else { (*rest).into() });
        let time = DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis();
        let found = written_since("s", indices.collect(), time);
        found.into_iter().map(|name| name.trim_start_matches(".ds-s").to_owned()).collect()
    }

    #[test]
    fn indices_of_the_day_and_later_are_asked_and_the_one_before() {
        let all = ["-2026.11.20-000001", "-2026.11.24-000003", "-2026.11.23-000002", "-2026.11.24-000004"];
        let (second, third, fourth) = (all[2], all[1], all[3]);
        assert_eq!(since("2026-11-24T08:00:00Z", &all), [second, third, fourth]);
        assert_eq!(since("2026-11-25T08:00:00Z", &all), [fourth]);
        assert_eq!(since("2026-11-19T08:00:00Z", &all), [all[0], second, third, fourth]);
        // Clocks differ by up to a quarter of an hour.
        assert_eq!(since("2026-11-25T00:10:00Z", &all), [second, third, fourth]);
        assert_eq!(since("2026-11-25T00:20:00Z", &all), [fourth]);
    }

    #[test]
    fn names_of_another_form_are_always_asked() {
        let all = ["-2026.11.20-000001", "-2026.11.24-000002", "reindexed", "partial-.ds-s-2026.11.19-000000"];
        assert_eq!(since("2026-11-24T08:00:00Z", &all), ["reindexed", all[0], all[1]]);
    }
}
