//! Options of an Event Hubs source, named as in filebeat's azure-eventhub input where it has them.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::address::{Address, expand};
use crate::config::{in_order, units};
use crate::http::{Error, HttpSettings, RetrySettings, Secret, SslSettings, is_loopback_host};
use crate::oauth::{AuthSettings, LOGIN};
use crate::storage::{Account, AccountOptions, PUBLIC, is_container_name};

/// Which event hubs are read, and where it is kept how far.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct EventHubSettings {
    /// The event hub that Defender XDR streams to, or a list of them. `insights-logs-advancedhunting-*` stands for one hub
    /// a table: `*` is replaced by the name of each table, and hubs that do not exist (yet) are left out.
    #[schemars(length(min = 1), example = &"defender-events")]
    pub eventhub: Vec<String>,

    /// The consumer group. One of its own for this collector: other readers of the same group would take partitions away.
    #[schemars(length(min = 1))]
    pub consumer_group: String,

    /// How this collector shows that it may read. For other identities than these write `auth.type`, which takes its place.
    pub auth_type: AuthType,

    /// For `connection_string`: that of the namespace or of the event hub, with the right to listen. As secret as a password;
    /// better not written here: `${EVENTHUB_CONNECTION_STRING}` takes it from the keystore or the environment, `file:PATH` from a file.
    #[schemars(example = &"${EVENTHUB_CONNECTION_STRING}")]
    pub connection_string: Option<Secret>,

    /// For the other ways: the namespace, such as `contoso.servicebus.windows.net`. The identity needs the role Azure Event
    /// Hubs Data Receiver.
    pub eventhub_namespace: String,

    /// For `client_secret`: directory (tenant) id.
    pub tenant_id: String,

    /// For `client_secret`: application (client) id.
    pub client_id: String,

    /// For `client_secret`: the application's secret, taken from the environment or a file in the same ways.
    pub client_secret: Option<Secret>,

    /// For `client_secret`: the login server. Sovereign clouds have their own, such as `https://login.microsoftonline.us`.
    #[schemars(length(min = 1))]
    pub authority_host: String,

    /// For `managed_identity`: the client id of a user-assigned identity. Without it the system-assigned one is used.
    pub managed_identity_client_id: String,

    /// The identity that reads, and asks the storage account where that has no key. What is written here is left out above. The
    /// identity needs the role Azure Event Hubs Data Receiver.
    pub auth: AuthSettings,

    /// How the event hub is reached.
    pub transport: Transport,

    /// Connects to this address instead of the namespace's own, such as `amqps://gateway.example.com:5671`. `amqp://`,
    /// without TLS, is accepted on loopback only.
    pub custom_endpoint: String,

    /// The storage account that keeps checkpoints and shares partitions among collectors. Without it checkpoints are kept
    /// under `path.data`, and one process reads all partitions.
    pub storage_account: String,

    /// The account's key. Without it and without a connection string, the identity that reads serves for the storage account too; it
    /// needs the role Storage Blob Data Contributor then.
    pub storage_account_key: Option<Secret>,

    /// The account's connection string, instead of `storage_account` and its key. One that has neither key nor signature says
    /// where the account is, for an identity.
    pub storage_account_connection_string: Option<Secret>,

    /// Another identity for the storage account than the one that reads the event hubs, such as beside a `connection_string`: the
    /// same options as `auth`.
    pub storage_account_auth: AuthSettings,

    /// The container for checkpoints; it is made where there is none. Without it: `azure-eventhub-input-` and the name of the
    /// event hub with `_` replaced by `-`, as Elastic's integrations have it; so what they have read is not read again.
    pub storage_account_container: String,

    /// Takes over checkpoints that filebeat left with `processor_version: v1`, where there are no newer ones.
    pub migrate_checkpoint: bool,

    /// How often partitions are shared out anew, and the hold on one's own is renewed.
    #[serde(with = "units::Time")]
    pub processor_update_interval: Duration,

    /// How long after its last renewal another collector's partition is taken over. More than twice
    /// `processor_update_interval`.
    #[serde(with = "units::Time")]
    pub processor_ownership_expiration: Duration,

    /// How partitions are taken.
    pub processor_load_balancing_strategy: Strategy,

    /// Where a partition is read from that has no checkpoint.
    pub processor_start_position: StartAt,

    /// Messages that are mapped together at most.
    #[schemars(range(min = 1))]
    pub partition_receive_count: usize,

    /// How long the first of them waits for others. Longer: fewer, larger batches where little arrives.
    #[serde(with = "units::Time")]
    pub partition_receive_timeout: Duration,

    /// What may arrive ahead of being mapped, for all partitions together. Each partition has at least one message ahead,
    /// so 32 partitions with messages of 1 MB need 32 MiB. Raise it where there are many partitions and messages are small:
    /// with one message ahead, each waits for the one before it to be acknowledged.
    #[serde(with = "units::Bytes")]
    pub prefetch: usize,

    /// How long to wait for a connection, and for the next bytes of an answer of storage and login.
    #[serde(with = "units::Time")]
    pub http_client_timeout: Duration,

    /// A proxy for requests to storage and login. Event Hubs itself is reached directly.
    pub proxy_url: Option<Secret>,

    /// Whom to trust as storage and login. For Event Hubs it is the system's store, or the file that SSL_CERT_FILE names.
    pub ssl: SslSettings,

    /// When a failed request is tried again. A connection to Event Hubs is tried again without end.
    pub retry: RetrySettings,
}

