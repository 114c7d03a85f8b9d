//! Options of `output.elasticsearch`, named as in Beats where they have them.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::config::{in_order, units};
use crate::http::{Error, HttpSettings, RetrySettings, Secret, SslSettings, check_secure};
use crate::output::Backoff;

/// The name that stands for no ingest pipeline.
pub(super) const NO_PIPELINE: &str = "_none";

/// The port of a host that names none, whatever its scheme, as in Beats.
const PORT: u16 = 9200;

/// Sends documents to Elasticsearch, into data streams `logs-<dataset>-<namespace>`. A document counts as delivered when
/// Elasticsearch says that it has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct ElasticsearchSettings {
    /// The nodes: `https://host:9200`, with a path where a proxy wants one. Without a scheme it is http, without a port 9200. They
    /// are asked in turn; one that fails rests for a while.
    #[schemars(length(min = 1), example = &["https://localhost:9200"])]
    pub hosts: Vec<String>,

    /// An API key, as `id:key` or in the encoded form. Better not written here: `${API_KEY}` takes it from the keystore or the environment,
    /// `file:/run/secrets/api_key` from a file. It takes the privileges `auto_configure`, `create_doc` and `read` on
    /// `logs-m365_defender.*`.
    pub api_key: Option<Secret>,

    /// A user, instead of an API key.
    pub username: Option<String>,

    /// The user's password.
    pub password: Option<Secret>,

    /// Further headers of all requests, such as those that a proxy asks for.
    pub headers: BTreeMap<String, Secret>,

    /// The ingest pipeline that documents pass. `_none`: none, not even one that a template of Elastic's package names, which
    /// would map the documents once more. One that chooses another index or id for documents keeps them from being found when they
    /// are looked up.
    #[schemars(length(min = 1))]
    pub pipeline: String,

    /// Documents of one request at most.
    #[schemars(range(min = 1, max = 100_000))]
    pub bulk_max_size: usize,

    /// Bytes of the documents of one request at most, before compression. A larger document goes alone. Elasticsearch takes up
    /// to `http.max_content_length`, 100MiB; proxies often less.
    #[serde(with = "units::Bytes")]
    pub bulk_max_bytes: usize,

    /// Requests under way at a time, for each host. More of them are of use where the way to Elasticsearch is long; each takes
    /// `bulk_max_bytes` of memory.
    #[schemars(range(min = 1, max = 256))]
    pub worker: usize,

    /// How much requests are compressed: 0 not at all, 1 fastest, 9 best. 0 saves time where the network is fast.
    #[schemars(range(min = 0, max = 9))]
    pub compression_level: u32,

    /// How long to wait for an answer, the request's own way included. Elasticsearch is told to wait two thirds of it for what it
    /// needs, such as a shard. After that the connection is closed, and as much time again is let pass before the documents
    /// are looked up and sent again: Elasticsearch may still be at work on them.
    #[serde(with = "units::Time")]
    pub timeout: Duration,

    /// When documents that were not taken are sent again, and how long a host that failed rests.
    pub backoff: Backoff,

    /// A proxy for all requests: `http://user:password@host:port`, `https://..` or `socks5://..`. As secret as
    /// `password`. Without it the environment's HTTPS_PROXY, HTTP_PROXY and NO_PROXY apply.
    pub proxy_url: Option<Secret>,

    /// Uses no proxy, not even one that the environment names.
    pub proxy_disable: bool,

    /// Whom to trust, and how to show who asks.
    pub ssl: SslSettings,
}

impl Default for ElasticsearchSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            api_key: None,
            username: None,
            password: None,
            headers: BTreeMap::new(),
            pipeline: NO_PIPELINE.into(),
            bulk_max_size: 1600,
            bulk_max_bytes: 8 << 20,
            worker: 1,
            compression_level: 1,
            timeout: Duration::from_secs(90),
            backoff: Backoff::default(),
            proxy_url: None,
            proxy_disable: false,
            ssl: SslSettings::default(),
        }
    }
}

impl ElasticsearchSettings {
    /// What can be told to be wrong without asking anybody.
    ///
    /// # Errors
    ///
    /// The option at fault, without the part before its own name.
    pub fn check(&self) -> Result<(), Error> {
        self.addresses()?;
        self.headers()?;
        let wrong = |option, message: &str| Err(Error::Settings { option, message: message.into() });
        if self.timeout.is_zero() {
            return wrong("timeout", "must be longer than 0");
        }
        self.backoff.check()
    }

    /// The nodes' addresses.
    pub(super) fn addresses(&self) -> Result<Vec<Url>, Error> {
        self.hosts.iter().map(|host| self.address(host)).collect()
    }

    fn address(&self, host: &str) -> Result<Url, Error> {
        let text = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        let wrong = |message: String| Error::Settings { option: "hosts", message };
        let mut url = Url::parse(&text)
            .map_err(|error| wrong(format!("must be addresses such as https://localhost:9200: {error}")))?;
        if self.has_credentials() || url.scheme() != "http" {
            check_secure("hosts", &url)?;
        } else {
            let mut secure = url.clone();
            // Known to be possible: http and https are of a kind.
            let _ = secure.set_scheme("https");
            check_secure("hosts", &secure)?;
        }
        let authority = text.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let has_port =
            authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        if !has_port && url.set_port(Some(PORT)).is_err() {
            return Err(wrong("must be addresses such as https://localhost:9200".into()));
        }
        Ok(url)
    }

    fn has_credentials(&self) -> bool {
        let authorised = self.headers.keys().any(|name| name.eq_ignore_ascii_case(AUTHORIZATION.as_str()));
        self.api_key.is_some() || self.username.is_some() || authorised
    }

