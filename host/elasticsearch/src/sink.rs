//! A server that takes every document of a bulk request, says so, and keeps nothing: for what a sender does at its best. Where it
//! is told to, it keeps the requests, to be sent again by others.

use std::fs::File;
use std::io::Write as _;
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

/// What it has taken.
#[derive(Debug, Default)]
struct Counts {
    documents: AtomicU64,
    bytes: AtomicU64,
    /// Where requests are kept, if they are.
    folder: Option<PathBuf>,
    kept: AtomicU64,
}

impl Sink {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn start() -> Result<Self, Error> {
        Self::with(None).await
    }

    /// As [`start`](Self::start); the body of each bulk request, as it was sent, becomes a file of this folder, named so that they
    /// sort by time.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn keeping(folder: &Path) -> Result<Self, Error> {
        Self::with(Some(folder.to_owned())).await
    }

    async fn with(folder: Option<PathBuf>) -> Result<Self, Error> {
        let (listener, url) = crate::listen().await?;
        let counts = Arc::new(Counts { folder, ..Counts::default() });
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
        let documents = count(request, &counts).await?;
        counts.documents.fetch_add(documents, Ordering::Relaxed);
        let mut body = String::from(r#"{"took":0,"errors":false,"items":["#);
        for number in 0..documents {
            body.push_str(if number == 0 { "" } else { "," });
            body.push_str(r#"{"create":{"status":201}}"#);
        }
        body + "]}"
    } else {
        // Of privileges: all are there. Of anything else: nothing.
        r#"{"has_all_requested":true}"#.to_owned()
    };
    let mut answer = Response::new(Full::from(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

/// Counts the documents of a bulk request while it arrives: two lines each.
async fn count(request: Request<Incoming>, counts: &Counts) -> Result<u64, hyper::Error> {
    let gzip = request.headers().get(CONTENT_ENCODING).is_some_and(|value| value == "gzip");
    let mut lines = Lines(0);
    let mut unpacked = gzip.then(|| GzDecoder::new(Lines(0)));
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
    Ok(unpacked.unwrap_or(lines).0 / 2)
}

/// Counts lines.
struct Lines(u64);

impl std::io::Write for Lines {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0 += memchr::memchr_iter(b'\n', data).count() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
