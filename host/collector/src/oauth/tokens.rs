//! Tokens that are reused until shortly before they expire.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Response};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answer::{Grant, OUT_OF_TIME, Refusal, advice, date};
use super::identity::{Credentials, Identity};
use super::managed::NO_MACHINE;
use super::{application, managed};
use crate::http::{Answer, Body, Client, Error, HttpSettings, Retry, RetrySettings, is_transient, origin, read_answer};

/// A token is renewed this long before it expires, or when nine tenths of its life are over.
const MARGIN: Duration = Duration::from_secs(120);
/// How long after a renewal that failed the next one is tried, while the token is good.
const AGAIN: Duration = Duration::from_secs(10);
/// Tokens are a few KB; an answer longer than this is none.
const ANSWER: usize = 1 << 20;
/// How often a request is made again at once: for a file that has changed, and for the clock.
const AT_ONCE: u32 = 2;
/// A difference of clocks, in seconds, by which no assertion is refused.
const CLOCK: i64 = 30;

/// A bearer token. Its debug output shows nothing of it.
#[derive(Clone)]
pub struct Token(Arc<HeaderValue>);

impl Token {
    /// The value of the `Authorization` header, marked as sensitive.
    pub fn header(&self) -> HeaderValue {
        (*self.0).clone()
    }

