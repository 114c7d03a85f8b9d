//! Records that Graph cannot give with what belongs to them: incidents with too many alerts.
//!
//! A page that keeps failing is asked for with half as many records, down to one. What fails even so is listed
//! without expansion, and each record of that list is completed by itself: by its id, expanded, or by asking for what
//! belongs to it in its own list. What cannot be had is named in a line `{"error":{..}}`, and the record is asked for
//! again in later cycles.

use bytes::Bytes;
use defenderbeat_records::{Piece, member, split};
use tokio::time::Instant;
use url::Url;

use super::cursor::Mode;
use super::feed::Expand;
use super::pace::Pace;
use super::page::Order;
use super::poll::{Ask, Chain, Poller, Stop};
use super::window::Window;
use super::{Error, now};
use crate::http;
use crate::source::records::Batch;

/// Tries of a request of which less can be asked for, or something else; patience would only cost time.
pub(super) const TRIES: u32 = 2;

/// Records that are asked for again in a cycle: at two requests and more for each, a small part of a tenant's share of
/// 150 a minute.
const AGAIN: usize = 20;

/// Ticks of a year.
const YEAR: u64 = 366 * 24 * 3600 * 10_000_000;

/// The record to which others belong, while they are asked for.
#[derive(Debug)]
pub(super) struct Owner {
    /// The record, which comes first in each payload.
    record: Bytes,
    /// What else they are filtered by.
    pub(super) filter: String,
    /// The feed of payloads of both.
    pub(super) feed: &'static str,
    /// The feed of what is no record.
    pub(super) alone: &'static str,
    /// How many were handed on.
    joined: usize,
}

impl Owner {
    /// Bytes of so many lines that a payload has room for beside the record.
    pub(super) fn room(&self, max: usize, lines: usize) -> usize {
        max.saturating_sub(self.record.len() + lines)
    }

    /// A payload of the record and what belongs to it, one a line.
    pub(super) fn join(&mut self, lines: &[Bytes]) -> Bytes {
        self.joined += lines.len();
        join(&self.record, lines)
    }
}

fn join(record: &Bytes, lines: &[Bytes]) -> Bytes {
    let parts: Vec<&[u8]> = std::iter::once(record).chain(lines).map(Bytes::as_ref).collect();
    Bytes::from(parts.join(&b'\n'))
}

/// What one record was completed with.
enum Completed {
    /// All that belongs to it has been handed on.
    Whole,
    /// It cannot be had; why.
    Not(String),
}

impl Poller {
    /// Asks for less from now on, after a request that was too much; false where there is nothing less to ask for.
    pub(super) fn shrink(&mut self) -> bool {
        if self.ask.expand.is_none() || !self.pace.shrink() {
            return false;
        }
        let (records, singly) = (self.pace.size(), self.pace.is_singly());
        tracing::debug!(feed = self.ask.feed.name, records, singly, "asking for less");
        true
    }

    /// Reads a list without expansion, and completes each of its records by itself.
    pub(super) async fn one_by_one(&mut self, url: &Url, mode: Option<Mode>) -> Result<Chain, Stop> {
        let mut batch = Batch::default();
        let page = self.read(url, &mut batch, true).await?;
        let mut order = Order::default();
        for record in batch.take() {
            self.shared.state().order = Order::default();
            self.complete(record).await?;
            self.all_mapped().await?;
            order.meet(self.shared.state().order.highest);
        }
        self.shared.state().order = order;
        if let Some(mode) = mode.filter(|_| !order.descends) {
            self.reach(order.highest, mode);
        }
        let complete =
            page.broken.is_none() && page.link.is_none() && self.pace.size().is_none_or(|size| page.records < size);
        Ok(Chain { order, records: page.records, complete, broken: page.broken })
    }

    /// Hands on a record with what belongs to it, or with the reason why not.
    async fn complete(&mut self, record: Bytes) -> Result<(), Stop> {
        let Some(expand) = self.ask.expand else { return Ok(()) };
        let id = id(&record);
        let completed = match &id {
            Some(id) => self.complete_by_id(expand, id, &record).await?,
            None => Completed::Not("the record has no id by which they could be asked for".to_owned()),
        };
        let Completed::Not(reason) = completed else { return Ok(()) };
        let feed = self.ask.feed.name;
        tracing::warn!(
            feed,
            id,
            reason,
            "what belongs to a record cannot be had; it leaves alone and is asked for again"
        );
        if let Some(id) = id
            && let Some(id) = self.shared.state().progress.ask_again(&id)
        {
            tracing::error!(
                feed,
                id,
                "too many records are to be asked for again; the one whose turn was next is given up"
            );
        }
        let error = serde_json::json!({ "error": { "message": reason } }).to_string();
        self.deliver_to(expand.feed, vec![join(&record, &[error.into()])]).await
    }

    async fn complete_by_id(&mut self, expand: &'static Expand, id: &str, record: &Bytes) -> Result<Completed, Stop> {
        // The record comes once more, with what belongs to it.
        let begin = join(record, &[Bytes::new()]);
        if let Some(payload) = self.fetch(id, Some(expand), &begin).await? {
            self.deliver_to(expand.feed, vec![payload]).await?;
            return Ok(Completed::Whole);
        }
        let owner = Owner {
            record: record.clone(),
            filter: format!("{} eq '{}'", expand.key, id.replace('\'', "''")),
            feed: expand.feed,
            alone: self.ask.feed.name,
            joined: 0,
        };
        // Without `$top`, because with it Graph is said to leave out the links.
        let ask = std::mem::replace(&mut self.ask, Ask { feed: expand.by, expand: None, owner: Some(owner) });
        let pace = std::mem::replace(&mut self.pace, Pace::new(0));
        let result = Box::pin(self.all_of_owner()).await;
        let asked = std::mem::replace(&mut self.ask, ask);
        self.pace = pace;
        match result {
            Ok(()) if asked.owner.is_some_and(|owner| owner.joined > 0) => Ok(Completed::Whole),
            // Nothing documents the filter, so an empty list may mean that it was not understood.
            Ok(()) => Ok(Completed::Not(format!("the {} cannot be had: their list is empty", expand.property))),
            Err(stop) => stop.missing(expand).map(Completed::Not),
        }
    }

