//! Documents in Elasticsearch's data streams.
//!
//! A send is one `_bulk` request of `create` actions; the ids are those that the documents came with, so that a document
//! which is sent again is refused as there already. What that does not cover is looked up first (`look_up`). Documents are never
//! parsed and never copied: a request is made of slices of the parts that hold them (`request`). The answer is held against
//! the request item by item, and nothing is believed where they differ (`response`).
//!
//! Nothing is sent again here that may have been taken: such documents are given back with [`Fate::Unknown`].

mod client;
mod counts;
mod error;
mod hosts;
mod look_up;
mod parameters;
mod request;
mod response;
mod settings;
pub(super) mod trial;

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;

use super::{Documents, Fate, Limits, Output, OutputError, Refusal, Sent};
use crate::http::RetrySettings;

pub use client::{Client, Reply};
pub use error::Error;
pub use settings::ElasticsearchSettings;

use client::Content;
use counts::Counts;
use look_up::{LookUp, Presence};
use parameters::Parameters;
use request::{Item, Lines};
use response::Fates;
use settings::NO_PIPELINE;

/// Why documents wait that were to be looked up.
const NOT_LOOKED_UP: &str =
    "output.elasticsearch: whether documents are there already is not known, because a backing index cannot be read";

/// Sends documents to Elasticsearch.
#[derive(Debug)]
pub struct Elasticsearch {
    client: Client,
    settings: ElasticsearchSettings,
    parameters: Parameters,
    look_up: LookUp,
    counts: Counts,
    /// Bytes of a request: `bulk_max_bytes`, or less where the server, or what is before it, takes less.
    bytes: AtomicUsize,
}

