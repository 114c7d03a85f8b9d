//! The options `coordination`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{in_order, units};
use crate::http::{Client, Error, HttpSettings, RetrySettings, Secret, SslSettings};
use crate::oauth::{AuthSettings, Credential, LOGIN};
use crate::storage::{Account, AccountOptions, Container, PUBLIC, is_container_name};

/// How several processes with the same inputs share them, so that the others go on where one fails. Each input is led by one of
/// them at a time, and its checkpoint is where all of them find it. Give each process a `path.data` of its own, and all the same
/// inputs with the same ids. An input of events that names a storage account of its own shares its partitions there instead. Without
/// these options a process runs all of its inputs itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct CoordinationOptions {
    /// By leases on blobs in an Azure storage account.
    pub azure_blob: Option<AzureBlobSettings>,
}

/// By leases on blobs in an Azure storage account.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct AzureBlobSettings {
    /// The storage account.
    #[schemars(example = &"contosostate")]
    pub storage_account: String,

    /// The account's key, taken from the environment or a file: `${STORAGE_KEY}`, `file:PATH`.
    pub storage_account_key: Option<Secret>,

    /// The account's connection string, instead of `storage_account` and its key. One that has neither key nor signature says
    /// where the account is, for an identity; in sovereign clouds it has to, by its BlobEndpoint.
    pub storage_account_connection_string: Option<Secret>,

    /// The identity that asks the storage account, where that has no key: the same options as `auth` of an input. It needs the role
    /// Storage Blob Data Contributor.
    pub storage_account_auth: AuthSettings,

    /// The login server of that identity.
    #[schemars(length(min = 1))]
    pub authority_host: String,

    /// The container; it is made where there is none. All that is kept there begins with `defenderbeat/`. Processes that share inputs
    /// name the same one, and no others.
    #[schemars(length(min = 1))]
    pub storage_account_container: String,

    /// How long an input is led at most by a process that nothing is heard of, 15s to 60s: another takes over then. Shorter takes
    /// over sooner, and loses the lead to shorter disturbances of the network.
    #[serde(with = "units::Time")]
    pub lease_duration: Duration,

    /// A proxy for requests to storage and login.
    pub proxy_url: Option<Secret>,

    /// Whom to trust as storage and login.
    pub ssl: SslSettings,
}

impl Default for AzureBlobSettings {
    fn default() -> Self {
        Self {
            storage_account: String::new(),
            storage_account_key: None,
            storage_account_connection_string: None,
            storage_account_auth: AuthSettings::default(),
            authority_host: LOGIN.into(),
            storage_account_container: "defenderbeat".into(),
            lease_duration: Duration::from_secs(30),
            proxy_url: None,
            ssl: SslSettings::default(),
        }
    }
}

impl AzureBlobSettings {
    /// What can be told to be wrong without asking anybody.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |option, message: &str| Err(Error::Settings { option, message: message.into() });
        if self.account()?.is_none() {
            return wrong("storage_account", "is missing: name the storage account, or its connection string");
        }
        if !is_container_name(&self.storage_account_container) {
            let message = "must be of 3 to 63 lower-case letters, digits and single dashes";
            return wrong("storage_account_container", message);
        }
        if !(15..=60).contains(&self.lease_duration.as_secs()) || self.lease_duration.subsec_nanos() > 0 {
            return wrong("lease_duration", "must be of 15s to 60s, in whole seconds, as leases on blobs are");
        }
        self.container(self.timeout()).map(drop)
    }

    /// How long requests about leases and checkpoints may take: several answers may fail to come before a lease ends.
    pub(super) fn timeout(&self) -> Duration {
        self.lease_duration / 5
    }

    fn account(&self) -> Result<Option<Account>, Error> {
        Account::of(&AccountOptions {
            name: &self.storage_account,
            key: self.storage_account_key.as_ref(),
            connection_string: self.storage_account_connection_string.as_ref(),
            by_identity: self.storage_account_auth.is_written(),
            suffix: PUBLIC,
        })
    }

    /// The container, over connections of its own, for requests that take no longer than this. Nothing is sent.
    pub(super) fn container(&self, timeout: Duration) -> Result<Container, Error> {
        let Some(account) = self.account()? else {
            return Err(Error::Settings { option: "storage_account", message: "is missing".into() });
        };
        let http = HttpSettings {
            proxy_url: self.proxy_url.clone(),
            proxy_disable: false,
            ssl: self.ssl.clone(),
            timeout,
            // Whoever asks does so again soon, knowing what has changed meanwhile.
            retry: RetrySettings { max_attempts: 1, ..RetrySettings::default() },
        };
        let client = Client::new(&http, &account.url)?;
        let identity = if self.storage_account_auth.is_written() {
            let identity = self.storage_account_auth.for_storage(&self.authority_host)?;
            Some(Credential::shared(identity, &client, http.clone()))
        } else {
            None
        };
        Ok(Container::new(account, self.storage_account_container.clone(), client, identity, http.retry))
    }
}
