//! A login server, an API and a storage on one address, over plain sockets, because a proper HTTP library does not break
//! off answers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A request, but for tokens.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) token: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    body: Vec<u8>,
    /// The body is said to be compressed on its way.
    encoded: bool,
    /// Only so many bytes of the body are sent.
    cut: Option<usize>,
}

impl Reply {
    /// A page of records, and where the list goes on.
    pub(crate) fn page(records: &[String], link: Option<&str>) -> Self {
        let link = link.map(|link| format!(r#","@odata.nextLink":"{link}""#)).unwrap_or_default();
        Self::text(format!(r#"{{"@odata.context":"x","value":[{}]{link}}}"#, records.join(",")))
    }

    pub(crate) fn text(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into(), encoded: false, cut: None }
    }

    /// A list of files.
    pub(crate) fn files(addresses: &[String]) -> Self {
        Self::text(serde_json::json!({ "exportFiles": addresses, "generatedTime": "2026-11-24T08:00:00Z" }).to_string())
    }

    pub(crate) fn refusal(status: u16) -> Self {
        let body = br#"{"error":{"code":"Refused","message":"no","target":"1"}}"#.to_vec();
        Self { status, body, encoded: false, cut: None }
    }

    /// Says `Content-Encoding: gzip`.
    pub(crate) fn encoded(mut self) -> Self {
        self.encoded = true;
        self
    }

    /// Breaks off after so many bytes of the body.
    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }
}

/// Lines as a file of one gzip member.
pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

type Script = Box<dyn FnMut(&Request, usize) -> Reply + Send>;

struct State {
    requests: Vec<Request>,
    script: Script,
}

/// The server.
pub(crate) struct Api {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Api {
    /// Answers as the script says, which is told how often the path was asked for before.
    pub(crate) async fn start(script: impl FnMut(&Request, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { requests: Vec::new(), script: Box::new(script) }));
        let (shared, base) = (state.clone(), Url::parse(&url).unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(BufReader::new(stream), shared.clone(), base.clone()));
            }
        });
        Self { url, state }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }
}

async fn serve(mut stream: BufReader<TcpStream>, state: Arc<Mutex<State>>, base: Url) {
    while let Some((line, token)) = receive(&mut stream).await {
        let url = base.join(line.split(' ').nth(1).unwrap()).unwrap();
        let reply = if line.starts_with("POST") {
            Reply::text(r#"{"token_type":"Bearer","expires_in":3599,"access_token":"token"}"#)
        } else {
            let request =
                Request { path: url.path().to_owned(), query: url.query_pairs().into_owned().collect(), token };
            let mut state = state.lock().unwrap();
            let before = state.requests.iter().filter(|other| other.path == request.path).count();
            state.requests.push(request.clone());
            (state.script)(&request, before)
        };
        let Reply { status, body, encoded, cut } = reply;
        let encoding = if encoded { "Content-Encoding: gzip\r\n" } else { "" };
        let head = format!("HTTP/1.1 {status} x\r\n{encoding}Content-Length: {}\r\n\r\n", body.len());
        let body = &body[..cut.unwrap_or(body.len())];
        if stream.write_all(&[head.as_bytes(), body].concat()).await.is_err() || cut.is_some() {
            return;
        }
    }
}

/// The first line of a request, and whether it had a token.
async fn receive(stream: &mut BufReader<TcpStream>) -> Option<(String, bool)> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    let (mut token, mut length) = (false, 0);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        token |= name.eq_ignore_ascii_case("authorization");
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some((line, token))
}
