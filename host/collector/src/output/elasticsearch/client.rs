//! Requests to Elasticsearch, to whichever node answers.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Body, Method, Request};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::http::{self, Answer, retry_after};

use super::error::advice;
use super::hosts::{Host, Hosts};
use super::{ElasticsearchSettings, Error};

/// How much of an answer is read: more than the one to the largest request that can be configured.
const ANSWER: usize = 256 << 20;
/// How much of a refusal's words is shown.
const WORDS: usize = 2_000;

/// Sends requests with the credentials of the settings.
///
/// A node that does not answer rests, and a request that was not sent goes to the next one. Nothing is sent again that may
/// have been taken.
#[derive(Debug)]
pub struct Client {
    hosts: Hosts,
    settings: ElasticsearchSettings,
    /// Those of the last request.
    headers: Mutex<HeaderMap>,
    timeout: std::time::Duration,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// Scheme, host and port of who answered.
    pub host: String,
    /// The HTTP status.
    pub status: u16,
    /// How long the server asks to wait.
    pub retry_after: Option<std::time::Duration>,
    /// The text.
    pub body: Vec<u8>,
}

/// A body of a request, which may have to be made more than once.
pub(super) struct Content<'a> {
    pub(super) kind: &'static str,
    pub(super) encoding: Option<&'static str>,
    pub(super) body: &'a (dyn Fn() -> Body + Sync),
}

impl Client {
    /// Prepares connections; opens none.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub fn new(settings: &ElasticsearchSettings) -> Result<Self, Error> {
        settings.check().map_err(Error::Settings)?;
        let hosts = Hosts::new(settings).map_err(Error::Settings)?;
        let headers = Mutex::new(settings.headers().map_err(Error::Settings)?);
        Ok(Self { hosts, settings: settings.clone(), headers, timeout: settings.timeout })
    }

    /// How many nodes there are.
    pub(super) fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// Asks for `path`, which may have a query, with a body of JSON or none. The answer may be a refusal.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn call(&self, method: Method, path: &str, json: Option<&Json>) -> Result<Reply, Error> {
        let Some(json) = json else { return self.send(method, path, None).await };
        let text = Bytes::from(json.to_string());
        let body = || Body::from(text.clone());
        self.send(method, path, Some(Content { kind: "application/json", encoding: None, body: &body })).await
    }

    /// Sends a request to the first node that takes it.
    pub(super) async fn send(&self, method: Method, path: &str, content: Option<Content<'_>>) -> Result<Reply, Error> {
        let mut candidates = self.hosts.candidates().into_iter();
        loop {
            // There is at least one: settings without hosts are refused.
            let Some(host) = candidates.next() else {
                let message = "must not be empty".into();
                return Err(Error::Settings(http::Error::Settings { option: "hosts", message }));
            };
            let result = self.ask(host, method.clone(), path, content.as_ref()).await;
            match &result {
                Ok(reply) if matches!(reply.status, 502..=504) => self.hosts.failed(host, &reply.refusal()),
                Ok(_) => self.hosts.answered(host),
                Err(error) => self.hosts.failed(host, error),
            }
            match result {
                Err(Error::NoAnswer { sent: false, .. }) if candidates.len() > 0 => {}
                result => return result,
            }
        }
    }

    async fn ask(
        &self,
        host: &Host,
        method: Method,
        path: &str,
        content: Option<&Content<'_>>,
    ) -> Result<Reply, Error> {
        let headers = self.headers();
        let reply = self.ask_as(&headers, host, method.clone(), path, content).await?;
        if reply.status == 401 {
            // Another secret may have been put in the place of the one that is refused.
            let now = self.headers();
            if now != headers {
                return self.ask_as(&now, host, method, path, content).await;
            }
        }
        Ok(reply)
    }

    /// Headers with the secrets of now; where these are of no use, those of before.
    fn headers(&self) -> HeaderMap {
        let mut last = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        match self.settings.headers() {
            Ok(headers) => *last = headers,
            Err(error) => tracing::warn!(%error, "a secret in a file cannot be used; the one before it is"),
        }
        last.clone()
    }

    async fn ask_as(
        &self,
        headers: &HeaderMap,
        host: &Host,
        method: Method,
        path: &str,
        content: Option<&Content<'_>>,
    ) -> Result<Reply, Error> {
        let mut request = Request::new(method, host.url(path));
        *request.timeout_mut() = Some(self.timeout);
        request.headers_mut().extend(headers.clone());
        if let Some(Content { kind, encoding, body }) = content {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            if let Some(encoding) = encoding {
                request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            *request.body_mut() = Some(body());
        }
        let name = host.name();
        let timeout = |error: &reqwest::Error| Some(self.timeout).filter(|_| error.is_timeout());
        let mut response = host.client().execute(request).await.map_err(|error| {
            let sent = !error.is_connect();
            let timeout = timeout(&error).filter(|_| sent);
            Error::NoAnswer { source: Box::new(http::Error::connection(name.clone(), &error)), sent, timeout }
        })?;
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        // None at all is no wish: the backoff counts then.
        let retry_after = header.and_then(|value| retry_after(value, SystemTime::now())).filter(|wait| !wait.is_zero());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| {
            let timeout = timeout(&error);
            let source = Box::new(http::Error::broken(name.clone(), body.len() as u64, &error));
            Error::NoAnswer { source, sent: true, timeout }
        })? {
            if body.len() + chunk.len() > ANSWER {
                return Err(Error::Mismatch { host: name, what: format!("it is longer than {ANSWER} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { host: name, status, retry_after, body })
    }
}

impl Reply {
    /// Whether the status is a 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The text as JSON of a form.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::Mismatch { host: self.host.clone(), what: error.to_string() })
    }

    /// Why the server refuses, in its own words where it has some.
    pub fn refusal(&self) -> Answer {
        let (code, message) = match serde_json::from_slice::<Refusal>(&self.body) {
            Ok(Refusal { error: Reason::Object { kind, reason } }) => (kind, reason.unwrap_or_default()),
            Ok(Refusal { error: Reason::Text(text) }) => (String::new(), text),
            Err(_) => {
                let status = reqwest::StatusCode::from_u16(self.status).ok();
                let words = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
                (String::new(), words.to_owned())
            }
        };
        Answer {
            host: self.host.clone(),
            status: self.status,
            code,
            message: message.chars().take(WORDS).collect(),
            request_id: String::new(),
            retry_after: self.retry_after,
            advice: advice(self.status).to_owned(),
        }
    }

    /// The refusal as an error.
    pub(super) fn refused(&self) -> Error {
        Error::Refused(Box::new(self.refusal()))
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: Reason,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reason {
    Object {
        #[serde(rename = "type", default)]
        kind: String,
        reason: Option<String>,
    },
    Text(String),
}
