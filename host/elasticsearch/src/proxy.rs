//! A proxy in front of a server that does what networks and busy servers do.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::Error;

/// What befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is answered 429 and not passed on.
    TooManyRequests,
    /// It is answered 503 and not passed on.
    Unavailable,
    /// A part of its documents is answered 429 and not passed on.
    SomeRejected,
    /// The connection is reset before it is passed on.
    ResetBefore,
    /// The connection is reset after the server has done it.
    ResetAfter,
    /// The server has done it, and half of its answer arrives.
    HalfAnswer,
    /// The server has done it, and nothing arrives until the [stall](Faults::stall) is over.
    Stalled,
    /// It reaches the server when the stall is over, whether or not somebody still waits for the answer.
    Late,
}

impl Fault {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::TooManyRequests,
        Self::Unavailable,
        Self::SomeRejected,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::HalfAnswer,
        Self::Stalled,
        Self::Late,
    ];
}

/// How often requests are befallen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Rates from 0 to 1, together not above 1. At most one fault befalls a request.
    pub rates: Vec<(Fault, f64)>,
    /// How long a stall lasts.
    pub stall: Duration,
}

/// A proxy on loopback; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    client: reqwest::Client,
    upstream: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Faults,
    random: fastrand::Rng,
    counts: BTreeMap<Fault, u64>,
}

type Answer = Response<UnsyncBoxBody<Bytes, Broken>>;

/// Ends a connection in the middle of something.
#[derive(Debug, thiserror::Error)]
#[error("broken off on purpose, or by the server")]
struct Broken;

