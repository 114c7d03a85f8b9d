//! A tenant that misbehaves on demand: a login server and a feed on loopback, over plain sockets, because a proper HTTP
//! library does not break off answers.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// One alert as far as paging sees it. Times are ticks.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) updated: u64,
    pub(crate) created: u64,
    pub(crate) severity: &'static str,
}

impl Alert {
    pub(crate) fn json(&self) -> String {
        let [updated, created] = [self.updated, self.created].map(timestamp);
        format!(
            r#"{{"id":"{}","lastUpdateDateTime":"{updated}","createdDateTime":"{created}","severity":"{}","title":"A \"]}},{{[\\"}}"#,
            self.id, self.severity
        )
    }
}

/// A request for records.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// 1, 2, 3 .. of the requests for records.
    pub(crate) number: usize,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// What to do instead of a proper answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Status, further headers, body.
    Answer(u16, &'static str, String),
    /// The proper answer, cut after so many bytes.
    CutAfter(usize),
    /// The proper answer compressed, and cut after so many bytes of that.
    CutGzipAfter(usize),
    /// Nothing but the end of the connection.
    HangUp,
    /// Nothing at all.
    Silence,
    /// The token is no longer good.
    ForgetToken,
}

type Script = Box<dyn FnMut(&Request, &mut Vec<Alert>) -> Option<Fault> + Send>;

pub(crate) struct State {
    pub(crate) alerts: Vec<Alert>,
    pub(crate) ordered: bool,
    pub(crate) gzip: bool,
    /// Adds links: with `$skiptoken`, or with `$skip`.
    pub(crate) links: Option<&'static str>,
    pub(crate) requests: Vec<Request>,
    pub(crate) tokens: usize,
    /// Answers of the login server instead of a token, in this order.
    pub(crate) refusals: Vec<(u16, String)>,
    /// Seconds that a token lives.
    pub(crate) expires_in: u32,
    /// By how many seconds the clock is behind.
    pub(crate) behind: u64,
    pub(crate) token_form: BTreeMap<String, String>,
    pub(crate) script: Script,
}

pub(crate) struct Tenant {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Tenant {
    pub(crate) async fn start(alerts: Vec<Alert>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            alerts,
            ordered: true,
            gzip: false,
            links: None,
            requests: Vec::new(),
            tokens: 0,
            refusals: Vec::new(),
            expires_in: 3599,
            behind: 0,
            token_form: BTreeMap::new(),
            script: Box::new(|_, _| None),
        }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone(), address));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn script(&self, script: impl FnMut(&Request, &mut Vec<Alert>) -> Option<Fault> + Send + 'static) {
        self.state().script = Box::new(script);
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>, address: SocketAddr) {
    let mut stream = BufReader::new(stream);
    while let Some((line, headers, body)) = receive(&mut stream).await {
        let path = line.split(' ').nth(1).unwrap_or_default();
        // A proxy is asked for whole addresses.
        let url = Url::parse(&format!("http://{address}")).unwrap().join(path).unwrap();
        let reply = if line.starts_with("POST") {
            token(&body, &mut state.lock().unwrap())
        } else {
            records(&url, headers, &mut state.lock().unwrap())
        };
        let Some((bytes, whole)) = reply else { return };
        if stream.write_all(&bytes).await.is_err() || !whole {
            return;
        }
    }
}

async fn receive(stream: &mut BufReader<TcpStream>) -> Option<(String, BTreeMap<String, String>, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((line, headers, body))
}

/// Bytes to send, and whether they are the whole answer.
type Reply = Option<(Vec<u8>, bool)>;

fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn token(body: &[u8], state: &mut State) -> Reply {
    state.token_form = url::form_urlencoded::parse(body).into_owned().collect();
    if !state.refusals.is_empty() {
        let (status, text) = state.refusals.remove(0);
        return Some((answer(status, "", text.as_bytes()), true));
    }
    state.tokens += 1;
    let text = format!(
        r#"{{"token_type":"Bearer","expires_in":{},"access_token":"token-{}"}}"#,
        state.expires_in, state.tokens
    );
    Some((answer(200, "", text.as_bytes()), true))
}

