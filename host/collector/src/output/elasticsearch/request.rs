//! The body of a `_bulk` request: an action and a document, line by line, from the bytes that hold the documents already.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};

/// Compressed bytes that are passed on at a time.
const CHUNK: usize = 64 << 10;

/// A document and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) stream: &'a str,
    pub(super) id: u128,
    /// One line, its line feed included.
    pub(super) bytes: Bytes,
}

/// The lines of a request, ready to be sent as often as need be; copies share the bytes.
#[derive(Clone)]
pub(super) struct Lines {
    lines: Vec<Bytes>,
    bytes: u64,
}

impl Lines {
    /// Actions of `create`, each before its document.
    pub(super) fn create<'a>(items: impl Iterator<Item = &'a Item<'a>> + Clone) -> Self {
        let mut names = BTreeMap::new();
        let mut actions = String::new();
        let mut ends = Vec::new();
        for Item { stream, id, .. } in items.clone() {
            // Names are written as JSON, because a namespace may hold whatever Elasticsearch does not forbid.
            let name = names.entry(*stream).or_insert_with(|| serde_json::Value::from(*stream).to_string());
            // Infallible: a String takes any text.
            let _ = writeln!(actions, r#"{{"create":{{"_index":{name},"_id":"{id:032x}"}}}}"#);
            ends.push(actions.len());
        }
        let actions = Bytes::from(actions);
        let (mut lines, mut begin) = (Vec::with_capacity(2 * ends.len()), 0);
        for (item, end) in items.zip(ends) {
            lines.extend([actions.slice(begin..end), item.bytes.clone()]);
            begin = end;
        }
        let bytes = lines.iter().map(|line| line.len() as u64).sum();
        Self { lines, bytes }
    }

    /// Bytes of all lines.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The body, compressed at a level from 1 to 9, or as it is at 0.
    pub(super) fn body(&self, level: u32) -> reqwest::Body {
        let Self { lines, bytes } = self.clone();
        let lines = lines.into_iter();
        if level == 0 {
            return reqwest::Body::wrap(Plain { lines, left: bytes });
        }
        let encoder = GzEncoder::new(Vec::with_capacity(CHUNK), Compression::new(level));
        reqwest::Body::wrap(Compressed { lines, encoder: Some(encoder) })
    }
}

/// Lines as they are. The length is known, so that the request tells it.
struct Plain {
    lines: std::vec::IntoIter<Bytes>,
    left: u64,
}

impl Body for Plain {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let line = self.lines.next();
        self.left -= line.as_ref().map_or(0, |line| line.len() as u64);
        Poll::Ready(line.map(|line| Ok(Frame::data(line))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Lines that are compressed as they leave.
struct Compressed {
    lines: std::vec::IntoIter<Bytes>,
    /// None: all has left.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Compressed {
    fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        let Some(encoder) = &mut self.encoder else { return Ok(None) };
        for line in self.lines.by_ref() {
            encoder.write_all(&line)?;
            if encoder.get_ref().len() >= CHUNK {
                let next = Vec::with_capacity(CHUNK);
                return Ok(Some(std::mem::replace(encoder.get_mut(), next).into()));
            }
        }
        let last = self.encoder.take().map(GzEncoder::finish).transpose()?;
        Ok(last.map(Bytes::from))
    }
}

impl Body for Compressed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(self.chunk().transpose().map(|chunk| chunk.map(Frame::data)))
    }
}
