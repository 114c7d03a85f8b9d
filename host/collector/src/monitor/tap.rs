//! Samples of what passes, for those who look.
//!
//! Who looks never holds up who works: a sample is offered to a bounded queue, and a reader that is slow loses the oldest
//! ones, of which it is told how many. While nobody looks, offering a part costs one lock.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use defenderbeat_runtime::Document;
use futures_util::Stream;
use http_body::{Body, Frame};
use serde_json::{json, value::RawValue};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::deliver::Reject;
use crate::output::Documents;

/// Samples that wait for a reader, at most.
const WAITING: usize = 64;
/// Who look at the same time, at most.
const READERS: usize = 4;
/// Samples of a second, over all inputs, at most.
const SECOND: usize = 100;
/// Bytes of a document or record that is shown; a longer one is told only.
const LENGTH: usize = 64 << 10;

/// A sample: the input it is of, and its line.
type Sample = (std::sync::Arc<str>, Bytes);

/// Those who look.
#[derive(Debug)]
pub(crate) struct Taps {
    samples: broadcast::Sender<Sample>,
    pace: Mutex<Pace>,
}

/// How many samples a second has had.
#[derive(Debug)]
struct Pace {
    began: Instant,
    count: usize,
}

impl Pace {
    /// Whether there may be one more.
    fn allows(&mut self, now: Instant) -> bool {
        if now.duration_since(self.began) >= Duration::from_secs(1) {
            *self = Self { began: now, count: 0 };
        }
        self.count += 1;
        self.count <= SECOND
    }
}

impl Default for Taps {
    fn default() -> Self {
        Self { samples: broadcast::Sender::new(WAITING), pace: Mutex::new(Pace { began: Instant::now(), count: 0 }) }
    }
}

impl Taps {
    /// Offers documents that were mapped.
    pub(crate) fn documents(&self, input: &str, documents: &Documents) {
        for (document, bytes) in documents.part.iter() {
            if !self.is_wanted() {
                return;
            }
            self.offer(input, line(input, documents.stream(document), document, &bytes));
        }
    }

    /// Offers a record that could not be mapped.
    pub(crate) fn reject(&self, input: &str, reject: &Reject) {
        if !self.is_wanted() {
            return;
        }
        let Reject { feed, code, path, message, bytes, .. } = reject;
        let mut line = json!({
            "input": input, "kind": "reject", "feed": feed, "code": code, "path": path, "message": message,
            "bytes": bytes.len(),
        });
        if bytes.len() <= LENGTH
            && let Some(line) = line.as_object_mut()
        {
            line.insert("record".into(), String::from_utf8_lossy(bytes).into());
        }
        self.offer(input, line.to_string());
    }

    /// Whether somebody looks, and has not had enough for this second.
    fn is_wanted(&self) -> bool {
        self.samples.receiver_count() > 0
            && self.pace.lock().unwrap_or_else(PoisonError::into_inner).allows(Instant::now())
    }

    fn offer(&self, input: &str, mut line: String) {
        line.push('\n');
        // Nobody looks any more, perhaps.
        let _ = self.samples.send((input.into(), line.into()));
    }

    /// The samples from now on, of one input or of all; none where enough look already.
    pub(super) fn open(&self, input: Option<String>) -> Option<Samples> {
        // Two that come at once may both be taken, which does no harm.
        if self.samples.receiver_count() >= READERS {
            return None;
        }
        let receiver = self.samples.subscribe();
        let lines = futures_util::stream::unfold((receiver, input), async |(mut receiver, input)| {
            loop {
                let line = match receiver.recv().await {
                    Ok((of, line)) if input.as_deref().is_none_or(|input| *input == *of) => line,
                    Ok(_) => continue,
                    Err(RecvError::Lagged(count)) => Bytes::from(format!("{}\n", json!({ "missed": count }))),
                    Err(RecvError::Closed) => return None,
                };
                return Some((line, (receiver, input)));
            }
        });
        Some(Samples(Box::pin(lines)))
    }
}