impl Elasticsearch {
    /// Prepares connections; opens none.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub fn open(settings: ElasticsearchSettings) -> Result<Self, Error> {
        Ok(Self {
            client: Client::new(&settings)?,
            parameters: Parameters::new(&settings.pipeline, settings.timeout),
            look_up: LookUp::default(),
            counts: Counts::default(),
            bytes: AtomicUsize::new(settings.bulk_max_bytes),
            settings,
        })
    }

    /// Finds documents that are there already and may have been delivered before: their fates, by their places among the items.
    async fn find(&self, items: &[Item<'_>], documents: &[Documents]) -> Result<Vec<(usize, Fate)>, Error> {
        let mut streams: BTreeMap<&str, (i64, Vec<usize>)> = BTreeMap::new();
        let since = documents.iter().flat_map(|sent| repeat_n(sent.sent_since, sent.part.documents.len()));
        for ((at, item), since) in items.iter().enumerate().zip(since) {
            let Some(since) = since else { continue };
            let (first, places) = streams.entry(item.stream).or_insert((since, Vec::new()));
            *first = since.min(*first);
            places.push(at);
        }
        let mut fates = Vec::new();
        for (stream, (since, places)) in streams {
            let ids: Vec<u128> = places.iter().filter_map(|at| Some(items.get(*at)?.id)).collect();
            let Some(answers) = self.look_up.look_up(&self.client, stream, since, &ids).await? else { continue };
            fates.extend(places.into_iter().zip(answers).filter_map(|(at, answer)| match answer {
                Presence::There => Some((at, Fate::Duplicate)),
                Presence::Unknown => Some((at, Fate::Unknown)),
                Presence::Absent => None,
            }));
        }
        fates.sort_unstable_by_key(|(at, _)| *at);
        let unknown = fates.iter().filter(|(_, fate)| *fate == Fate::Unknown).count();
        if unknown > 0 {
            tracing::warn!(documents = unknown, "{NOT_LOOKED_UP}; they wait for it");
        }
        Ok(fates)
    }

    /// Asks for each data stream once whether its documents may be looked up, so that it is said before it matters.
    async fn meet(&self, items: &[Item<'_>]) {
        let mut before = "";
        for Item { stream, .. } in items {
            if *stream != before && !self.look_up.knows(stream) {
                // What keeps this from being answered keeps documents from being delivered, which says so.
                let _ = self.look_up.indices(&self.client, stream).await;
            }
            before = stream;
        }
    }

    /// Sends one request, and again where only its parameters were not known. Gives the fates of its documents, and the host.
    async fn create(&self, items: &[&Item<'_>]) -> Result<(Fates, String), Error> {
        let lines = Lines::create(items.iter().copied());
        let level = self.settings.compression_level;
        let body = || lines.body(level);
        let encoding = (level > 0).then_some("gzip");
        loop {
            self.counts.requests.add(1_u64);
            self.counts.bytes.add(lines.bytes());
            let content = Content { kind: "application/x-ndjson", encoding, body: &body };
            let path = self.parameters.path();
            let reply = self.client.send(Method::POST, &path, Some(content)).await?;
            if reply.status == 400 && self.parameters.refused(&path, &reply.refusal().message) {
                continue;
            }
            if !reply.is_success() {
                return Err(reply.refused());
            }
            let Reply { host, body, .. } = reply;
            return match response::fates(items.iter().copied(), self.settings.pipeline == NO_PIPELINE, &body) {
                Ok(fates) => Ok((fates, host)),
                Err(what) => Err(Error::Mismatch { host, what }),
            };
        }
    }

    /// Sends less from now on: so much was too much.
    fn shrink(&self, items: &[&Item<'_>]) {
        let refused: usize = items.iter().map(|item| item.bytes.len()).sum();
        let bytes = (refused / 2).max(1);
        if self.bytes.fetch_min(bytes, Ordering::Relaxed) > bytes {
            tracing::warn!(
                refused,
                bytes,
                "output.elasticsearch: a request was too large for the server, or for a proxy before it, and is halved; lower bulk_max_bytes"
            );
        }
    }
}

/// The documents of a send, one after the other.
fn items(documents: &[Documents]) -> Vec<Item<'_>> {
    let each = documents.iter().flat_map(|sent| {
        sent.part.iter().map(move |(document, bytes)| {
            let stream = sent.stream(document).unwrap_or_default();
            Item { stream, id: document.id, bytes }
        })
    });
    each.collect()
}

/// Cuts places so that the documents of each cut have no more than these bytes together; a larger one is alone.
fn cut<'a>(places: &'a [usize], items: &[Item<'_>], limit: usize) -> Vec<&'a [usize]> {
    let (mut cuts, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, place) in places.iter().enumerate() {
        let length = items.get(*place).map_or(0, |item| item.bytes.len());
        if at > begin && bytes + length > limit {
            cuts.extend(places.get(begin..at));
            (begin, bytes) = (at, 0);
        }
        bytes += length;
    }
    cuts.extend(places.get(begin..));
    cuts
}

impl Output for Elasticsearch {
    fn limits(&self) -> Limits {
        Limits {
            documents: self.settings.bulk_max_size,
            bytes: self.settings.bulk_max_bytes,
            lanes: self.settings.worker * self.client.hosts(),
        }
    }

    fn retry(&self) -> RetrySettings {
        self.settings.retry()
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        let items = items(documents);
        self.meet(&items).await;
        let mut fates: Vec<Option<Fate>> = vec![None; items.len()];
        let mut set = |at: usize, fate: Fate| {
            if let Some(place) = fates.get_mut(at) {
                *place = Some(fate);
            }
        };
        let found = self.find(&items, documents).await?;
        let mut open: Vec<usize> = (0..items.len()).collect();
        open.retain(|at| found.binary_search_by_key(at, |(found, _)| *found).is_err());
        // What keeps documents waiting, in words where it keeps the request itself from nothing.
        let (mut problem, mut put_off, mut throttled) = (None, None, false);
        for (at, fate) in found {
            self.counts.found.add(u64::from(fate == Fate::Duplicate));
            if fate == Fate::Unknown {
                put_off = Some(NOT_LOOKED_UP.to_owned());
            }
            set(at, fate);
        }

        // The first is the last, so that documents are sent in their order.
        let mut ranges = cut(&open, &items, self.bytes.load(Ordering::Relaxed));
        ranges.reverse();
        while let Some(range) = ranges.pop().filter(|range| !range.is_empty()) {
            let some: Vec<&Item<'_>> = range.iter().filter_map(|at| items.get(*at)).collect();
            let outcome = match self.create(&some).await {
                Ok((outcome, host)) => {
                    throttled |= outcome.throttled;
                    let words = |Refusal { code, message }| format!("output.elasticsearch: {host}: {code}: {message}");
                    put_off = outcome.put_off.map(words).or(put_off);
                    problem = outcome.held.map(|held| held.into_error(host)).or(problem);
                    outcome.fates
                }
                Err(error) if error.status() == Some(413) && range.len() > 1 => {
                    self.shrink(&some);
                    let (first, second) = range.split_at(range.len() / 2);
                    ranges.extend([second, first]);
                    continue;
                }
                Err(error) if error.status() == Some(413) => {
                    vec![Fate::Refused(Refusal { code: "413".into(), message: error.to_string() })]
                }
                Err(error) => {
                    let fate = if error.is_unknown() { Fate::Unknown } else { Fate::Retry };
                    problem = Some(error);
                    // What keeps one from being taken keeps the others.
                    ranges.clear();
                    vec![fate; range.len()]
                }
            };
            for (at, fate) in range.iter().zip(outcome) {
                set(*at, fate);
            }
        }

        let fates: Vec<Fate> = fates.into_iter().map(|fate| fate.unwrap_or(Fate::Retry)).collect();
        match problem {
            Some(error) if fates.iter().all(|fate| *fate == Fate::Retry) => Err(error.into()),
            Some(error) => {
                tracing::warn!(%error, "not all documents are delivered: the others are sent again");
                let throttled = throttled || error.is_throttled();
                Ok(Sent { fates, retry_after: error.retry_after(), throttled, problem: Some(error.to_string()) })
            }
            None => Ok(Sent { fates, retry_after: None, throttled, problem: put_off }),
        }
    }

    async fn flush(&self) -> Result<(), OutputError> {
        // What Elasticsearch says it has is in its transaction log.
        Ok(())
    }

    fn summary(&self) -> Option<String> {
        Some(self.counts.to_string())
    }
}
