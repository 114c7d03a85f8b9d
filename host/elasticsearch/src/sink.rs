//! A server that takes every document of a bulk request, says so, and keeps nothing: for what a sender does at its best. Where it
//! is told to, it keeps the requests, to be sent again by others, or has each document looked at.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::GzDecoder;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Error;

/// The server on loopback; ends when dropped.
#[derive(Debug)]
pub struct Sink {
    url: String,
    counts: Arc<Counts>,
    server: JoinHandle<()>,
}

/// A document that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The data stream that it is for.
    pub stream: &'a str,
    /// Its `_id`.
    pub id: &'a str,
    /// One line of JSON.
    pub source: &'a [u8],
}

/// Whether a document is new; one that is not is answered 409, as Elasticsearch does it.
type Look = dyn Fn(Sent<'_>) -> bool + Send + Sync;

/// What it has taken.
#[derive(Default)]
struct Counts {
    documents: AtomicU64,
    bytes: AtomicU64,
    /// Where requests are kept, if they are.
    folder: Option<PathBuf>,
    kept: AtomicU64,
    /// Who looks at documents, if somebody does.
    look: Option<Box<Look>>,
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { documents, bytes, folder, kept, .. } = self;
        f.debug_struct("Counts")
            .field("documents", documents)
            .field("bytes", bytes)
            .field("folder", folder)
            .field("kept", kept)
            .finish_non_exhaustive()
    }
}

impl Sink {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn start() -> Result<Self, Error> {
        Self::with(Counts::default()).await
    }

    /// As [`start`](Self::start); the body of each bulk request, as it was sent, becomes a file of this folder, named so that they
    /// sort by time.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn keeping(folder: &Path) -> Result<Self, Error> {
        Self::with(Counts { folder: Some(folder.to_owned()), ..Counts::default() }).await
    }

    /// As [`start`](Self::start); each document is looked at, and is refused where `look` says that it is not new. It is called for
    /// several at the same time.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn looking(look: impl Fn(Sent<'_>) -> bool + Send + Sync + 'static) -> Result<Self, Error> {
        Self::with(Counts { look: Some(Box::new(look)), ..Counts::default() }).await
    }

    async fn with(counts: Counts) -> Result<Self, Error> {
        let (listener, url) = crate::listen().await?;
        let counts = Arc::new(counts);
        Ok(Self { url, counts: counts.clone(), server: tokio::spawn(serve(listener, counts)) })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many documents it has taken.
    pub fn documents(&self) -> u64 {
        self.counts.documents.load(Ordering::Relaxed)
    }

    /// Of how many bytes, as they were sent.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, counts: Arc<Counts>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let counts = counts.clone();
        let service = service_fn(move |request| answer(request, counts.clone()));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A client that goes away is no event here.
            let _ = connection.await;
        });
    }
}

async fn answer(request: Request<Incoming>, counts: Arc<Counts>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = if request.uri().path().ends_with("/_bulk") {
        match &counts.look {
            None => taken(&vec![true; count(request, &counts).await?], &counts),
            Some(look) => taken(&look_at(request, &counts, look).await?, &counts),
        }
    } else {
        // Of privileges: all are there. Of anything else: nothing.
        r#"{"has_all_requested":true}"#.to_owned()
    };
    let mut answer = Response::new(Full::from(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

/// The answer to a bulk request, from whether each document was new.
fn taken(new: &[bool], counts: &Counts) -> String {
    counts.documents.fetch_add(new.iter().filter(|new| **new).count() as u64, Ordering::Relaxed);
    let errors = new.contains(&false);
    let mut body = format!(r#"{{"took":0,"errors":{errors},"items":["#);
    for (number, new) in new.iter().enumerate() {
        body.push_str(if number == 0 { "" } else { "," });
        body.push_str(if *new {
            r#"{"create":{"status":201}}"#
        } else {
            r#"{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"it is there"}}}"#
        });
    }
    body + "]}"
}

/// Counts the documents of a bulk request while it arrives: two lines each.
async fn count(request: Request<Incoming>, counts: &Counts) -> Result<usize, hyper::Error> {
    Ok(read::<Lines>(request, counts).await?.0 / 2)
}

/// Whether each document of a bulk request is new.
async fn look_at(request: Request<Incoming>, counts: &Counts, look: &Look) -> Result<Vec<bool>, hyper::Error> {
    let body: Vec<u8> = read(request, counts).await?;
    let mut lines = body.split(|byte| *byte == b'\n');
    let mut new = Vec::new();
    while let (Some(action), Some(source)) = (lines.next(), lines.next()) {
        // A sender makes it well; what it does not counts as taken.
        let action: Value = serde_json::from_slice(action).unwrap_or_default();
        let text = |name: &str| action.get("create")?.get(name)?.as_str();
        new.push(match (text("_index"), text("_id")) {
            (Some(stream), Some(id)) => look(Sent { stream, id, source }),
            _ => true,
        });
    }
    Ok(new)
}

/// Reads a bulk request, unpacked, into what is written to.
async fn read<W: Default + Write>(request: Request<Incoming>, counts: &Counts) -> Result<W, hyper::Error> {
    let gzip = request.headers().get(CONTENT_ENCODING).is_some_and(|value| value == "gzip");
    let mut lines = W::default();
    let mut unpacked = gzip.then(|| GzDecoder::new(W::default()));
    let mut file = counts.folder.as_ref().and_then(|folder| {
        let number = counts.kept.fetch_add(1, Ordering::Relaxed);
        File::create(folder.join(format!("{number:06}"))).ok()
    });
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        counts.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        // Neither fails on what a sender made well; what it did not is not counted.
        let _ = match &mut unpacked {
            Some(unpacked) => unpacked.write_all(&data),
            None => lines.write_all(&data),
        };
        if let Some(file) = &mut file {
            let _ = file.write_all(&data);
        }
    }
    let unpacked = unpacked.and_then(|unpacked| unpacked.finish().ok());
    Ok(unpacked.unwrap_or(lines))
}

/// Counts lines.
#[derive(Default)]
struct Lines(usize);

impl Write for Lines {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0 += memchr::memchr_iter(b'\n', data).count();
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
