//! A fake of Elasticsearch: data streams in memory, over plain sockets, because a proper HTTP library does not break off answers.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use defenderbeat_collector::output::Backoff;
use defenderbeat_collector::output::elasticsearch::ElasticsearchSettings;
use defenderbeat_collector::output::{Documents, Elasticsearch};
use defenderbeat_runtime::{Document, Part};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

pub(crate) const STREAM: &str = "logs-m365_defender.alert-default";

/// A request as it came, its body decompressed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Bytes of the body on the wire.
    pub(crate) length: usize,
}

impl Request {
    /// The documents of a bulk request: data stream, id, document.
    pub(crate) fn documents(&self) -> Vec<(String, String, String)> {
        let text = std::str::from_utf8(&self.body).unwrap();
        assert!(text.ends_with('\n'));
        let lines: Vec<&str> = text.lines().collect();
        let each = lines.chunks(2).map(|pair| {
            let action: Json = serde_json::from_str(pair[0]).unwrap();
            let field = |name: &str| action["create"][name].as_str().unwrap().to_owned();
            (field("_index"), field("_id"), pair[1].to_owned())
        });
        each.collect()
    }

    /// The ids of a bulk request; of another one none.
    pub(crate) fn bulk_ids(&self) -> Vec<String> {
        let documents = if self.is_bulk() { self.documents() } else { Vec::new() };
        documents.into_iter().map(|(_, id, _)| id).collect()
    }

    pub(crate) fn is_bulk(&self) -> bool {
        self.path.ends_with("/_bulk")
    }
}

/// What to do instead of a proper answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Status, further headers, body.
    Answer(u16, &'static str, String),
    /// The end of the connection before anything is done.
    HangUp,
    /// The end of the connection after everything is done.
    HangUpAfter,
    /// The proper answer, cut after so many bytes.
    CutAfter(usize),
    /// Everything is done, and no answer comes.
    Silence,
    /// The status of one item, by its place, with the type and reason of its error.
    Item(usize, u16, &'static str, &'static str),
    /// The proper answer, with its items changed.
    Changed(fn(&mut Vec<Json>)),
}

type Script = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// A backing index: its name, and its documents by id.
pub(crate) type Index = (String, BTreeMap<String, String>);

pub(crate) struct State {
    /// Backing indices by data stream, the one that is written to last.
    pub(crate) streams: BTreeMap<String, Vec<Index>>,
    pub(crate) requests: Vec<Request>,
    pub(crate) connections: usize,
    /// Parameters that this server does not know.
    pub(crate) unknown: Vec<&'static str>,
    script: Script,
}

impl State {
    /// Begins a new backing index, as a rollover does.
    pub(crate) fn roll_over(&mut self, stream: &str, day: &str) {
        let indices = self.streams.entry(stream.to_owned()).or_default();
        indices.push((format!(".ds-{stream}-{day}-{:06}", indices.len() + 1), BTreeMap::new()));
    }

    /// Ids of all documents, in all backing indices, sorted.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.streams.values().flatten().flat_map(|(_, ids)| ids.keys().cloned()).collect();
        ids.sort();
        ids
    }

    pub(crate) fn bulks(&self) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.is_bulk()).collect()
    }
}

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    pub(crate) async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            streams: BTreeMap::new(),
            requests: Vec::new(),
            connections: 0,
            unknown: Vec::new(),
            script: Box::new(|_| None),
        }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tls) = (shared.clone(), tls.clone());
                state.lock().unwrap().connections += 1;
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, state).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, state).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What to do with each request, first come.
    pub(crate) fn script(&self, script: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        self.state().script = Box::new(script);
    }

    /// Faults of the first bulk requests, one after the other.
    pub(crate) fn bulks(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut faults: Vec<Fault> = faults.into_iter().collect();
        self.script(move |request| (request.is_bulk() && !faults.is_empty()).then(|| faults.remove(0)));
    }

    pub(crate) fn settings(&self) -> ElasticsearchSettings {
        ElasticsearchSettings {
            hosts: vec![self.address.to_string()],
            timeout: Duration::from_secs(20),
            backoff: Backoff { init: Duration::from_millis(10), max: Duration::from_millis(100) },
            compression_level: 0,
            ..ElasticsearchSettings::default()
        }
    }

    pub(crate) fn output(&self) -> Elasticsearch {
        Elasticsearch::open(self.settings()).unwrap()
    }
}

/// Documents of one data stream with these ids.
pub(crate) fn documents(ids: impl IntoIterator<Item = u128>) -> Documents {
    let mut part = Part::default();
    let mut ndjson = Vec::new();
    for id in ids {
        let line = format!("{{\"message\":\"document {id} says \\\"}}{{\"}}\n");
        let length = line.len() as u32;
        part.documents.push(Document { payload: 0, length, route: 0, id, time: 0, position: 0 });
        ndjson.extend_from_slice(line.as_bytes());
    }
    part.ndjson = Bytes::from(ndjson);
    Documents { part, streams: Arc::from([STREAM.to_owned()]), sent_since: None }
}

