//! Options of a Graph source, named as in Elastic's m365_defender integration where it has them.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::feed::Feed;
use crate::config::{in_order, units};
use crate::http::{Error, HttpSettings, RetrySettings, Secret, SslSettings, address};
use crate::oauth::{AuthSettings, Credentials, Identity, IdentityType, LOGIN, Short};

/// Where a tenant's records are and how often they are asked for.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct GraphSettings {
    /// Directory (tenant) id, or one of its domains. It, `client_id` and `client_secret` are the short form of `auth.type:
    /// client_secret`; where `auth` is written, they may stand there, and are required as its type wants them.
    #[schemars(length(min = 1), example = &"${TENANT_ID}")]
    pub tenant_id: String,

    /// Application (client) id of the app registration.
    #[schemars(length(min = 1), example = &"${CLIENT_ID}")]
    pub client_id: String,

    /// The application's secret. Better not written here: `${CLIENT_SECRET}` takes it from the keystore or the environment,
    /// `file:/run/secrets/client_secret` from a file.
    #[schemars(length(min = 1), example = &"${CLIENT_SECRET}")]
    pub client_secret: Secret,

    /// Another identity than an application with a secret, or the same written in full.
    pub auth: AuthSettings,

    /// The login server. Sovereign clouds have their own, such as `https://login.microsoftonline.us`.
    #[schemars(length(min = 1))]
    pub login_url: String,

    /// The root of Microsoft Graph. Sovereign clouds have their own, such as `https://graph.microsoft.us`.
    #[schemars(length(min = 1))]
    pub url: String,

    /// What the token is for. Empty: `<url>/.default`, which is all that the application was granted.
    pub scopes: Vec<String>,

    /// Further form fields of the token request, each with a text or a list of texts. For login servers that want more
    /// than OAuth does. They are as secret as `client_secret`.
    pub endpoint_params: BTreeMap<String, Vec<Secret>>,

    /// How far back the first cycle reads. Later ones go on where the last one stood.
    #[serde(with = "units::Time")]
    pub initial_interval: Duration,

    /// From the start of a cycle to the start of the next. Shorter: documents come sooner, for more requests of the tenant's
    /// share.
    #[serde(with = "units::Time")]
    pub interval: Duration,

    /// Records of a page. 0, or more than Graph accepts: what it accepts. Lower it where answers time out.
    pub batch_size: usize,

    /// How far below the newest record each cycle reads again, for records that became visible late. What was delivered
    /// before is not delivered again.
    #[serde(with = "units::Time")]
    pub overlap: Duration,

    /// Whether incidents come with their alerts, a document for each. Only inputs of type incident have this option.
    pub include_alerts: bool,

    /// Asks for the members that Graph has added to enumerations, which come as `unknownFutureValue` otherwise.
    pub include_unknown_enum_members: bool,

    /// How long to wait for a connection, and for the next bytes of an answer. Not a limit for a whole answer.
    #[serde(with = "units::Time")]
    pub http_client_timeout: Duration,

    /// A proxy for all requests: `http://user:password@host:port`, `https://..` or `socks5://..`. As secret as
    /// `client_secret`, and taken from the environment or a file in the same ways.
    pub proxy_url: Option<Secret>,

    /// Whom to trust.
    pub ssl: SslSettings,

    /// When a failed request is tried again.
    pub retry: RetrySettings,
}

impl Default for GraphSettings {
    fn default() -> Self {
        let http = HttpSettings::default();
        Self {
            tenant_id: String::new(),
            client_id: String::new(),
            client_secret: Secret::default(),
            auth: AuthSettings::default(),
            login_url: LOGIN.into(),
            url: "https://graph.microsoft.com".into(),
            scopes: Vec::new(),
            endpoint_params: BTreeMap::new(),
            initial_interval: Duration::from_secs(24 * 3600),
            interval: Duration::from_secs(300),
            batch_size: 0,
            overlap: Duration::from_secs(600),
            include_alerts: true,
            include_unknown_enum_members: false,
            http_client_timeout: http.timeout,
            proxy_url: http.proxy_url,
            ssl: http.ssl,
            retry: http.retry,
        }
    }
}

impl GraphSettings {
    /// What can be told to be wrong without asking the tenant.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.base()?;
        self.credentials()?;
        for (option, time) in [("interval", self.interval), ("http_client_timeout", self.http_client_timeout)] {
            if time.is_zero() {
                return Err(Error::Settings { option, message: "must be longer than 0".into() });
            }
        }
        self.retry.check()
    }

    /// Graph's root, checked.
    pub(super) fn base(&self) -> Result<Url, Error> {
        address("url", &self.url)
    }

    /// Who asks, and for what.
    pub(super) fn credentials(&self) -> Result<Credentials, Error> {
        let scopes = if self.scopes.is_empty() {
            vec![format!("{}/.default", self.url.trim_end_matches('/'))]
        } else {
            self.scopes.clone()
        };
        Ok(Credentials { identity: self.identity()?, scopes, endpoint_params: self.endpoint_params.clone() })
    }

    /// Who asks.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub(crate) fn identity(&self) -> Result<Identity, Error> {
        let short = Short {
            tenant_id: &self.tenant_id,
            client_id: &self.client_id,
            client_secret: Some(&self.client_secret),
            login: ("login_url", &self.login_url),
        };
        self.auth.identity(IdentityType::ClientSecret, short)
    }

    /// How requests are sent.
    pub(super) fn http(&self) -> HttpSettings {
        HttpSettings {
            proxy_url: self.proxy_url.clone(),
            proxy_disable: false,
            ssl: self.ssl.clone(),
            timeout: self.http_client_timeout,
            retry: self.retry.clone(),
        }
    }

    /// Records of a page.
    pub(super) fn top(&self, feed: &Feed) -> usize {
        if self.batch_size == 0 { feed.max_top } else { self.batch_size.min(feed.max_top) }
    }
}
