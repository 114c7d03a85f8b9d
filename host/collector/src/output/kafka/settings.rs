//! Options of `output.kafka`, named as in Beats where they have them.

use std::time::Duration;

use rskafka::client::partition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::topic::Topic;
use crate::config::{in_order, units};
use crate::http::{Error, HttpSettings, Secret, SslSettings, tls_config};
use crate::oauth::{AuthSettings, Credentials, IdentityType, LOGIN, Short};
use crate::output::Backoff;
use crate::output::address::Address;

/// The port of a host that names none, as in Beats.
const PORT: u16 = 9092;

/// Sends documents to Kafka, with `_id` as their key. A document counts as delivered when all replicas in sync have it (`acks=all`); it may
/// be there more than once, under the same key and `_id` in `@metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct KafkaSettings {
    /// Brokers to ask first, for the others: `host` or `host:port`. Without a port it is 9092.
    #[schemars(length(min = 1), example = &["localhost:9092"])]
    pub hosts: Vec<String>,

    /// The topic. `%{[data_stream.type]}`, `%{[data_stream.dataset]}` and `%{[data_stream.namespace]}` in it are replaced by those of the
    /// document, and `%{[data_stream.namespace]:default}` by the default where there is none.
    #[schemars(length(min = 1), example = &"defender.%{[data_stream.dataset]}")]
    pub topic: String,

    /// What the brokers know this client by, in their logs and quotas.
    #[schemars(length(min = 1))]
    pub client_id: String,

    /// A user, for SASL. With Event Hubs and `sasl.mechanism: PLAIN` it is `$$ConnectionString`, of which a `$` remains.
    pub username: Option<String>,

    /// The user's password, taken from the keystore, the environment or a file: `${KAFKA_PASSWORD}`, `file:PATH`.
    pub password: Option<Secret>,

    /// How to show who we are.
    pub sasl: SaslSettings,

    /// For `sasl.mechanism: OAUTHBEARER`: the identity in Microsoft Entra that asks for tokens, such as those of Event Hubs. It needs the
    /// role Azure Event Hubs Data Sender.
    pub auth: AuthSettings,

    /// For `sasl.mechanism: OAUTHBEARER`: the login server. Sovereign clouds have their own, such as `https://login.microsoftonline.us`.
    #[schemars(length(min = 1))]
    pub login_url: String,

    /// For `sasl.mechanism: OAUTHBEARER`: what the token is for. Without it: the first host's `https://HOST/.default`, which Event
    /// Hubs wants.
    pub scope: String,

    /// Which replicas must have a document before it counts as delivered. It is here so that a configuration of Beats can stay as it
    /// is.
    pub required_acks: Acks,

    /// How records are compressed. Event Hubs takes `none` and `gzip`.
    pub compression: Compression,

    /// Bytes of the largest document, and of a batch, before compression. A larger document goes to the dead letters. Not more than
    /// the brokers' `message.max.bytes` or the topic's `max.message.bytes`.
    #[serde(with = "units::Bytes")]
    pub max_message_bytes: usize,

    /// Documents of one send at most, to all topics and partitions together.
    #[schemars(range(min = 1, max = 100_000))]
    pub bulk_max_size: usize,

    /// Sends under way at a time.
    #[schemars(range(min = 1, max = 256))]
    pub worker: usize,

    /// How long to wait for connections, and for brokers to acknowledge a batch. After that it is sent again.
    #[serde(with = "units::Time")]
    pub timeout: Duration,

    /// When documents that were not taken are sent again.
    pub backoff: Backoff,

    /// Uses TLS where any of these is given, even as `ssl: {}`: whom to trust, and how to show who asks.
    pub ssl: Option<SslSettings>,
}

/// How to show who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct SaslSettings {
    /// How. Without it: PLAIN where there is a user, otherwise not at all.
    pub mechanism: Option<Mechanism>,
}

/// How to show who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Mechanism {
    /// User and password as they are; over TLS or on loopback only.
    #[serde(rename = "PLAIN")]
    Plain,
    /// A proof that one knows the password.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// The same with a longer hash.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token of Microsoft Entra, as `auth` says; over TLS or on loopback only.
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
}

/// Which replicas must have a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Acks {
    /// All that are in sync; with fewer documents could be lost.
    #[default]
    #[serde(rename = "-1")]
    All,
}

/// How records are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// At level 6.
    #[default]
    Gzip,
    /// Fastest.
    Snappy,
    /// Fast.
    Lz4,
    /// At level 3: smaller than gzip and faster.
    Zstd,
}