pub(crate) fn hex(ids: impl IntoIterator<Item = u128>) -> Vec<String> {
    ids.into_iter().map(|id| format!("{id:032x}")).collect()
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream).await {
        let (answer, whole) = answer(request, &mut state.lock().unwrap());
        let Some(answer) = answer else {
            if whole {
                // Silence, until whoever asked has gone.
                let _ = stream.read(&mut [0]).await;
            }
            return;
        };
        if stream.write_all(&answer).await.is_err() || !whole {
            let _ = stream.flush().await;
            return;
        }
        let _ = stream.flush().await;
    }
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    Some(line.trim_end().to_owned())
}

async fn receive(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<Request> {
    let first = line(stream).await?;
    let mut words = first.split(' ');
    let method = words.next()?.to_owned();
    // A proxy is asked for whole addresses.
    let url = Url::parse("http://localhost").unwrap().join(words.next()?).unwrap();
    let mut headers = BTreeMap::new();
    loop {
        let header = line(stream).await?;
        let Some((name, value)) = header.split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
        loop {
            let length = usize::from_str_radix(&line(stream).await?, 16).unwrap();
            let mut chunk = vec![0; length];
            stream.read_exact(&mut chunk).await.ok()?;
            line(stream).await?;
            body.extend_from_slice(&chunk);
            if length == 0 {
                break;
            }
        }
    } else {
        body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.ok()?;
    }
    let length = body.len();
    if headers.get("content-encoding").is_some_and(|value| value == "gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    let query = url.query_pairs().into_owned().collect();
    Some(Request { method, path: url.path().to_owned(), query, headers, body, length })
}

/// What to send, and whether that is whole.
fn answer(request: Request, state: &mut State) -> (Option<Vec<u8>>, bool) {
    state.requests.push(request.clone());
    let fault = (state.script)(&request);
    match fault {
        Some(Fault::Answer(status, headers, body)) => return (Some(bytes(status, headers, &body)), true),
        Some(Fault::HangUp) => return (None, false),
        _ => {}
    }
    let (status, mut body) = act(&request, fault.as_ref(), state);
    match fault {
        Some(Fault::HangUpAfter) => (None, false),
        Some(Fault::Silence) => (None, true),
        Some(Fault::CutAfter(length)) => {
            let mut bytes = bytes(status, "", &body.to_string());
            bytes.truncate(bytes.len() - body.to_string().len() + length);
            (Some(bytes), false)
        }
        Some(Fault::Changed(change)) => {
            change(body["items"].as_array_mut().unwrap());
            (Some(bytes(status, "", &body.to_string())), true)
        }
        _ => (Some(bytes(status, "", &body.to_string())), true),
    }
}

fn bytes(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) fn error(status: u16, kind: &str, reason: &str) -> Json {
    json!({"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason}, "status": status})
}

/// Does what is asked for.
fn act(request: &Request, fault: Option<&Fault>, state: &mut State) -> (u16, Json) {
    let refuse = |status, kind: &str, reason: &str| (status, error(status, kind, reason));
    if let Some(name) = state.unknown.iter().find(|name| request.query.contains_key(**name)) {
        let reason = format!("request [{}] contains unrecognized parameter: [{name}]", request.path);
        return refuse(400, "illegal_argument_exception", &reason);
    }
    let segments: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    match segments[..] {
        [.., "_bulk"] => (200, bulk(request, fault, state)),
        [stream, "_field_caps"] => match state.streams.get(stream) {
            Some(indices) => (200, json!({"indices": indices.iter().map(|(name, _)| name).collect::<Vec<_>>()})),
            None => refuse(404, "index_not_found_exception", &format!("no such index [{stream}]")),
        },
        [index, "_mget"] => {
            let asked: Json = serde_json::from_slice(&request.body).unwrap();
            let held = state.streams.values().flatten().find(|(name, _)| name == index);
            let found = |id: &Json| held.is_some_and(|(_, ids)| ids.contains_key(id.as_str().unwrap()));
            let docs = asked["ids"].as_array().unwrap().iter().map(|id| json!({"_id": id, "found": found(id)}));
            (200, json!({"docs": docs.collect::<Vec<_>>()}))
        }
        _ => refuse(400, "illegal_argument_exception", &format!("no handler found for uri [{}]", request.path)),
    }
}

fn bulk(request: &Request, fault: Option<&Fault>, state: &mut State) -> Json {
    let mut items = Vec::new();
    for (at, (stream, id, document)) in request.documents().into_iter().enumerate() {
        if !state.streams.contains_key(&stream) {
            state.roll_over(&stream, "2026.11.24");
        }
        let (index, held) = state.streams.get_mut(&stream).unwrap().last_mut().unwrap();
        let mut item = json!({"_index": index, "_id": id, "status": 201});
        match fault {
            Some(Fault::Item(place, status, kind, reason)) if *place == at => {
                item["status"] = (*status).into();
                item["error"] = json!({"type": kind, "reason": reason});
                if *status < 300 {
                    item["failure_store"] = "used".into();
                    item["_index"] = format!(".fs-{stream}-2026.11.24-000001").into();
                }
            }
            _ if held.contains_key(&id) => {
                item["status"] = 409.into();
                let reason = format!("[{id}]: version conflict, document already exists (current version [1])");
                item["error"] = json!({"type": "version_conflict_engine_exception", "reason": reason});
            }
            _ => {
                held.insert(id, document);
            }
        }
        items.push(json!({ "create": item }));
    }
    json!({ "items": items })
}
