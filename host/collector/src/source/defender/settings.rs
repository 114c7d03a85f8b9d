//! Options of a Defender source, named as in Elastic's m365_defender integration where it has them.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::{in_order, units};
use crate::http::{Error, HttpSettings, RetrySettings, Secret, SslSettings, address};
use crate::oauth::{AuthSettings, Credentials, Identity, IdentityType, LOGIN, Short};

/// The longest time from one full export to the next: half of the seven days for which documents of a sync are kept, so
/// that what did not change is written again before it vanishes, even if one export fails.
const FULL_INTERVAL_MAX: Duration = Duration::from_secs(84 * 3600);

/// The longest [pause](DefenderSettings::pause).
const PAUSE: Duration = Duration::from_secs(900);

/// Where a tenant's vulnerabilities are and how often they are asked for.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct DefenderSettings {
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

    /// The login server. GCC High and DoD: `https://login.microsoftonline.us`.
    #[schemars(length(min = 1))]
    pub login_url: String,

    /// The root of the Defender for Endpoint API. A region's own, with `us`, `eu`, `uk`, `au` or `swa`, is nearer:
    /// `https://eu.api.security.microsoft.com`. GCC: `https://api-gcc.securitycenter.microsoft.us`, GCC High and DoD:
    /// `https://api-gov.securitycenter.microsoft.us`.
    #[schemars(length(min = 1))]
    pub url: String,

    /// What the token is for. For government clouds try the root of their API followed by `/.default`: Microsoft's
    /// documentation does not say.
    #[schemars(length(min = 1))]
    pub scopes: Vec<String>,

    /// Further form fields of the token request, each with a text or a list of texts. For login servers that want more
    /// than OAuth does. They are as secret as `client_secret`.
    pub endpoint_params: BTreeMap<String, Vec<Secret>>,

    /// How vulnerabilities are read.
    pub mode: Mode,

    /// From the start of a cycle to the start of the next: at most 84h, as documents of a sync are kept for seven days. 6h
    /// suits `changes`, which Microsoft produces that often.
    #[serde(with = "units::Time")]
    pub interval: Duration,

    /// From the start of one full export to the next, for `changes`: at most 84h, or findings that do not change would
    /// vanish from indices that keep seven days.
    #[serde(with = "units::Time")]
    pub full_interval: Duration,

    /// Records of a page. 0, or more than the API accepts: what it accepts. Lower it where answers time out.
    pub batch_size: usize,

    /// Leaves out vulnerabilities that no machine is exposed to. For `correlated`.
    pub affected_machines_only: bool,

    /// Hours for which the addresses of an export's files are good. Raise it where reading all of them takes longer.
    #[schemars(range(min = 1, max = 6))]
    pub sas_valid_hours: u32,

    /// Hosts that an export's files may be on, besides that of `url`; `*.` stands for any name before the rest. They get no
    /// token, and are asked over https only.
    pub storage_hosts: Vec<String>,

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

/// How vulnerabilities are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All machines, vulnerabilities and findings, joined: one document for each vulnerability of a product on a machine,
    /// with all that is known of each. Takes the application permissions `Vulnerability.Read.All` and `Machine.Read.All`.
    #[default]
    Correlated,
    /// The files that Microsoft exports all findings to: for more than 100,000 devices, with less known of each. Takes
    /// `Vulnerability.Read.All`.
    Export,
    /// What changed since the cycle before, and all findings by `export` every `full_interval`. Takes
    /// `Vulnerability.Read.All`.
    Changes,
}

impl Default for DefenderSettings {
    fn default() -> Self {
        let http = HttpSettings::default();
        let hosts = [
            "*.blob.core.windows.net",
            "*.blob.storage.azure.net",
            "*.blob.core.usgovcloudapi.net",
            "*.blob.core.chinacloudapi.cn",
        ];
        Self {
            tenant_id: String::new(),
            client_id: String::new(),
            client_secret: Secret::default(),
            auth: AuthSettings::default(),
            login_url: LOGIN.into(),
            url: "https://api.security.microsoft.com".into(),
            scopes: vec!["https://api.securitycenter.microsoft.com/.default".into()],
            endpoint_params: BTreeMap::new(),
            mode: Mode::default(),
            interval: Duration::from_secs(24 * 3600),
            full_interval: Duration::from_secs(72 * 3600),
            batch_size: 0,
            affected_machines_only: false,
            sas_valid_hours: 1,
            storage_hosts: hosts.map(str::to_owned).to_vec(),
            http_client_timeout: http.timeout,
            proxy_url: http.proxy_url,
            ssl: http.ssl,
            retry: http.retry,
        }
    }
}

impl DefenderSettings {
    /// What can be told to be wrong without asking the tenant.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.base()?;
        self.credentials()?;
        let wrong = |option, message: &str| Err(Error::Settings { option, message: message.into() });
        for (option, time) in [("interval", self.interval), ("http_client_timeout", self.http_client_timeout)] {
            if time.is_zero() {
                return wrong(option, "must be longer than 0");
            }
        }
        if self.full_interval > FULL_INTERVAL_MAX {
            let message = "must not be longer than 84h, half of the seven days for which documents are kept: findings \
                           that do not change would vanish";
            return wrong("full_interval", message);
        }
        if self.interval > FULL_INTERVAL_MAX {
            let message = "must not be longer than 84h, half of the seven days for which documents are kept: after one \
                           sync that failed all would vanish";
            return wrong("interval", message);
        }
        if self.affected_machines_only && self.mode != Mode::Correlated {
            return wrong("affected_machines_only", "is for mode correlated: the others have affected machines only");
        }
        let is_host = |host: &str| !host.is_empty() && !host.starts_with('.') && !host.contains(['*', '/', ':']);
        if !self.storage_hosts.iter().all(|host| is_host(host.strip_prefix("*.").unwrap_or(host))) {
            return wrong(
                "storage_hosts",
                "must be names of hosts, such as files.example.com or *.blob.core.windows.net",
            );
        }
        self.retry.check()
    }

    /// The API's root, checked.
    pub(super) fn base(&self) -> Result<Url, Error> {
        address("url", &self.url)
    }

    /// Who asks, and for what.
    pub(super) fn credentials(&self) -> Result<Credentials, Error> {
        Ok(Credentials {
            identity: self.identity()?,
            scopes: self.scopes.clone(),
            endpoint_params: self.endpoint_params.clone(),
        })
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

    /// Records of a page of which the API gives `max` at most.
    pub(super) fn top(&self, max: usize) -> usize {
        if self.batch_size == 0 { max } else { self.batch_size.min(max) }
    }

    /// From the start of one full sync to the start of the next.
    pub fn sync_interval(&self) -> Duration {
        if self.mode == Mode::Changes { self.full_interval } else { self.interval }
    }

    /// After a failure that may pass, the same sync is begun again after this.
    pub(crate) fn pause(&self) -> Duration {
        PAUSE.min(self.interval)
    }

    /// The permission that the application needs.
    pub(super) fn permission(&self) -> &'static str {
        match self.mode {
            Mode::Correlated => "Machine.Read.All or Vulnerability.Read.All",
            Mode::Export | Mode::Changes => "Vulnerability.Read.All",
        }
    }
}
