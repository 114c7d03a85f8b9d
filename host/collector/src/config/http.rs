//! The options `http`: what a running process tells of itself.

use schemars::JsonSchema;
use serde::Deserialize;

use super::schema::in_order;

/// What a running process tells of itself over HTTP: metrics under `/metrics` (Prometheus) and `/stats` (JSON), whether it
/// is alive under `/livez`, and whether it does what it should under `/readyz`. `defenderbeat status` asks there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct HttpOptions {
    /// Whether it does.
    pub enabled: bool,

    /// The address to listen on: a name or an IP address of this machine. On loopback, as `localhost` is, only this machine can
    /// ask. Anywhere else everybody can who reaches the port: there is neither TLS nor a password, so that is for a network
    /// that others are kept out of, such as that of a pod.
    #[schemars(length(min = 1))]
    pub host: String,

    /// The port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,

    /// What `defenderbeat tap` may show.
    #[schemars(description = "")]
    pub tap: TapOptions,
}

/// Options of `defenderbeat tap`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct TapOptions {
    /// Lets `defenderbeat tap` show samples of documents and of rejected records as they pass. Every user of this machine can
    /// ask then, and they may be confidential: turn it on for as long as it takes. On loopback only.
    pub enabled: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { enabled: false, host: "localhost".into(), port: 5066, tap: TapOptions::default() }
    }
}

impl HttpOptions {
    /// Where to listen; `localhost` without asking anybody, because it must be loopback whatever a resolver says.
    pub(crate) fn address(&self) -> &str {
        if self.host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { &self.host }
    }

    /// Whether it is on loopback for certain.
    pub(crate) fn is_loopback(&self) -> bool {
        self.address().parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// What is wrong with options together: the option, and what to do.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.tap.enabled && !self.is_loopback() {
            return Err((
                "http.tap.enabled",
                "shows documents to everybody who reaches http.host; it is for http.host: localhost only",
            ));
        }
        Ok(())
    }
}