/// A document's line. It is JSON already, so it is not read.
fn line(input: &str, stream: Option<&str>, document: &Document, bytes: &[u8]) -> String {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        input: &'a str,
        kind: &'static str,
        index: Option<&'a str>,
        _id: String,
        bytes: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        document: Option<&'a RawValue>,
    }
    let shown = Some(bytes).filter(|bytes| bytes.len() <= LENGTH);
    let line = Line {
        input,
        kind: "document",
        index: stream,
        _id: format!("{:032x}", document.id),
        bytes: bytes.len(),
        document: shown.and_then(|bytes| serde_json::from_slice(bytes).ok()),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// Samples as the body of an answer, line by line, without an end.
pub(super) struct Samples(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

impl Body for Samples {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.as_mut().poll_next(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use defenderbeat_runtime::Part;
    use http_body_util::BodyExt as _;

    use super::*;

    fn documents(count: usize) -> Documents {
        let text = "{\"a\":1}\n";
        let document = Document { payload: 0, length: text.len() as u32, route: 0, id: 7, time: 0, position: 0 };
        let part = Part { ndjson: text.repeat(count).into(), documents: vec![document; count] };
        Documents { part, streams: Arc::new(["logs-x".to_owned()]), sent_since: None }
    }

    fn reject(bytes: Bytes) -> Reject {
        let (feed, path, message) = ("alerts".to_owned(), String::new(), "is no JSON".to_owned());
        Reject { feed, received_at: 0, origin: None, id: 1, code: "malformed", path, message, bytes }
    }

    async fn next(samples: &mut Samples) -> serde_json::Value {
        let frame = samples.frame().await.unwrap().unwrap();
        serde_json::from_slice(frame.data_ref().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn documents_and_rejects_are_shown_to_those_who_ask_for_their_input() {
        let taps = Taps::default();
        taps.documents("before", &documents(3));
        let (mut all, mut one) = (taps.open(None).unwrap(), taps.open(Some("contoso".to_owned())).unwrap());
        taps.documents("fabrikam", &documents(1));
        taps.documents("contoso", &documents(1));
        taps.reject("contoso", &reject(Bytes::from_static(b"no json")));
        assert_eq!(next(&mut all).await["input"], "fabrikam");
        assert_eq!(
            next(&mut one).await,
            json!({"input": "contoso", "kind": "document", "index": "logs-x", "_id": format!("{:032x}", 7), "bytes": 8, "document": {"a": 1}})
        );
        let rejected = next(&mut one).await;
        assert_eq!((&rejected["code"], &rejected["record"]), (&"malformed".into(), &"no json".into()));
    }

    #[tokio::test]
    async fn a_slow_reader_loses_samples_and_learns_how_many() {
        let taps = Taps::default();
        let mut slow = taps.open(None).unwrap();
        taps.documents("contoso", &documents(100_000));
        assert_eq!(next(&mut slow).await, json!({"missed": SECOND - WAITING}));
        assert_eq!(next(&mut slow).await["kind"], "document");
    }

    #[tokio::test]
    async fn what_is_long_is_told_and_not_shown() {
        let taps = Taps::default();
        let mut samples = taps.open(None).unwrap();
        taps.reject("contoso", &reject(vec![b'x'; LENGTH + 1].into()));
        let told = next(&mut samples).await;
        assert_eq!((told["bytes"].as_u64(), told.get("record")), (Some(LENGTH as u64 + 1), None));
    }

    #[test]
    fn no_more_than_a_few_look_at_the_same_time() {
        let taps = Taps::default();
        let readers: Vec<_> = (0..READERS).map(|_| taps.open(None).unwrap()).collect();
        assert!(taps.open(None).is_none());
        drop(readers);
        assert!(taps.open(None).is_some());
    }
}