    /// Headers of all requests, those that say who asks included.
    pub(super) fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let wrong =
                || Error::Settings { option: "headers", message: format!("must not have {name:?} with this value") };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(&value.expose()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if let Some(text) = self.authorization()? {
            let message = "must be in the form of an HTTP header";
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| Error::Settings { option: "api_key", message: message.into() })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    fn authorization(&self) -> Result<Option<String>, Error> {
        let wrong = |option, message: &str| Err(Error::Settings { option, message: message.into() });
        match (&self.api_key, &self.username, &self.password) {
            (None, None, None) => Ok(None),
            (Some(key), None, None) if key.expose().contains(':') => {
                Ok(Some(format!("ApiKey {}", BASE64_STANDARD.encode(key.expose().as_bytes()))))
            }
            (Some(key), None, None) => match BASE64_STANDARD.decode(key.expose().as_bytes()) {
                Ok(decoded) if decoded.contains(&b':') => Ok(Some(format!("ApiKey {}", key.expose().as_str()))),
                _ => wrong("api_key", "must be `id:key`, or the encoded form that Kibana shows"),
            },
            (Some(_), _, _) => wrong("api_key", "and username exclude each other: take one away"),
            (None, Some(user), _) if user.contains(':') => wrong("username", "must not have a colon"),
            (None, Some(user), Some(password)) => {
                let pair = format!("{user}:{}", password.expose().as_str());
                Ok(Some(format!("Basic {}", BASE64_STANDARD.encode(pair))))
            }
            (None, Some(_), None) => wrong("password", "is missing"),
            (None, None, Some(_)) => wrong("username", "is missing"),
        }
    }

    /// How requests are sent.
    pub(super) fn http(&self) -> HttpSettings {
        HttpSettings {
            proxy_url: self.proxy_url.clone(),
            proxy_disable: self.proxy_disable,
            ssl: self.ssl.clone(),
            timeout: self.timeout,
            retry: self.retry(),
        }
    }

    /// When what was not taken is sent again: without end.
    pub(super) fn retry(&self) -> RetrySettings {
        self.backoff.retry()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut ElasticsearchSettings)) -> ElasticsearchSettings {
        let mut settings = ElasticsearchSettings { hosts: vec!["localhost".into()], ..Default::default() };
        change(&mut settings);
        settings
    }

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::new(text))
    }

    #[test]
    fn hosts_are_filled_in_as_beats_do() {
        for (host, url) in [
            ("localhost", "http://localhost:9200/"),
            ("localhost:9201", "http://localhost:9201/"),
            ("[::1]", "http://[::1]:9200/"),
            ("https://es.example.com", "https://es.example.com:9200/"),
            ("https://es.example.com:443/elastic", "https://es.example.com/elastic"),
            ("http://es.example.com/elastic/", "http://es.example.com:9200/elastic/"),
        ] {
            let settings = with(|settings| settings.hosts = vec![host.into()]);
            assert_eq!(settings.addresses().unwrap(), [Url::parse(url).unwrap()], "{host}");
        }
        for host in ["ftp://localhost", "http://user:hunter2@localhost", "https://localhost/?a=b", "http://", "a b"] {
            let error = with(|settings| settings.hosts = vec![host.into()]).check().unwrap_err().to_string();
            assert!(error.starts_with("option hosts must") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn credentials_travel_over_https_or_loopback_only() {
        for (host, accepted) in [("es.example.com", false), ("https://es.example.com", true), ("127.0.0.1", true)] {
            let mut settings = with(|settings| settings.hosts = vec![host.into()]);
            assert!(settings.check().is_ok(), "{host} without credentials");
            settings.api_key = secret("id:key");
            assert_eq!(settings.check().is_ok(), accepted, "{host} with a key");
            settings.api_key = None;
            settings.headers.insert("authorization".into(), Secret::new("Bearer token"));
            assert_eq!(settings.check().is_ok(), accepted, "{host} with a header");
        }
    }

    #[test]
    fn keys_and_passwords_become_headers_that_nothing_shows() {
        let header = |settings: ElasticsearchSettings| settings.headers().unwrap()[AUTHORIZATION].clone();
        let plain = header(with(|settings| settings.api_key = secret("id:key")));
        let encoded = header(with(|settings| settings.api_key = secret("aWQ6a2V5")));
        assert_eq!((&plain, plain.to_str().unwrap()), (&encoded, "ApiKey aWQ6a2V5"));
        let basic = header(with(|settings| {
            settings.username = Some("writer".into());
            settings.password = secret("pa:ss");
        }));
        assert_eq!(basic.to_str().unwrap(), "Basic d3JpdGVyOnBhOnNz");
        assert!(plain.is_sensitive() && basic.is_sensitive());
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_name() {
        let refused = |change: fn(&mut ElasticsearchSettings)| with(change).check().unwrap_err().to_string();
        for (error, expected) in [
            (refused(|settings| settings.api_key = secret("nonsense")), "option api_key must be `id:key`"),
            (refused(|settings| settings.username = Some("a".into())), "option password is missing"),
            (refused(|settings| settings.password = secret("a")), "option username is missing"),
            (refused(|settings| settings.timeout = Duration::ZERO), "option timeout must be longer"),
            (refused(|settings| settings.backoff.init = Duration::from_secs(61)), "option backoff.init must not"),
            (
                refused(|settings| {
                    settings.api_key = secret("a:b");
                    settings.username = Some("a".into());
                }),
                "option api_key and username exclude",
            ),
            (
                refused(|settings| {
                    settings.headers.insert("a b".into(), Secret::new("c"));
                }),
                "option headers must not have",
            ),
        ] {
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
