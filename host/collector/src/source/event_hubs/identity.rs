//! Who reads event hubs and keeps checkpoints, where no key does.

use url::Url;

use super::settings::{AuthType, EventHubSettings};
use crate::http::{Error, address};
use crate::oauth::{Identity, IdentityType, Short, login_url};

impl EventHubSettings {
    /// Whether a connection string says who reads, and no identity does.
    pub(super) fn by_connection_string(&self) -> bool {
        self.auth.kind.is_none() && self.auth_type == AuthType::ConnectionString
    }

    /// The identity that reads; none: a connection string.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Error> {
        let wrong = |option, message: &str| Err(Error::Settings { option, message: message.into() });
        let kind = match (self.auth.kind, self.auth_type) {
            (None, AuthType::ConnectionString) if self.auth.is_written() => {
                return wrong("auth.type", "is missing: it says which of the options below `auth` count");
            }
            (None, AuthType::ConnectionString) => return Ok(None),
            (None, AuthType::ClientSecret) => IdentityType::ClientSecret,
            (None, AuthType::ManagedIdentity) => IdentityType::ManagedIdentity,
            (Some(_), AuthType::ConnectionString) if self.connection_string.is_some() => {
                return wrong("connection_string", "is written beside auth.type: keep one of them");
            }
            (Some(kind), AuthType::ConnectionString) => kind,
            (Some(_), _) => return wrong("auth_type", "is the short form of auth.type: keep one of them"),
        };
        let login = login_url(&self.authority_host);
        let by_machine = kind == IdentityType::ManagedIdentity;
        if !by_machine && !self.managed_identity_client_id.is_empty() {
            return wrong("managed_identity_client_id", "is for managed_identity only");
        }
        let short = Short {
            tenant_id: &self.tenant_id,
            client_id: if self.managed_identity_client_id.is_empty() {
                &self.client_id
            } else {
                &self.managed_identity_client_id
            },
            client_secret: self.client_secret.as_ref(),
            login: ("authority_host", &login),
        };
        self.auth.identity(kind, short).map(Some)
    }

    /// The identity that asks the storage account, where that has no key; none: a connection string is all there is.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub(super) fn storage_identity(&self) -> Result<Option<Identity>, Error> {
        match self.storage_account_auth.kind {
            None if !self.storage_account_auth.is_written() => self.identity(),
            _ => self.storage_account_auth.for_storage(&self.authority_host).map(Some),
        }
    }

    /// The login server.
    pub(super) fn authority(&self) -> Result<Url, Error> {
        address("authority_host", &login_url(&self.authority_host))
    }
}