    /// Reads all that belongs to the record, in windows where a list is not given to its end.
    async fn all_of_owner(&mut self) -> Result<(), Stop> {
        if !self.fits_all().await? {
            self.whole(Window::between(0, now() + YEAR), None).await?;
        }
        Ok(())
    }

    /// Asks for a record by its id, and puts it behind other bytes. None: it cannot be had, or not in this form.
    async fn fetch(&mut self, id: &str, expand: Option<&'static Expand>, begin: &[u8]) -> Result<Option<Bytes>, Stop> {
        let mut url = self.service.url(self.ask.feed.path);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(id);
        }
        if let Some(expand) = expand {
            url.query_pairs_mut().append_pair("$expand", expand.property);
        }
        let tries = if expand.is_some() { TRIES } else { u32::MAX };
        for _ in 0..TRIES {
            let body = match self.service.get_within(tries, &url, &self.headers).await {
                Ok(body) => body,
                Err(error) if is_of_one(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            match whole(body, self.max_record_size, begin).await {
                // Where the expansion was ignored, it is not known what is missing.
                Ok(Some(record)) if expand.is_some_and(|expand| !has(record.get(begin.len()..), expand.property)) => {
                    return Ok(None);
                }
                Ok(record) => return Ok(record),
                Err(error) => tracing::debug!(%error, "a record by its id"),
            }
        }
        Ok(None)
    }

    /// Asks again for what could not be had in earlier cycles, until the next one is due.
    pub(super) async fn ask_again(&mut self, ids: Vec<String>, next: Instant) -> Result<(), Stop> {
        let Some(expand) = self.ask.expand else { return Ok(()) };
        for id in ids {
            if Instant::now() >= next {
                break;
            }
            let completed = match self.fetch(&id, None, b"").await? {
                Some(record) => self.complete_by_id(expand, &id, &record).await?,
                None => Completed::Not("the record itself cannot be had".to_owned()),
            };
            let feed = self.ask.feed.name;
            let given_up = match completed {
                Completed::Whole => {
                    tracing::info!(feed, id, "what belongs to a record could be had at last");
                    self.shared.state().progress.complete(self.sequence, id);
                    continue;
                }
                Completed::Not(reason) if self.shared.state().progress.asked_in_vain(&id) => reason,
                Completed::Not(_) => continue,
            };
            tracing::error!(
                feed,
                id,
                reason = given_up,
                "what belongs to a record was asked for too often; it is given up"
            );
        }
        self.all_mapped().await
    }

    /// Records whose turn it is to be asked for again.
    pub(super) fn to_ask_again(&self) -> Vec<String> {
        if self.ask.expand.is_some() { self.shared.state().progress.to_ask_again(AGAIN) } else { Vec::new() }
    }
}

impl Stop {
    /// What to say where this only means that something cannot be had.
    fn missing(self, expand: &Expand) -> Result<String, Stop> {
        let what = expand.property;
        match self {
            Stop::Failed(Error::Http(error)) if error.status() == Some(403) => Ok(format!(
                "the {what} cannot be had: they are too many to be expanded, and the application lacks the permission \
                 {}",
                expand.by.permission
            )),
            Stop::Failed(Error::Http(error)) if is_of_one(&error) => Ok(format!("the {what} cannot be had: {error}")),
            Stop::Failed(error @ Error::Indivisible { .. }) => Ok(format!("not all {what} can be had: {error}")),
            stop => Err(stop),
        }
    }
}

/// Whether an error may be about one record, where others were had a moment before.
fn is_of_one(error: &http::Error) -> bool {
    match error {
        http::Error::Refused { answer } => {
            !matches!(answer.status, 401 | 429) && (answer.status != 503 || answer.retry_after.is_none())
        }
        http::Error::Connection { asked, .. } => *asked,
        http::Error::Body { .. }
        | http::Error::Content { .. }
        | http::Error::Foreign { .. }
        | http::Error::Redirects { .. } => true,
        http::Error::Settings { .. } | http::Error::Client { .. } | http::Error::Token { .. } => false,
    }
}

/// Whether a record has a member.
fn has(record: Option<&[u8]>, name: &str) -> bool {
    record.is_some_and(|record| member(record, name).is_some())
}

/// A record's own id.
fn id(record: &[u8]) -> Option<String> {
    serde_json::from_slice(member(record, "id")?).ok().filter(|id: &String| !id.is_empty())
}

/// The one record that an answer is, behind other bytes; none where both are longer than the limit.
async fn whole(mut body: http::Body, max: usize, begin: &[u8]) -> Result<Option<Bytes>, http::Error> {
    let mut bytes = begin.to_vec();
    while let Some(chunk) = body.chunk().await? {
        if bytes.len() + chunk.len() > max {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    let no_keys: [&str; 0] = [];
    let mut pieces = split(bytes.get(begin.len()..).unwrap_or_default(), &no_keys, max);
    match (pieces.next(), pieces.next()) {
        (Some(Piece::Record { .. }), None) => {}
        _ => {
            let message = "it is no single record".to_owned();
            return Err(http::Error::Body { host: body.host(), received: body.received(), message });
        }
    }
    Ok(Some(Bytes::from(bytes)))
}
