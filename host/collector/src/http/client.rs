//! Connections: proxy, TLS, timeouts, compression.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Proxy, redirect};
use url::{Host, Url};

use super::{Error, HttpSettings, Secret, error, tls};

/// Schemes of proxies.
const PROXIES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// How long to wait for a connection at most: a server that is there answers sooner, and another one may be free meanwhile.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends requests. Cheap to clone; clones share connections.
///
/// Follows no redirect by itself and talks HTTP/1.1 only: a poller has one request under way, which leaves
/// nothing to multiplex.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
}

impl Client {
    /// Prepares connections to `target`.
    ///
    /// Without `proxy_url` and `proxy_disable` the environment's HTTPS_PROXY, HTTP_PROXY and NO_PROXY apply, except for a target on
    /// loopback, which no proxy could reach.
    pub fn new(settings: &HttpSettings, target: &Url) -> Result<Self, Error> {
        Self::build(settings, target, true)
    }

    /// As [`new`](Self::new), but bodies are left as they are sent, for files that say of themselves how they are compressed:
    /// what decompresses an answer on its way stops after the first member of gzip.
    pub fn undecoded(settings: &HttpSettings, target: &Url) -> Result<Self, Error> {
        Self::build(settings, target, false)
    }

    fn build(settings: &HttpSettings, target: &Url, decode: bool) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .gzip(decode)
            .user_agent(concat!("defenderbeat/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .http1_only()
            // Well before a whole request is given up, so that it is known not to have been sent.
            .connect_timeout((settings.timeout / 2).min(CONNECT_TIMEOUT))
            .read_timeout(settings.timeout)
            .tls_backend_preconfigured(tls::config(&settings.ssl)?);
        if settings.proxy_disable {
            builder = builder.no_proxy();
        } else if let Some(proxy) = &settings.proxy_url {
            builder = builder.proxy(self::proxy(proxy)?);
        } else if is_loopback(target) {
            builder = builder.no_proxy();
        }
        let inner = builder.build().map_err(|error| Error::Client { message: error::chain(&error) })?;
        Ok(Self { inner })
    }

    /// The connections themselves, for requests that are not retried here.
    pub(crate) fn inner(&self) -> &reqwest::Client {
        &self.inner
    }

    /// Sends one request once.
    pub(crate) async fn execute(&self, request: reqwest::Request) -> Result<reqwest::Response, Error> {
        let host = origin(request.url());
        self.inner.execute(request).await.map_err(|error| Error::connection(host, &error))
    }
}

/// The proxy that the secret names at the time of each connection.
fn proxy(secret: &Secret) -> Result<Proxy, Error> {
    // The address may hold a password, so no cause that repeats it is kept.
    let address = |text: &str| Url::parse(text).ok().filter(|url| PROXIES.contains(&url.scheme()) && url.has_host());
    let known = address(&secret.expose()).ok_or_else(|| Error::Settings {
        option: "proxy_url",
        message: "is not a proxy's address such as http://proxy.example.com:3128".into(),
    })?;
    let last = Mutex::new(known);
    let direct = ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    // Only asked whether a target is among those without a proxy; which proxy it would be does not matter.
    let direct = Matcher::builder().all("http://localhost").no(direct).build();
    let secret = secret.clone();
    Ok(Proxy::custom(move |target| {
        direct.intercept(&target.as_str().parse().ok()?)?;
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match address(&secret.expose()) {
            Some(now) => *last = now,
            None => tracing::warn!("the file of proxy_url has no proxy's address; the one before it is used"),
        }
        Some(last.clone())
    }))
}

/// Reads an address that an option holds and that secrets may be sent to.
pub(crate) fn address(option: &'static str, text: &str) -> Result<Url, Error> {
    let url =
        Url::parse(text).map_err(|error| Error::Settings { option, message: format!("is no address: {error}") })?;
    check_secure(option, &url)?;
    Ok(url)
}

/// Refuses an address that would send a secret in the clear: only https, or anything on loopback.
pub fn check_secure(option: &'static str, url: &Url) -> Result<(), Error> {
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        let message = "must hold neither credentials nor a query".into();
        return Err(Error::Settings { option, message });
    }
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    let message = match (url.host().is_some() && !url.cannot_be_a_base(), secure) {
        (true, true) => return Ok(()),
        (true, false) => "must be https: secrets do not travel in the clear (http is accepted on loopback only)",
        (false, _) => "must be an address such as https://graph.microsoft.com",
    };
    Err(Error::Settings { option, message: message.into() })
}

/// Whether an address is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Whether a host that is written as text is this machine.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Scheme, host and port as text; neither path nor query, which may say more than a log should.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_travel_over_https_or_loopback_only() {
        for (url, accepted) in [
            ("https://graph.microsoft.com", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost", true),
            ("http://graph.microsoft.com", false),
            ("http://localhost.example.com", false),
            ("ftp://127.0.0.1", false),
            ("mailto:someone@example.com", false),
            ("https://user:password@graph.microsoft.com", false),
            ("https://graph.microsoft.com/?a=b", false),
        ] {
            assert_eq!(check_secure("url", &Url::parse(url).unwrap()).is_ok(), accepted, "{url}");
        }
    }
}
