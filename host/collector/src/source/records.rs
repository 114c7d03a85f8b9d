//! Cuts records out of what an API sends while it arrives; nothing is held but one record and one chunk.

use std::sync::Arc;
use std::{io, mem};

use bytes::Bytes;
use defenderbeat_records::{Piece, Splitter};

use super::{Budget, DeadLetter, DeadLetters};
use crate::checkpoint::unix_millis;
use crate::http::{self, Body};

/// The key under which a page keeps its records.
const RECORDS: &str = "value";
/// The member of a page that says where the list goes on.
const NEXT_LINK: &str = "@odata.nextLink";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const CUT: &str = "it ends in the middle of the JSON";

/// Bytes as they arrive, decompressed.
pub(super) trait Chunks {
    /// The next bytes; none at the proper end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, http::Error>;
    /// What they arrive in.
    fn body(&self) -> &Body;
}

impl Chunks for Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>, http::Error> {
        Body::chunk(self).await
    }

    fn body(&self) -> &Body {
        self
    }
}

/// What is expected to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A page of OData: an object with records under `value`.
    Page,
    /// Records as a file has them: one after the other, or in an array; possibly none.
    File,
}

/// What was found.
pub(super) enum Found {
    /// A record.
    Record(Bytes),
    /// What is no record.
    Malformed(Bytes),
    /// A record longer than the limit, written but not kept yet.
    Oversized(Box<dyn DeadLetter>),
}

/// Why reading cannot go on, however often it is tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Http(#[from] http::Error),
    #[error(transparent)]
    DeadLetter(io::Error),
}

/// Reads what arrives.
pub(super) struct Records<C> {
    chunks: C,
    form: Form,
    splitter: Splitter,
    feed: &'static str,
    dead_letters: Arc<dyn DeadLetters>,
    /// Bytes that arrived, decompressed.
    received: u64,
    /// Where the JSON begins.
    begin: Option<u64>,
    ended: bool,
    oversized: Option<Box<dyn DeadLetter>>,
    /// A record that is too long counts as the end of what can be had.
    refuses_oversized: bool,
    broken: Option<http::Error>,
}

impl<C: Chunks> Records<C> {
    /// Prepares to read records for a feed.
    pub(super) fn new(
        chunks: C,
        form: Form,
        feed: &'static str,
        max_record_size: usize,
        dead_letters: Arc<dyn DeadLetters>,
    ) -> Self {
        let splitter = Splitter::new(&[RECORDS]).with_max_record_size(max_record_size).with_member(NEXT_LINK);
        Self {
            chunks,
            form,
            splitter,
            feed,
            dead_letters,
            received: 0,
            begin: None,
            ended: false,
            oversized: None,
            refuses_oversized: false,
            broken: None,
        }
    }

    /// Makes a record that is too long an error, because it can be had in another way.
    pub(super) fn refuse_oversized(&mut self, refuse: bool) {
        self.refuses_oversized = refuse;
    }