    /// The token by itself, for a library that makes its own header.
    pub(crate) fn bearer(&self) -> &str {
        self.0.to_str().ok().and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The tokens of one identity for one API.
///
/// A token is asked for once and reused until shortly before it expires, or until it does where no new one can be had; whoever
/// needs one meanwhile waits for the same request. Neither secret nor token reaches a log or an error.
pub struct Tokens {
    client: Client,
    identity: Identity,
    requests: Requests,
    retry: RetrySettings,
    /// By how many seconds the login server's clock is ahead of ours, where that made a difference.
    ahead: AtomicI64,
    current: Mutex<Option<Current>>,
}

struct Current {
    token: Token,
    renew_at: Instant,
    expires_at: Instant,
}

enum Requests {
    Application(application::Requests),
    Managed(managed::Requests),
}

/// Why one request gave no token, and what is next.
struct Failure(Error, Next);

enum Next {
    Never,
    AtOnce,
    /// After the wait that is wished for, where one is.
    Later(Option<Duration>),
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Prepares requests; none is sent yet. `client` is for the login server; a managed identity is asked for without a proxy, as the
    /// machine itself answers.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub fn new(client: Client, settings: &HttpSettings, credentials: &Credentials) -> Result<Self, Error> {
        let Credentials { identity, scopes, endpoint_params } = credentials;
        let (client, requests) = match identity {
            Identity::Application(application) => {
                let requests = application::Requests::new(application, scopes, endpoint_params)?;
                (client, Requests::Application(requests))
            }
            Identity::Managed(managed) => {
                if !endpoint_params.is_empty() {
                    let message = "are for login servers, and a managed identity has none".into();
                    return Err(Error::Settings { option: "endpoint_params", message });
                }
                let requests = managed::Requests::new(managed, scopes)?;
                let direct = HttpSettings { proxy_url: None, proxy_disable: true, ..settings.clone() };
                (Client::new(&direct, &requests.url)?, Requests::Managed(requests))
            }
        };
        Ok(Self {
            client,
            identity: identity.clone(),
            requests,
            retry: settings.retry.clone(),
            ahead: AtomicI64::new(0),
            current: Mutex::default(),
        })
    }

    /// Whose tokens they are.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The current token, or a new one. Only one request is under way at a time.
    pub async fn token(&self) -> Result<Token, Error> {
        Ok(self.token_for().await?.0)
    }

    /// As [`token`](Self::token), with the time after which it is renewed.
    pub(crate) async fn token_for(&self) -> Result<(Token, Duration), Error> {
        let mut current = self.current.lock().await;
        let now = Instant::now();
        if let Some(Current { token, renew_at, .. }) = &*current
            && now < *renew_at
        {
            return Ok((token.clone(), *renew_at - now));
        }
        // Nobody is kept waiting while the old one is good.
        let is_good = current.as_ref().is_some_and(|current| now < current.expires_at);
        let attempts = if is_good { 1 } else { self.retry.max_attempts };
        let asked = self.request(&RetrySettings { max_attempts: attempts, ..self.retry.clone() }).await;
        let now = Instant::now();
        let renewed = match (asked, current.take()) {
            (Ok((token, lifetime)), _) => {
                let renew_at = now + lifetime - MARGIN.min(lifetime / 10);
                Current { token, renew_at, expires_at: now + lifetime }
            }
            (Err(error), Some(old)) if now < old.expires_at => {
                tracing::warn!(%error, "the token cannot be renewed yet; it is used until it expires");
                Current { renew_at: old.expires_at.min(now + AGAIN), ..old }
            }
            (Err(error), _) => return Err(error),
        };
        let Current { token, renew_at, .. } = current.insert(renewed);
        Ok((token.clone(), *renew_at - now))
    }

    /// Forgets a token that was refused, unless it was replaced already.
    pub async fn forget(&self, refused: &Token) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(&current.token.0, &refused.0)) {
            *current = None;
        }
    }

    /// A new token and how long it is good.
    async fn request(&self, retry: &RetrySettings) -> Result<(Token, Duration), Error> {
        let (mut retry, mut at_once) = (Retry::new(retry), 0);
        loop {
            let asked = match &self.requests {
                Requests::Application(requests) => self.ask_login(requests).await,
                Requests::Managed(requests) => self.ask_machine(requests).await,
            };
            let Failure(error, next) = match asked {
                Ok(granted) => return Ok(granted),
                Err(failure) => failure,
            };
            let wait = match next {
                Next::AtOnce if at_once < AT_ONCE => {
                    at_once += 1;
                    Some(Duration::ZERO)
                }
                Next::Later(wished) => retry.failed(wished),
                Next::AtOnce | Next::Never => None,
            };
            let Some(wait) = wait else { return Err(error) };
            tracing::debug!(wait_ms = wait.as_millis() as u64, %error, "token is asked for again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn ask_login(&self, requests: &application::Requests) -> Result<(Token, Duration), Failure> {
        let form = requests.form(self.servers_time()).await.map_err(|message| {
            Failure(self.error("identity", message, "; it is read for each token"), Next::Later(None))
        })?;
        let mut request = Request::new(Method::POST, requests.url.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        *request.body_mut() = Some(form.text.expose().to_string().into());
        let response = self.client.execute(request).await.map_err(|error| Failure(error, Next::Later(None)))?;
        if response.status().is_success() {
            return self.grant(response).await;
        }
        let theirs = date(&response);
        let (answer, error) = self.refusal(response, "; check login_url and proxy_url").await;
        let next = if is_transient(answer.status) {
            Next::Later(answer.retry_after)
        } else if error.code() == OUT_OF_TIME && form.signed && self.takes_time_of(theirs) || requests.changed(&form) {
            Next::AtOnce
        } else {
            Next::Never
        };
        Err(Failure(error, next))
    }

    async fn ask_machine(&self, requests: &managed::Requests) -> Result<(Token, Duration), Failure> {
        let response = requests.ask(&self.client).await.map_err(|error| Failure(error, Next::Later(None)))?;
        if response.status().is_success() {
            return self.grant(response).await;
        }
        let (answer, error) = self.refusal(response, NO_MACHINE).await;
        let next = match requests.passes(answer.status, self.retry.wait_max) {
            (true, wished) => Next::Later(answer.retry_after.or(wished)),
            (false, _) => Next::Never,
        };
        Err(Failure(error, next))
    }

    /// When it is by the login server's clock, as far as that is known.
    fn servers_time(&self) -> SystemTime {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let (now, by) = (SystemTime::now(), Duration::from_secs(ahead.unsigned_abs()));
        if ahead < 0 { now - by } else { now + by }
    }

    /// Goes by the login server's clock from now on; false where it was not the clock.
    fn takes_time_of(&self, theirs: Option<SystemTime>) -> bool {
        let Some(theirs) = theirs else { return false };
        let seconds = |time: SystemTime, since| time.duration_since(since).map_or(0, |time| time.as_secs() as i64);
        let ours = SystemTime::now();
        let ahead = seconds(theirs, ours) - seconds(ours, theirs);
        if (ahead - self.ahead.load(Ordering::Relaxed)).abs() < CLOCK {
            return false;
        }
        self.ahead.store(ahead, Ordering::Relaxed);
        let host = self.host();
        tracing::warn!(
            host,
            seconds = ahead,
            "the login server's clock is ahead of this machine's by so many seconds; assertions are dated by the login server's: set the clock of this machine"
        );
        true
    }

    async fn grant(&self, response: Response) -> Result<(Token, Duration), Failure> {
        // The text of the answer is in no message: it may hold the token.
        let unusable = || {
            let message = "the answer holds no usable access_token".into();
            Failure(self.error("unusable", message, "; check login_url and proxy_url"), Next::Never)
        };
        let now = date(&response).unwrap_or_else(SystemTime::now);
        let text = Body::new(response).read_up_to(ANSWER).await.map_err(|error| Failure(error, Next::Later(None)))?;
        let grant: Grant = serde_json::from_slice(&text).map_err(|_| unusable())?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", grant.access_token)).map_err(|_| unusable())?;
        if grant.access_token.is_empty() {
            return Err(unusable());
        }
        header.set_sensitive(true);
        Ok((Token(Arc::new(header)), grant.lifetime(now)))
    }

    async fn refusal(&self, response: Response, otherwise: &'static str) -> (Answer, Error) {
        let (answer, text) = read_answer(response).await;
        let error = match serde_json::from_slice::<Refusal>(&text) {
            Ok(refusal) => {
                let (code, message) = refusal.told();
                let advice = advice(&code, &self.identity);
                self.error(&code, message, advice)
            }
            Err(_) => {
                let message = format!("it answered {} {}", answer.status, answer.message);
                self.error(&answer.status.to_string(), message, otherwise)
            }
        };
        (answer, error)
    }

    fn host(&self) -> String {
        origin(match &self.requests {
            Requests::Application(requests) => &requests.url,
            Requests::Managed(requests) => &requests.url,
        })
    }

    fn error(&self, code: &str, message: String, advice: &'static str) -> Error {
        let identity = self.identity.to_string();
        Error::Token { identity, host: self.host(), code: code.to_owned(), message, advice }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::super::identity::{Application, Proof};
    use super::*;
    use crate::http::Secret;

    #[tokio::test]
    async fn a_token_that_cannot_be_renewed_is_used_until_it_expires() {
        // Nothing listens at port 9, which is for what is to be thrown away.
        let login_url = Url::parse("http://127.0.0.1:9").unwrap();
        let retry = RetrySettings { max_attempts: 1, ..RetrySettings::default() };
        let http = HttpSettings { retry, ..HttpSettings::default() };
        let credentials = Credentials {
            identity: Identity::Application(Application {
                tenant_id: "contoso".into(),
                client_id: "app".into(),
                login_url: login_url.clone(),
                proof: Proof::Secret(Secret::new("s3cret")),
            }),
            scopes: vec!["https://storage.azure.com/.default".into()],
            endpoint_params: Default::default(),
        };
        let tokens = Tokens::new(Client::new(&http, &login_url).unwrap(), &http, &credentials).unwrap();
        let (now, hour) = (Instant::now(), Duration::from_secs(3600));
        let token = Token(Arc::new(HeaderValue::from_static("Bearer old")));
        *tokens.current.lock().await = Some(Current { token, renew_at: now, expires_at: now + hour });
        let (token, rest) = tokens.token_for().await.unwrap();
        assert!(token.bearer() == "old" && !rest.is_zero() && rest <= AGAIN, "it is asked again soon: {rest:?}");
        for current in tokens.current.lock().await.iter_mut() {
            (current.renew_at, current.expires_at) = (now, now);
        }
        let error = tokens.token().await.unwrap_err();
        assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
    }
}