impl From<Compression> for partition::Compression {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::NoCompression,
            Compression::Gzip => Self::Gzip,
            Compression::Snappy => Self::Snappy,
            Compression::Lz4 => Self::Lz4,
            Compression::Zstd => Self::Zstd,
        }
    }
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            topic: String::new(),
            client_id: "defenderbeat".into(),
            username: None,
            password: None,
            sasl: SaslSettings::default(),
            auth: AuthSettings::default(),
            login_url: LOGIN.into(),
            scope: String::new(),
            required_acks: Acks::default(),
            compression: Compression::default(),
            max_message_bytes: 1_000_000,
            bulk_max_size: 2048,
            worker: 1,
            timeout: Duration::from_secs(30),
            backoff: Backoff::default(),
            ssl: None,
        }
    }
}

fn wrong<T>(option: &'static str, message: impl Into<String>) -> Result<T, Error> {
    Err(Error::Settings { option, message: message.into() })
}

impl KafkaSettings {
    /// What can be told to be wrong without asking anybody.
    ///
    /// # Errors
    ///
    /// The option at fault, without the part before its own name.
    pub fn check(&self) -> Result<(), Error> {
        let addresses = self.addresses()?;
        self.topic()?;
        let mechanism = self.mechanism();
        match (mechanism, &self.username, &self.password) {
            (Some(Mechanism::OauthBearer), None, None) => drop(self.credentials()?),
            (Some(Mechanism::OauthBearer), _, _) => {
                return wrong("username", "and password are not for sasl.mechanism OAUTHBEARER; it takes auth");
            }
            (Some(_), Some(_), Some(_)) => {}
            (Some(_), None, _) | (None, None, Some(_)) => return wrong("username", "is missing"),
            (_, Some(_), None) => return wrong("password", "is missing"),
            (None, _, _) => {}
        }
        if mechanism != Some(Mechanism::OauthBearer) && self.auth.is_written() {
            return wrong("auth", "is for sasl.mechanism OAUTHBEARER");
        }
        let readable = matches!(mechanism, Some(Mechanism::Plain | Mechanism::OauthBearer));
        if readable && self.ssl.is_none() && !addresses.iter().all(Address::is_loopback) {
            let message = "is missing: secrets do not travel in the clear (only to loopback). `ssl: {}` uses TLS";
            return wrong("ssl", message);
        }
        if self.ssl.is_some() && addresses.iter().any(Address::is_ipv6) {
            return wrong("hosts", "must be names or addresses of IPv4 where TLS is used");
        }
        if self.client_id.is_empty() {
            return wrong("client_id", "must not be empty");
        }
        if self.timeout.is_zero() {
            return wrong("timeout", "must be longer than 0");
        }
        if self.max_message_bytes == 0 {
            return wrong("max_message_bytes", "must be more than 0");
        }
        self.ssl.as_ref().map(tls_config).transpose()?;
        self.backoff.check()
    }

    /// How we show who we are.
    pub(super) fn mechanism(&self) -> Option<Mechanism> {
        self.sasl.mechanism.or(self.username.is_some().then_some(Mechanism::Plain))
    }

    /// Who asks for tokens, and for what.
    pub(super) fn credentials(&self) -> Result<Credentials, Error> {
        if self.auth.kind.is_none() {
            return wrong("auth.type", "is missing: it says who asks for tokens");
        }
        let host = self.addresses()?.into_iter().next().map(|address| address.host).unwrap_or_default();
        let scope = if self.scope.is_empty() { format!("https://{host}/.default") } else { self.scope.clone() };
        // There are no short forms here.
        let short = Short { tenant_id: "", client_id: "", client_secret: None, login: ("login_url", &self.login_url) };
        let identity = self.auth.identity(IdentityType::ClientSecret, short)?;
        Ok(Credentials { identity, scopes: vec![scope], endpoint_params: Default::default() })
    }

    /// How tokens are asked for. `ssl` is about the brokers: whom they are known by, and how little they are checked, is nothing to
    /// the login server.
    pub(super) fn http(&self) -> HttpSettings {
        HttpSettings { timeout: self.timeout, ..HttpSettings::default() }
    }

    pub(super) fn topic(&self) -> Result<Topic, Error> {
        Topic::parse(&self.topic).or_else(|message| wrong("topic", message))
    }

    /// The brokers' addresses.
    pub(super) fn addresses(&self) -> Result<Vec<Address>, Error> {
        let parsed: Result<Vec<_>, String> = self.hosts.iter().map(|host| Address::parse(host, PORT)).collect();
        parsed.or_else(|message| wrong("hosts", message))
    }
}
