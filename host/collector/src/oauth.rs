//! Tokens by OAuth client credentials, as Microsoft Entra gives them.
//!
//! A token is asked for once and reused until shortly before it expires; whoever needs one meanwhile waits for the
//! same request. Neither secret nor token reaches a log or an error.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::http::{Body, Client, Error, Retry, RetrySettings, Secret, check_secure, is_transient, read_answer};

/// A token is renewed this long before it expires, or when nine tenths of its life are over.
const MARGIN: Duration = Duration::from_secs(120);
/// Tokens are a few KB; an answer longer than this is none.
const ANSWER: usize = 1 << 20;

/// Who asks for a token, and for what.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Directory (tenant) id, or one of its domains.
    pub tenant_id: String,
    /// Application (client) id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: Secret,
    /// The login server, such as `https://login.microsoftonline.com`.
    pub login_url: Url,
    /// What the token is for, such as `https://graph.microsoft.com/.default`.
    pub scopes: Vec<String>,
    /// Further form fields of the request. `grant_type` may be replaced, the other fields may not.
    pub endpoint_params: BTreeMap<String, Vec<String>>,
}

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

/// The tokens of one application for one API.
pub struct Tokens {
    client: Client,
    url: Url,
    tenant: String,
    form: Secret,
    retry: RetrySettings,
    current: Mutex<Option<(Token, Instant)>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Prepares requests to `<login_url>/<tenant_id>/oauth2/v2.0/token`; none is sent yet.
    pub fn new(client: Client, credentials: &Credentials, retry: RetrySettings) -> Result<Self, Error> {
        check_secure("login_url", &credentials.login_url)?;
        for (option, value) in [
            ("tenant_id", credentials.tenant_id.as_str()),
            ("client_id", &credentials.client_id),
            ("client_secret", credentials.client_secret.expose()),
        ] {
            if value.trim().is_empty() {
                return Err(Error::Settings { option, message: "must not be empty".into() });
            }
        }
        let mut url = credentials.login_url.clone();
        match url.path_segments_mut() {
            Ok(mut path) => _ = path.pop_if_empty().push(&credentials.tenant_id).extend(["oauth2", "v2.0", "token"]),
            Err(()) => return Err(Error::Settings { option: "login_url", message: "has no path".into() }),
        }
        Ok(Self {
            client,
            url,
            tenant: credentials.tenant_id.clone(),
            form: form(credentials)?,
            retry,
            current: Mutex::default(),
        })
    }

    /// The current token, or a new one. Only one request is under way at a time.
    pub async fn token(&self) -> Result<Token, Error> {
        Ok(self.token_for().await?.0)
    }

    /// As [`token`](Self::token), with the time after which it is renewed.
    pub(crate) async fn token_for(&self) -> Result<(Token, Duration), Error> {
        let mut current = self.current.lock().await;
        let now = Instant::now();
        if let Some((token, renew_at)) = &*current
            && now < *renew_at
        {
            return Ok((token.clone(), *renew_at - now));
        }
        let (token, lifetime) = self.request().await?;
        let rest = lifetime - MARGIN.min(lifetime / 10);
        *current = Some((token.clone(), Instant::now() + rest));
        Ok((token, rest))
    }