impl Proxy {
    /// Starts one without faults in front of a server, such as `https://127.0.0.1:9200`, that this client can ask. Which requests are
    /// befallen is drawn from `seed`.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn start(upstream: &str, client: reqwest::Client, seed: u64) -> Result<Self, Error> {
        let (listener, url) = crate::listen().await?;
        let state =
            State { faults: Faults::default(), random: fastrand::Rng::with_seed(seed), counts: BTreeMap::new() };
        let shared = Arc::new(Shared { client, upstream: upstream.to_owned(), state: Mutex::new(state) });
        let server = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self { url, shared, server })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes what befalls requests from now on.
    pub fn set(&self, faults: Faults) {
        self.shared.state().faults = faults;
    }

    /// How many requests each fault has befallen.
    pub fn counts(&self) -> BTreeMap<Fault, u64> {
        self.shared.state().counts.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What befalls the next request.
    fn draw(&self) -> Option<(Fault, Duration)> {
        let mut state = self.state();
        let mut drawn = state.random.f64();
        let fault = state.faults.rates.iter().find_map(|(fault, rate)| {
            drawn -= rate;
            (drawn < 0.0).then_some(*fault)
        })?;
        *state.counts.entry(fault).or_default() += 1;
        Some((fault, state.faults.stall))
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connect(stream, shared.clone()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn connect(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    // So that a connection that is given up is reset, as a firewall does it.
    let _ = stream.set_zero_linger();
    let service = service_fn(move |request| befall(request, shared.clone()));
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::spawn(async move {
        // What is broken off on purpose is no event here.
        let _ = connection.await;
    });
}

async fn befall(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Answer, Broken> {
    let drawn = shared.draw();
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let request = Asked { shared, head, body };
    let Some((fault, stall)) = drawn else { return request.pass().await.map(Passed::whole) };
    match fault {
        Fault::TooManyRequests => Ok(refused(StatusCode::TOO_MANY_REQUESTS, "es_rejected_execution_exception")),
        Fault::Unavailable => Ok(refused(StatusCode::SERVICE_UNAVAILABLE, "cluster_block_exception")),
        Fault::SomeRejected => request.pass_some().await,
        Fault::ResetBefore => Err(Broken),
        Fault::ResetAfter => request.pass().await.and(Err(Broken)),
        Fault::HalfAnswer => request.pass().await.map(Passed::half),
        Fault::Stalled => {
            let answer = request.pass().await?;
            tokio::time::sleep(stall).await;
            Ok(answer.whole())
        }
        Fault::Late => {
            // On its own, because this ends where the client goes.
            let late = tokio::spawn(async move {
                tokio::time::sleep(stall).await;
                request.pass().await
            });
            late.await.map_err(|_| Broken)?.map(Passed::whole)
        }
    }
}

fn refused(status: StatusCode, kind: &str) -> Answer {
    let body = json!({"error": {"type": kind, "reason": "on purpose"}, "status": status.as_u16()}).to_string();
    let mut answer = Response::new(Full::from(body).map_err(|never: Infallible| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}

/// A request, read to its end.
struct Asked {
    shared: Arc<Shared>,
    head: hyper::http::request::Parts,
    body: Bytes,
}

/// What the server has answered.
struct Passed {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    async fn pass(self) -> Result<Passed, Broken> {
        let path = self.head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = self.head.headers;
        // The answer is cut, so it comes as it is.
        for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, ACCEPT_ENCODING] {
            headers.remove(name);
        }
        let request = self.shared.client.request(self.head.method, format!("{}{path}", self.shared.upstream));
        let response = request.headers(headers).body(self.body).send().await.map_err(|_| Broken)?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        Ok(Passed { status, headers, body: response.bytes().await.map_err(|_| Broken)? })
    }

    /// Passes every other document of a bulk request on, and answers for the rest.
    async fn pass_some(mut self) -> Result<Answer, Broken> {
        if !self.head.uri.path().ends_with("/_bulk") {
            return self.pass().await.map(Passed::whole);
        }
        if self.head.headers.remove(CONTENT_ENCODING).is_some() {
            let mut plain = Vec::new();
            GzDecoder::new(&*self.body).read_to_end(&mut plain).map_err(|_| Broken)?;
            self.body = plain.into();
        }
        let lines: Vec<&[u8]> = self.body.split_inclusive(|byte| *byte == b'\n').collect();
        let mut kept = BytesMut::new();
        let mut rejected = Vec::new();
        for (number, pair) in lines.chunks(2).enumerate() {
            if number % 2 == 0 {
                kept.extend(pair.iter().flat_map(|line| line.iter()));
            } else {
                rejected.push(item(pair.first().copied().unwrap_or_default()));
            }
        }
        let count = lines.len() / 2;
        drop(lines);
        self.body = kept.freeze();
        let mut passed = self.pass().await?;
        let mut answer: Value = serde_json::from_slice(&passed.body).map_err(|_| Broken)?;
        if let (Some(items), false) = (answer.get_mut("items").and_then(Value::as_array_mut), rejected.is_empty()) {
            let (mut taken, mut rejected) = (std::mem::take(items).into_iter(), rejected.into_iter());
            let all = (0..count).filter_map(|number| if number % 2 == 0 { taken.next() } else { rejected.next() });
            *items = all.collect();
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("errors".to_owned(), true.into());
            }
        }
        passed.body = answer.to_string().into();
        Ok(passed.whole())
    }
}

/// What the server says of a document that it has no room for, from the line before the document.
fn item(line: &[u8]) -> Value {
    let mut item: Value = serde_json::from_slice(line).unwrap_or_default();
    if let Some(create) = item.get_mut("create").and_then(Value::as_object_mut) {
        let error = json!({"type": "es_rejected_execution_exception", "reason": "on purpose"});
        create.extend([("status".to_owned(), 429.into()), ("error".to_owned(), error)]);
    }
    item
}

impl Passed {
    fn whole(self) -> Answer {
        self.answer(|body| Full::from(body).map_err(|never: Infallible| match never {}).boxed_unsync())
    }

    fn half(self) -> Answer {
        let length = self.body.len();
        let mut answer = self.answer(|body| {
            let half = Ok(Frame::data(body.slice(..length / 2)));
            StreamBody::new(futures_util::stream::iter([half, Err(Broken)])).boxed_unsync()
        });
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
        answer
    }

    fn answer(self, body: impl FnOnce(Bytes) -> UnsyncBoxBody<Bytes, Broken>) -> Answer {
        let mut answer = Response::new(body(self.body));
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers;
        answer
    }
}