fn records(url: &Url, headers: BTreeMap<String, String>, state: &mut State) -> Reply {
    let number = state.requests.len() + 1;
    let query = url.query_pairs().into_owned().collect();
    let request = Request { number, path: url.path().to_owned(), query, headers };
    state.requests.push(request.clone());
    let fault = (state.script)(&request, &mut state.alerts);
    if matches!(fault, Some(Fault::ForgetToken)) {
        state.tokens += 1000;
    }
    if request.headers.get("authorization") != Some(&format!("Bearer token-{}", state.tokens)) {
        return Some((
            answer(401, "", br#"{"error":{"code":"InvalidAuthenticationToken","message":"expired"}}"#),
            true,
        ));
    }
    let refuse = |message: &str| {
        let text =
            format!(r#"{{"error":{{"code":"BadRequest","message":"{message}","innerError":{{"request-id":"r-1"}}}}}}"#);
        Some((answer(400, "", text.as_bytes()), true))
    };
    let skip: usize = request.query.get("$skip").map_or(0, |skip| skip.parse().unwrap());
    if let Some(Fault::Answer(status, headers, body)) = fault {
        return Some((answer(status, headers, body.as_bytes()), true));
    } else if matches!(fault, Some(Fault::HangUp)) {
        return None;
    } else if matches!(fault, Some(Fault::Silence)) {
        return Some((Vec::new(), true));
    } else if request.query.contains_key("$orderby") && !state.ordered {
        return refuse("The query specified in the URI is not valid: $orderby");
    } else if skip > 500 {
        return refuse("The limit of '500' for Skip query has been exceeded");
    }
    let body = page(url, &request, skip, state);
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    match fault {
        Some(Fault::CutAfter(length)) => {
            let head = answer(200, "", &body).len() - body.len();
            Some((answer(200, "", &body)[..head + length.min(body.len() - 1)].to_vec(), false))
        }
        // Whole as far as HTTP goes.
        Some(Fault::CutGzipAfter(length)) => {
            Some((answer(200, "Content-Encoding: gzip\r\n", &gzip(&body)[..length.min(gzip(&body).len() - 9)]), true))
        }
        _ if state.behind > 0 => {
            let date = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(state.behind));
            Some((answer(200, &format!("Date: {date}\r\n"), &body), true))
        }
        _ if state.gzip => Some((answer(200, "Content-Encoding: gzip\r\n", &gzip(&body)), true)),
        _ => Some((answer(200, "Content-Type: application/json\r\n", &body), true)),
    }
}

fn page(url: &Url, request: &Request, skip: usize, state: &State) -> Vec<u8> {
    let terms = request.query.get("$filter").map_or(Vec::new(), |filter| parse(filter));
    let mut alerts: Vec<&Alert> = state.alerts.iter().filter(|alert| holds(&terms, alert)).collect();
    if request.query.contains_key("$orderby") {
        alerts.sort_by_key(|alert| alert.updated);
    } else {
        alerts.sort_by_key(|alert| std::cmp::Reverse(alert.created));
    }
    let top: usize = request.query.get("$top").map_or(usize::MAX, |top| top.parse().unwrap());
    let passed = skip + request.query.get("$skiptoken").map_or(0, |token| token.parse::<usize>().unwrap());
    let page: Vec<String> = alerts.iter().skip(passed).take(top).map(|alert| alert.json()).collect();
    let mut link = String::new();
    if let Some(name) = state.links.filter(|_| passed + page.len() < alerts.len()) {
        let mut next = url.clone();
        let pairs = request.query.iter().filter(|(key, _)| *key != name);
        next.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, &(passed + page.len()).to_string());
        link = format!(r#","@odata.nextLink":{}"#, serde_json::to_string(next.as_str()).unwrap());
    }
    format!(r#"{{"@odata.context":"x[{{","value":[{}]{link}}}"#, page.join(",\n")).into_bytes()
}

/// Property, operator, value of each term.
fn parse(filter: &str) -> Vec<[&str; 3]> {
    filter.split(" and ").map(|term| term.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap()).collect()
}

fn holds(terms: &[[&str; 3]], alert: &Alert) -> bool {
    terms.iter().all(|[property, operator, value]| {
        let value = value.trim_matches('\'');
        let order = match *property {
            "lastUpdateDateTime" => alert.updated.cmp(&ticks(value)),
            "createdDateTime" => alert.created.cmp(&ticks(value)),
            "severity" => alert.severity.cmp(value),
            "status" => "new".cmp(value),
            "serviceSource" => "microsoftSentinel".cmp(value),
            _ => panic!("{property}"),
        };
        match *operator {
            "ge" => order.is_ge(),
            "lt" => order.is_lt(),
            "eq" => order.is_eq(),
            "ne" => order.is_ne(),
            _ => panic!("{operator}"),
        }
    })
}

pub(crate) fn timestamp(ticks: u64) -> String {
    let time = chrono::DateTime::from_timestamp((ticks / 10_000_000) as i64, 0).unwrap();
    format!("{}.{:07}Z", time.format("%Y-%m-%dT%H:%M:%S"), ticks % 10_000_000)
}

pub(crate) fn ticks(text: &str) -> u64 {
    let time = chrono::DateTime::parse_from_rfc3339(text).unwrap();
    time.timestamp() as u64 * 10_000_000 + u64::from(time.timestamp_subsec_nanos() / 100)
}
