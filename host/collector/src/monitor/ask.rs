//! How another process of this machine is asked.

use std::time::Duration;

use serde_json::Value as Json;
use url::Url;

use super::TAP;
use crate::config::HttpOptions;
use crate::http::{Body, Client, HttpSettings};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than anybody looks.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// How much of an answer is read.
const ANSWER: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The options say that nobody can be asked.
    #[error(
        "http.enabled is false in this configuration: with true a running process can be asked (it takes a restart)"
    )]
    Disabled,
    /// Nobody answers.
    #[error("nobody answers at {url}: {source}; is the collector running, with this configuration?")]
    NoAnswer {
        /// Where.
        url: Url,
        /// The cause.
        source: Box<crate::http::Error>,
    },
    /// Somebody answers, but not as a collector does.
    #[error("{url} answers something else than a collector does: {message}")]
    Stranger {
        /// Where.
        url: Url,
        /// What is wrong with it.
        message: String,
    },
    /// The process does not want to.
    #[error("{0}")]
    Refused(String),
}

/// A running process, as the configuration says where it listens.
#[derive(Debug)]
pub struct Ask {
    client: Client,
    /// Waits as long as nothing comes.
    patient: Client,
    url: Url,
}

impl Ask {
    /// Prepares to ask; sends nothing.
    ///
    /// # Errors
    ///
    /// Nobody can be asked.
    pub fn new(options: &HttpOptions) -> Result<Self, AskError> {
        if !options.enabled {
            return Err(AskError::Disabled);
        }
        // One that listens everywhere listens on loopback too.
        let host = match options.address() {
            "0.0.0.0" => "127.0.0.1".to_owned(),
            "::" => "[::1]".to_owned(),
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let text = format!("http://{host}:{}", options.port);
        let refused = |message: String| AskError::Refused(format!("http.host {host}: {message}"));
        let url = Url::parse(&text).map_err(|error| refused(error.to_string()))?;
        let client = |timeout| {
            let settings = HttpSettings { timeout, proxy_disable: true, ..HttpSettings::default() };
            Client::new(&settings, &url).map_err(|error| refused(error.to_string()))
        };
        Ok(Self { client: client(TIMEOUT)?, patient: client(YEAR)?, url })
    }

    /// What `/stats` says.
    ///
    /// # Errors
    ///
    /// There is no such answer.
    pub async fn stats(&self) -> Result<Json, AskError> {
        let (_, text) = self.get("/stats").await?;
        let stats: Json = serde_json::from_slice(&text).map_err(|error| self.stranger(error.to_string()))?;
        if stats.pointer("/beat/info/name").is_none_or(|name| name != "defenderbeat") {
            return Err(self.stranger("it is no defenderbeat".to_owned()));
        }
        Ok(stats)
    }

    /// What `/readyz` says: nothing, or why it is not ready.
    ///
    /// # Errors
    ///
    /// There is no such answer.
    pub async fn reasons(&self) -> Result<Vec<String>, AskError> {
        let (status, text) = self.get("/readyz").await?;
        match status {
            200 => Ok(Vec::new()),
            503 => Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()),
            status => Err(self.stranger(format!("status {status}"))),
        }
    }

    /// Samples of what passes, as lines of JSON that come without an end; the time between them is not limited.
    ///
    /// # Errors
    ///
    /// The process does not give any.
    pub async fn tap(&self, input: Option<&str>) -> Result<Body, AskError> {
        let mut url = self.url.clone();
        url.set_path(TAP);
        if let Some(input) = input {
            url.query_pairs_mut().append_pair("input", input);
        }
        let body = send(&self.patient, url).await?;
        if body.status() == 200 {
            return Ok(body);
        }
        let text = body.read_up_to(ANSWER).await.unwrap_or_default();
        Err(AskError::Refused(String::from_utf8_lossy(&text).trim().to_owned()))
    }

    async fn get(&self, path: &str) -> Result<(u16, Vec<u8>), AskError> {
        let mut url = self.url.clone();
        url.set_path(path);
        let body = send(&self.client, url.clone()).await?;
        let status = body.status();
        let text =
            body.read_up_to(ANSWER).await.map_err(|source| AskError::NoAnswer { url, source: Box::new(source) })?;
        Ok((status, text))
    }

    fn stranger(&self, message: String) -> AskError {
        AskError::Stranger { url: self.url.clone(), message }
    }
}

async fn send(client: &Client, url: Url) -> Result<Body, AskError> {
    let request = reqwest::Request::new(reqwest::Method::GET, url.clone());
    let sent = client.execute(request).await;
    sent.map(Body::new).map_err(|source| AskError::NoAnswer { url, source: Box::new(source) })
}