    /// Forgets a token that was refused, unless it was replaced already.
    pub async fn forget(&self, refused: &Token) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|(token, _)| Arc::ptr_eq(&token.0, &refused.0)) {
            *current = None;
        }
    }

    async fn request(&self) -> Result<(Token, Duration), Error> {
        let mut retry = Retry::new(&self.retry);
        loop {
            let mut request = Request::new(Method::POST, self.url.clone());
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            *request.body_mut() = Some(self.form.expose().to_owned().into());
            let (error, wished) = match self.client.execute(request).await {
                Ok(response) if response.status().is_success() => {
                    match Body::new(response).read_up_to(ANSWER).await.map(|text| self.grant(&text)) {
                        Ok(grant) => return grant,
                        Err(error) => (error, None),
                    }
                }
                Ok(response) => {
                    let (answer, text) = read_answer(response).await;
                    let error = self.refusal(answer.status, &text, &answer.message);
                    if !is_transient(answer.status) {
                        return Err(error);
                    }
                    (error, answer.retry_after)
                }
                Err(error) => (error, None),
            };
            let Some(wait) = retry.failed(wished) else { return Err(error) };
            tracing::debug!(wait_ms = wait.as_millis() as u64, %error, "token is asked for again");
            tokio::time::sleep(wait).await;
        }
    }

    fn grant(&self, text: &[u8]) -> Result<(Token, Duration), Error> {
        // The text of the answer is in no message: it may hold the token.
        let unusable = || {
            self.error("unusable", "the answer holds no usable access_token".into(), "; check login_url and proxy_url")
        };
        let grant: Grant = serde_json::from_slice(text).map_err(|_| unusable())?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", grant.access_token)).map_err(|_| unusable())?;
        if grant.access_token.is_empty() {
            return Err(unusable());
        }
        header.set_sensitive(true);
        Ok((Token(Arc::new(header)), Duration::from_secs(grant.expires_in.seconds())))
    }

    fn refusal(&self, status: u16, text: &[u8], reason: &str) -> Error {
        let Ok(refusal) = serde_json::from_slice::<Refusal>(text) else {
            return self.error(
                &status.to_string(),
                format!("it answered {status} {reason}"),
                "; check login_url and proxy_url",
            );
        };
        // The description has trace ids and times on further lines.
        let description = refusal.error_description.lines().next().unwrap_or_default();
        let code = refusal.error_codes.first().map_or(refusal.error, |number| format!("AADSTS{number}"));
        let message = if description.is_empty() { code.clone() } else { description.to_owned() };
        self.error(&code, message, advice(&code))
    }

    fn error(&self, code: &str, message: String, advice: &'static str) -> Error {
        let host = self.url.origin().ascii_serialization();
        Error::Token { tenant: self.tenant.clone(), host, code: code.to_owned(), message, advice }
    }
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    #[serde(default)]
    expires_in: Lifetime,
}

/// Seconds; the older endpoint gives them as text.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Lifetime {
    Number(u64),
    Text(String),
    #[default]
    Absent,
}

impl Lifetime {
    fn seconds(&self) -> u64 {
        let seconds = match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => text.parse().ok(),
            Self::Absent => None,
        };
        // What OAuth calls recommended; five minutes is the shortest life that Entra gives.
        seconds.unwrap_or(300).min(86_400)
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

/// The request's form, encoded once.
fn form(credentials: &Credentials) -> Result<Secret, Error> {
    let mut fields: Vec<(&str, String)> = vec![
        ("client_id", credentials.client_id.clone()),
        ("client_secret", credentials.client_secret.expose().to_owned()),
        ("scope", credentials.scopes.join(" ")),
    ];
    if !credentials.endpoint_params.contains_key("grant_type") {
        fields.push(("grant_type", "client_credentials".into()));
    }
    for (name, values) in &credentials.endpoint_params {
        if matches!(name.as_str(), "client_id" | "client_secret" | "scope") {
            let message = format!("must not hold {name}, which has an option of its own");
            return Err(Error::Settings { option: "endpoint_params", message });
        }
        fields.extend(values.iter().map(|value| (name.as_str(), value.clone())));
    }
    Ok(Secret::new(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()))
}

/// What to do about an error of the login server.
/// Numbers: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn advice(code: &str) -> &'static str {
    match code {
        "AADSTS7000215" => "; client_secret is wrong: it is the secret's value, not its id",
        "AADSTS7000222" => "; client_secret has expired: create a new one for the application",
        "AADSTS700016" => "; client_id is not known in this tenant: check client_id and tenant_id",
        "AADSTS90002" | "AADSTS900023" | "AADSTS900021" => {
            "; tenant_id is wrong, or login_url belongs to another cloud"
        }
        "AADSTS900382" | "AADSTS900439" => "; the tenant belongs to another cloud: check login_url, url and scopes",
        "AADSTS70011" | "AADSTS1002012" => "; scopes must be one API's root followed by /.default",
        "AADSTS500011" | "AADSTS500014" => "; the API is not available in this tenant: check scopes and url",
        "AADSTS7000112" => "; the application is disabled: enable it in Entra",
        "AADSTS53003" => "; a conditional access policy blocks the application",
        _ => "; check tenant_id, client_id, client_secret and login_url",
    }
}