/// How a reader shows that it may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthType {
    /// A shared access key or signature.
    #[default]
    ConnectionString,
    /// An application and its secret, by Microsoft Entra.
    ClientSecret,
    /// The identity of the machine it runs on.
    ManagedIdentity,
}

/// How an event hub is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// AMQP over TLS, port 5671.
    #[default]
    Amqp,
    /// AMQP over WebSockets, port 443, where a firewall lets nothing else pass.
    Websocket,
}

/// How partitions are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// One's whole share at once.
    #[default]
    Greedy,
    /// One partition an interval; calmer where many collectors start together.
    Balanced,
}

/// Where a partition is read from that has no checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// The oldest message there is.
    #[default]
    Earliest,
    /// What arrives from the start on.
    Latest,
}

impl Default for EventHubSettings {
    fn default() -> Self {
        let http = HttpSettings::default();
        Self {
            eventhub: Vec::new(),
            consumer_group: "$Default".into(),
            auth_type: AuthType::default(),
            connection_string: None,
            eventhub_namespace: String::new(),
            tenant_id: String::new(),
            client_id: String::new(),
            client_secret: None,
            authority_host: LOGIN.into(),
            managed_identity_client_id: String::new(),
            auth: AuthSettings::default(),
            transport: Transport::default(),
            custom_endpoint: String::new(),
            storage_account: String::new(),
            storage_account_key: None,
            storage_account_connection_string: None,
            storage_account_auth: AuthSettings::default(),
            storage_account_container: String::new(),
            migrate_checkpoint: true,
            processor_update_interval: Duration::from_secs(10),
            processor_ownership_expiration: Duration::from_secs(60),
            processor_load_balancing_strategy: Strategy::default(),
            processor_start_position: StartAt::default(),
            partition_receive_count: 100,
            partition_receive_timeout: Duration::from_millis(100),
            prefetch: 32 << 20,
            http_client_timeout: http.timeout,
            proxy_url: http.proxy_url,
            ssl: http.ssl,
            retry: http.retry,
        }
    }
}

/// The shortest interval of sharing: each asks the storage account for a list.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

