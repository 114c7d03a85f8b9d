//! Options that every source over HTTP shares.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, Secret};
use crate::config::{in_order, units};

/// How requests are sent.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// A proxy for all requests: `http://user:password@host:port`, `https://..` or `socks5://..`.
    pub proxy_url: Option<Secret>,
    /// Uses no proxy, not even one that the environment names.
    pub proxy_disable: bool,
    /// Certificates.
    pub ssl: SslSettings,
    /// How long to wait for a connection, and for the next bytes of an answer. Not a limit for a whole answer:
    /// a page of 200 MB may take its time as long as it moves.
    pub timeout: Duration,
    /// When to try again.
    pub retry: RetrySettings,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            proxy_url: None,
            proxy_disable: false,
            ssl: SslSettings::default(),
            timeout: Duration::from_secs(30),
            retry: RetrySettings::default(),
        }
    }
}

/// Whom to trust, and how to show who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct SslSettings {
    /// Authorities to trust instead of the system's: files, or PEM text itself. For a proxy that opens TLS, or a test
    /// tenant.
    pub certificate_authorities: Vec<String>,
    /// What is checked of the server's certificate.
    pub verification_mode: VerificationMode,
    /// The client's certificate, with those between it and its authority, for servers that ask for one: a file, or PEM text
    /// itself. It takes `ssl.key` too.
    pub certificate: Option<String>,
    /// The key of `ssl.certificate`, not encrypted: a file, or PEM text itself. Files of both are read again for each connection.
    pub key: Option<Secret>,
}

/// What is checked of a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(extend("x-aliases" = ["strict"]))]
pub enum VerificationMode {
    /// Chain and host name. `strict` means the same.
    #[default]
    #[serde(alias = "strict")]
    Full,
    /// The chain, not the host name.
    Certificate,
    /// Nothing: whoever sits in between reads the client's secret. For tests only.
    None,
}

/// How often and after which time a request is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct RetrySettings {
    /// Tries of one request, the first included. After the last the cycle ends, and the next one begins where it stood.
    #[schemars(range(min = 1))]
    pub max_attempts: u32,
    /// The wait after the first failure; it doubles with each further one.
    #[serde(with = "units::Time")]
    pub wait_min: Duration,
    /// The longest wait that is chosen here. A longer `Retry-After` of the server is heeded.
    #[serde(with = "units::Time")]
    pub wait_max: Duration,
}

impl RetrySettings {
    /// What can be told to be wrong without asking anybody.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.wait_min > self.wait_max {
            let message = "must not be longer than retry.wait_max".into();
            return Err(Error::Settings { option: "retry.wait_min", message });
        }
        Ok(())
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { max_attempts: 5, wait_min: Duration::from_secs(1), wait_max: Duration::from_secs(60) }
    }
}
