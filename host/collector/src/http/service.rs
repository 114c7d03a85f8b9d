//! One API: where it is, how it is authorised, how often it is asked again.

use std::sync::Arc;
use std::time::SystemTime;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Request};
use serde::Deserialize;
use url::Url;

use super::{Answer, Body, Client, Error, HttpSettings, Retry, RetrySettings, client, retry};
use crate::metrics::Metrics;
use crate::oauth::{Credentials, Identity, Token, Tokens};

/// Redirects followed in a row, all of them within the service's own origin.
const REDIRECTS: u32 = 5;
/// How much of an error's text is read.
const ERROR_TEXT: usize = 64 << 10;

/// An API that is asked with a token.
#[derive(Debug)]
pub struct Service {
    client: Client,
    base: Url,
    tokens: Tokens,
    retry: RetrySettings,
    /// The permission that the application needs, named when the API answers 403.
    permission: &'static str,
    metrics: Arc<Metrics>,
}

impl Service {
    /// An API below `base`, asked with tokens for `credentials`. `permission` is what its application needs. Nothing is sent.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub fn new(
        settings: HttpSettings,
        base: Url,
        credentials: &Credentials,
        permission: &'static str,
    ) -> Result<Self, Error> {
        let client = Client::new(&settings, &base)?;
        let tokens = Tokens::new(client.clone(), &settings, credentials)?;
        Ok(Self { client, base, tokens, retry: settings.retry, permission, metrics: Arc::default() })
    }

    /// Counts in metrics that somebody reads.
    #[must_use]
    pub(crate) fn counting(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// The address of `path` below the base.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// Reads a link that the API gave: absolute or relative, within the configured origin or refused.
    pub fn link(&self, what: &'static str, from: &Url, link: &str) -> Result<Url, Error> {
        let foreign = |found: String| Error::Foreign { what, expected: client::origin(&self.base), found };
        let url = from.join(link).map_err(|_| foreign("no valid address".into()))?;
        if url.origin() != self.base.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(foreign(client::origin(&url)));
        }
        Ok(url)
    }

    /// Asks until there is an answer worth having: a 2xx with its body still to come.
    ///
    /// Whatever fails after that (a body that breaks off) is the caller's to repeat, because the caller knows how
    /// much of it counts.
    pub async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Body, Error> {
        self.get_within(u32::MAX, url, headers).await
    }

    /// As [`get`](Self::get), but with no more tries than these of what may be too much for the server.
    pub async fn get_within(&self, tries: u32, url: &Url, headers: &HeaderMap) -> Result<Body, Error> {
        let mut url = self.link("an address", url, url.as_str())?;
        let mut retry = Retry::new(&self.retry);
        let (mut redirects, mut renewed, mut overloads) = (0, false, 0);
        loop {
            let token = self.tokens.token().await.map_err(Error::of_login)?;
            let error = match self.client.execute(request(&url, headers, &token)?).await {
                Ok(response) if response.status().is_success() => return Ok(Body::new(response)),
                Ok(response) if response.status().is_redirection() && response.headers().contains_key(LOCATION) => {
                    redirects += 1;
                    if redirects > REDIRECTS {
                        return Err(Error::Redirects { host: client::origin(&self.base), limit: REDIRECTS });
                    }
                    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                    url = self.link("a redirect", &url, location.unwrap_or_default())?;
                    continue;
                }
                Ok(response) if response.status() == 401 && !renewed => {
                    // Revoked, or expired sooner than promised: a new token decides.
                    renewed = true;
                    self.tokens.forget(&token).await;
                    continue;
                }
                Ok(response) => {
                    let (mut answer, _) = read_answer(response).await;
                    answer.advice = self.advice(&answer);
                    Error::Refused { answer: Box::new(answer) }
                }
                Err(error) => error,
            };
            let throttled = error.status() == Some(429);
            self.metrics.throttled.add(u64::from(throttled));
            if !error.is_transient() {
                return Err(error);
            }
            overloads += u32::from(error.is_overload());
            if overloads >= tries {
                return Err(error);
            }
            let wished = match &error {
                Error::Refused { answer } => answer.retry_after,
                _ => None,
            };
            let Some(wait) = retry.failed(wished) else { return Err(error) };
            tracing::debug!(host = %client::origin(&url), wait_ms = wait.as_millis() as u64, %error, "request is tried again");
            tokio::time::sleep(wait).await;
            if throttled {
                self.metrics.throttled_time.add(wait);
            }
        }
    }

    /// What an operator can do about a refusal.
    fn advice(&self, answer: &Answer) -> String {
        match answer.status {
            401 => "a new token was refused too: check tenant_id, and that scopes and login_url belong to the same cloud as url".into(),
            403 => {
                let how = match self.tokens.identity() {
                    Identity::Application(_) => "add it as an application permission and have an administrator consent to it",
                    Identity::Managed(_) => "assign it to the identity as an app role",
                };
                format!("{} lacks the permission {}: {how}", self.tokens.identity(), self.permission)
            }
            404 => "nothing is there: check url".into(),
            407 => "the proxy wants credentials: put them into proxy_url".into(),
            _ => String::new(),
        }
    }
}

fn request(url: &Url, headers: &HeaderMap, token: &Token) -> Result<Request, Error> {
    let mut request = Request::new(Method::GET, url.clone());
    request.headers_mut().extend(headers.clone());
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(AUTHORIZATION, token.header());
    Ok(request)
}

/// Reads why a request was refused, and gives the text too. One that cannot be read leaves what the status says.
pub(crate) async fn read_answer(response: reqwest::Response) -> (Answer, Vec<u8>) {
    let body = Body::new(response);
    let response = body.response();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut answer = Answer {
        host: body.host(),
        status: response.status().as_u16(),
        code: String::new(),
        message: response.status().canonical_reason().unwrap_or_default().to_owned(),
        request_id: header("request-id").to_owned(),
        retry_after: retry::retry_after(header(RETRY_AFTER.as_str()), SystemTime::now()),
        advice: String::new(),
    };
    let text = body.read_up_to(ERROR_TEXT).await.unwrap_or_default();
    if let Ok(Reply { error }) = serde_json::from_slice::<Reply>(&text) {
        answer.code = error.code;
        if !error.message.is_empty() {
            answer.message = error.message;
        }
        let inner = error.inner.unwrap_or_default();
        for id in [inner.request_id, error.target] {
            if answer.request_id.is_empty() {
                answer.request_id = id.unwrap_or_default();
            }
        }
    }
    (answer, text)
}

/// The error body of Graph and of the Defender API.
#[derive(Deserialize)]
struct Reply {
    error: ReplyError,
}

#[derive(Deserialize)]
struct ReplyError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    /// Graph spells it both ways.
    #[serde(default, rename = "innerError", alias = "innererror")]
    inner: Option<InnerError>,
    /// The Defender API's correlation id.
    #[serde(default)]
    target: Option<String>,
}

#[derive(Default, Deserialize)]
struct InnerError {
    #[serde(default, rename = "request-id")]
    request_id: Option<String>,
}
