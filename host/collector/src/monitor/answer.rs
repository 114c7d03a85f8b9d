//! What is answered to what.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::TAP;
use super::tap::Taps;
use crate::metrics::Registry;

/// A call of a component has a deadline of 10 seconds, and a batch is mapped in 257 calls at most: a worker that has given no
/// sign of life for longer is stuck.
const STUCK: Duration = Duration::from_secs(3000);

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What there is to tell.
pub(super) struct Answers {
    pub(super) registry: Arc<Registry>,
    /// Where documents may be tapped.
    pub(super) taps: Option<Arc<Taps>>,
    pub(super) is_loopback: bool,
}

impl Answers {
    /// The answer to a request.
    pub(super) fn answer<B>(&self, request: &Request<B>, peer: SocketAddr) -> Response<Body> {
        if self.is_loopback && !names_us(request) {
            let message = "the Host header names neither this machine nor an address\n";
            return text(StatusCode::FORBIDDEN, message);
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/" => json_of(&self.info()),
            "/stats" => json_of(&self.registry.stats()),
            "/metrics" => {
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                answer(StatusCode::OK, kind, self.registry.text())
            }
            "/livez" => self.live(),
            "/readyz" => verdict(&self.registry.reasons()),
            TAP => self.tap(request, peer),
            _ => text(StatusCode::NOT_FOUND, "there are /metrics, /stats, /livez, /readyz and /tap\n"),
        }
    }

    /// As Beats answer to `/`.
    fn info(&self) -> serde_json::Value {
        let stats = self.registry.stats();
        let info = |name| stats.pointer("/beat/info").and_then(|info| info.get(name));
        json!({ "beat": info("name"), "version": info("version"), "ephemeral_id": info("ephemeral_id") })
    }

    fn live(&self) -> Response<Body> {
        let inputs = self.registry.inputs();
        let stuck = inputs.iter().filter_map(|(id, input)| {
            let longest = input.metrics.calls.longest().filter(|longest| *longest > STUCK)?;
            Some(format!("a worker of input {id} has been at one delivery for {}s", longest.as_secs()))
        });
        verdict(&stuck.collect::<Vec<_>>())
    }

    fn tap<B>(&self, request: &Request<B>, peer: SocketAddr) -> Response<Body> {
        let Some(taps) = self.taps.as_ref().filter(|_| peer.ip().to_canonical().is_loopback()) else {
            return text(StatusCode::FORBIDDEN, "tapping is off: http.tap.enabled: true allows it, on loopback only\n");
        };
        let query = request.uri().query().unwrap_or_default();
        let input = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "input");
        let input = input.map(|(_, id)| id.into_owned());
        let inputs = self.registry.inputs();
        if let Some(unknown) = input.as_ref().filter(|id| !inputs.contains_key(*id)) {
            let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
            let message = format!("there is no input {unknown}; there are: {}\n", known.join(", "));
            return text(StatusCode::NOT_FOUND, message);
        }
        if request.method() == Method::HEAD {
            return text(StatusCode::OK, "");
        }
        with_body(StatusCode::OK, HeaderValue::from_static("application/x-ndjson"), taps.open(input).boxed_unsync())
    }
}

/// Whether a request is for this machine. A name other than `localhost` may be one that a foreign page had lead here.
fn names_us<B>(request: &Request<B>) -> bool {
    let Some(host) = request.headers().get(HOST) else { return true };
    let Ok(host) = host.to_str().unwrap_or_default().parse::<hyper::http::uri::Authority>() else { return false };
    let host = host.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

/// 200 where there is nothing to say against it.
fn verdict(reasons: &[String]) -> Response<Body> {
    if reasons.is_empty() {
        return text(StatusCode::OK, "ok\n");
    }
    text(StatusCode::SERVICE_UNAVAILABLE, reasons.iter().map(|reason| format!("{reason}\n")).collect::<String>())
}

fn json_of(json: &serde_json::Value) -> Response<Body> {
    answer(StatusCode::OK, HeaderValue::from_static("application/json"), format!("{json}\n"))
}

fn text(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    answer(status, HeaderValue::from_static("text/plain; charset=utf-8"), text.into())
}

fn answer(status: StatusCode, kind: HeaderValue, text: String) -> Response<Body> {
    with_body(status, kind, Full::new(Bytes::from(text)).boxed_unsync())
}

fn with_body(status: StatusCode, kind: HeaderValue, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