    /// The next one; none at the end, which may be [too early](Self::broken). May be dropped and called again.
    ///
    /// # Errors
    ///
    /// What arrives is not what was asked for, or a record that is too long cannot be written.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, ReadError> {
        loop {
            while let Some(piece) = self.splitter.piece() {
                let page = self.form == Form::Page;
                match piece {
                    Piece::Record { offset, .. } | Piece::Oversized { offset, .. }
                        if page && Some(offset) == self.begin =>
                    {
                        return Err(unexpected(self.chunks.body(), "JSON without records", "; check url").into());
                    }
                    // What turns out wrong only at the end has been cut off.
                    Piece::Malformed { .. } if self.ended => self.broken = Some(cut_off(self.chunks.body(), CUT)),
                    Piece::Malformed { bytes, .. } => {
                        return Ok(Some(Found::Malformed(copy(bytes))));
                    }
                    Piece::Record { bytes, .. } => return Ok(Some(Found::Record(copy(bytes)))),
                    Piece::Oversized { .. } if self.refuses_oversized => {
                        let error = cut_off(self.chunks.body(), "a record of it is longer than max_record_size");
                        return Err(error.into());
                    }
                    Piece::Oversized { bytes, last, .. } => {
                        let open = || self.dead_letters.open(self.feed, unix_millis());
                        let mut letter = self.oversized.take().map_or_else(open, Ok).map_err(ReadError::DeadLetter)?;
                        letter.write(bytes).map_err(ReadError::DeadLetter)?;
                        if last && !self.ended {
                            return Ok(Some(Found::Oversized(letter)));
                        }
                        self.oversized = Some(letter);
                    }
                }
            }
            if self.broken.is_some() {
                return Ok(None);
            }
            if self.ended {
                if self.oversized.is_some() {
                    self.broken = Some(cut_off(self.chunks.body(), CUT));
                } else if self.begin.is_none() && self.form == Form::Page {
                    self.broken = Some(cut_off(self.chunks.body(), "it is empty"));
                }
                return Ok(None);
            }
            match self.chunks.chunk().await {
                Ok(Some(chunk)) => {
                    if self.begin.is_none() {
                        self.begin = self.begin_of_json(&chunk)?;
                    }
                    self.received += chunk.len() as u64;
                    self.splitter.push(&chunk);
                }
                Ok(None) => {
                    self.splitter.finish();
                    self.ended = true;
                }
                Err(error) => self.broken = Some(error),
            }
        }
    }

    /// Why the end came too early, if it did.
    pub(super) fn broken(&mut self) -> Option<http::Error> {
        self.broken.take()
    }

    /// Where the list goes on, which an empty link does not say; certain at the end only.
    pub(super) fn next_link(&self) -> Option<&str> {
        self.splitter.member(NEXT_LINK).filter(|link| !link.is_empty())
    }

    /// Finds where the JSON begins. Refuses what is none before it is taken for records: mostly the page of a proxy.
    fn begin_of_json(&self, chunk: &[u8]) -> Result<Option<u64>, http::Error> {
        let body = self.chunks.body();
        let white = |byte: &u8| byte.is_ascii_whitespace() || BYTE_ORDER_MARK.contains(byte);
        let Some(at) = chunk.iter().position(|byte| !white(byte)) else { return Ok(None) };
        match chunk.get(at) {
            Some(b'{') => Ok(Some(self.received + at as u64)),
            Some(b'[') if self.form == Form::File => Ok(Some(self.received + at as u64)),
            Some(b'<') => {
                let advice = "; a proxy or a login page seems to be in between: check url and proxy_url";
                Err(unexpected(body, "a web page", advice))
            }
            _ => Err(unexpected(body, "something else", "; check url and proxy_url")),
        }
    }
}

/// A copy whose room is a power of two: the heap finds that of an earlier one for it, where exact sizes, each a little
/// different, leave holes.
fn copy(bytes: &[u8]) -> Bytes {
    let mut room = Vec::with_capacity(bytes.len().next_power_of_two());
    room.extend_from_slice(bytes);
    Bytes::from(room)
}

fn unexpected(body: &Body, found: &str, advice: &'static str) -> http::Error {
    let kind = body.content_type();
    let found = if kind.is_empty() { found.to_owned() } else { format!("{found} ({kind})") };
    http::Error::Content { host: body.host(), found, advice }
}

fn cut_off(body: &Body, message: &str) -> http::Error {
    http::Error::Body { host: body.host(), received: body.received(), message: message.to_owned() }
}

/// A batch being filled.
#[derive(Debug, Default)]
pub(super) struct Batch {
    payloads: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    /// Its payloads; it is empty then.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        mem::take(self).payloads
    }

    /// Adds a record.
    pub(super) fn add(&mut self, record: Bytes) {
        self.bytes += record.len();
        self.payloads.push(record);
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    /// Whether another record of this length would be too much.
    pub(super) fn is_full(&self, next: usize, budget: Budget) -> bool {
        !self.is_empty() && (self.bytes + next > budget.bytes || self.payloads.len() >= budget.records)
    }
}

/// What a guest makes an error document of.
pub(super) fn error_record(code: &str, id: Option<&str>, message: &str) -> Bytes {
    let mut fields = serde_json::Map::new();
    fields.insert("code".into(), code.into());
    if let Some(id) = id {
        fields.insert("id".into(), id.into());
    }
    fields.insert("message".into(), message.into());
    serde_json::json!({ "error": fields }).to_string().into()
}