impl EventHubSettings {
    /// What can be told to be wrong without asking anybody.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |option, message: &str| Err(Error::Settings { option, message: message.into() });
        self.identity()?;
        self.storage_identity()?;
        let address = Address::of(self)?;
        let mut hubs = BTreeSet::new();
        for name in &self.eventhub {
            for hub in expand(name) {
                address.check_entity(&hub)?;
                // Names are without regard to case. Two readers of one hub would take partitions from each other.
                if !hubs.insert(hub.to_lowercase()) {
                    return wrong("eventhub", &format!("names {hub} twice"));
                }
            }
        }
        if self.consumer_group.chars().count() > 50 {
            return wrong("consumer_group", "must be of at most 50 characters, as Event Hubs has it");
        }
        if self.processor_update_interval < SHORTEST_INTERVAL {
            return wrong("processor_update_interval", "must be at least 1s");
        }
        if self.processor_ownership_expiration <= self.processor_update_interval * 2 {
            let message = "must be longer than twice processor_update_interval, or a collector would lose its partitions before it renews its hold";
            return wrong("processor_ownership_expiration", message);
        }
        if self.http_client_timeout.is_zero() {
            return wrong("http_client_timeout", "must be longer than 0");
        }
        if self.retry.wait_min > self.retry.wait_max {
            return wrong("retry.wait_min", "must not be longer than retry.wait_max");
        }
        match self.account()? {
            Some(_) => {
                for name in &self.eventhub {
                    self.container(name)?;
                }
                Ok(())
            }
            None if !self.storage_account_container.is_empty()
                || self.storage_account_key.is_some()
                || self.storage_account_auth.is_written() =>
            {
                wrong(
                    "storage_account",
                    "is missing: name the storage account, or leave out all storage options to keep checkpoints under path.data",
                )
            }
            None => Ok(()),
        }
    }

    /// The storage account that is shared with other collectors; none where checkpoints are kept under `path.data`.
    pub(super) fn account(&self) -> Result<Option<Account>, Error> {
        // Only a name is completed by the cloud that the namespace is in.
        let suffix =
            if self.storage_account.trim().is_empty() { PUBLIC } else { suffix(&Address::of(self)?.namespace) };
        Account::of(&AccountOptions {
            name: &self.storage_account,
            key: self.storage_account_key.as_ref(),
            connection_string: self.storage_account_connection_string.as_ref(),
            by_identity: self.storage_identity()?.is_some(),
            suffix,
        })
    }

    /// Whether several collectors share the partitions.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.account(), Ok(Some(_)))
    }

    /// How requests to storage and login are sent.
    pub(super) fn http(&self) -> HttpSettings {
        HttpSettings {
            proxy_url: self.proxy_url.clone(),
            proxy_disable: false,
            ssl: self.ssl.clone(),
            timeout: self.http_client_timeout,
            retry: self.retry.clone(),
        }
    }

    /// The container for an entry of `eventhub`.
    pub(super) fn container(&self, entry: &str) -> Result<String, Error> {
        let given = !self.storage_account_container.is_empty();
        let name = if given {
            self.storage_account_container.clone()
        } else {
            // The name of a hub has no influence but by its letters: all hubs of a `*` share one container.
            let stem = entry.replace('*', "");
            let stem = stem.trim_matches(['-', '_', '.']).to_lowercase().replace(['_', '.'], "-");
            format!("azure-eventhub-input-{stem}")
        };
        if is_container_name(&name) {
            return Ok(name);
        }
        let rule = "3 to 63 lower-case letters, digits and single dashes";
        let message = if given {
            format!("must be of {rule}")
        } else {
            format!("is wanted: {name}, which follows from eventhub, is not of {rule}")
        };
        Err(Error::Settings { option: "storage_account_container", message })
    }
}

/// The domain of storage in the cloud that a namespace is in.
fn suffix(namespace: &str) -> &'static str {
    if namespace.ends_with(".usgovcloudapi.net") {
        "core.usgovcloudapi.net"
    } else if namespace.ends_with(".chinacloudapi.cn") {
        "core.chinacloudapi.cn"
    } else {
        PUBLIC
    }
}

/// Whether an address cannot be reached from other machines.
pub(super) fn is_loopback(url: &Url) -> bool {
    // Hosts of schemes that the URL standard does not know are always texts.
    url.host_str().is_some_and(is_loopback_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(container: &str) -> EventHubSettings {
        EventHubSettings { storage_account_container: container.into(), ..EventHubSettings::default() }
    }

    #[test]
    fn a_container_is_named_as_elastic_names_it() {
        for (hub, container) in [
            ("defender_events", "azure-eventhub-input-defender-events"),
            ("Defender.Events", "azure-eventhub-input-defender-events"),
            ("insights-logs-advancedhunting-*", "azure-eventhub-input-insights-logs-advancedhunting"),
        ] {
            assert_eq!(settings("").container(hub).unwrap(), container);
        }
        assert_eq!(settings("mine").container("any").unwrap(), "mine");
        for wrong in ["Upper", "a", "double--dash", "-edge", "edge-", "under_score", &"x".repeat(64)] {
            assert!(settings(wrong).container("any").is_err(), "{wrong}");
        }
        let error = settings("").container(&"x".repeat(60)).unwrap_err().to_string();
        assert!(error.contains("storage_account_container") && error.contains("eventhub"), "{error}");
    }
}
