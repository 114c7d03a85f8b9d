//! Who reads event hubs and keeps checkpoints, where no key does.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use url::Url;

use super::settings::{AuthType, EventHubSettings};
use crate::http::{Client, Error, HttpSettings, address};
use crate::oauth::{Credentials, Identity, IdentityType, Short, Tokens};

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
        let login = self.login();
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
        let login = self.login();
        let short = Short { tenant_id: "", client_id: "", client_secret: None, login: ("authority_host", &login) };
        match self.storage_account_auth.kind {
            None if !self.storage_account_auth.is_written() => self.identity(),
            kind => {
                let identity = self.storage_account_auth.identity(kind.unwrap_or(IdentityType::ClientSecret), short);
                identity.map(Some).map_err(|error| match error {
                    Error::Settings { option, message } => {
                        let key = option.strip_prefix("auth.").unwrap_or(option);
                        Error::Settings { option: "storage_account_auth", message: format!("{key} {message}") }
                    }
                    error => error,
                })
            }
        }
    }

    /// The login server's address; filebeat has it with and without the scheme.
    fn login(&self) -> String {
        if self.authority_host.contains("://") {
            self.authority_host.trim_end_matches('/').to_owned()
        } else {
            format!("https://{}", self.authority_host)
        }
    }

    /// The login server.
    pub(super) fn authority(&self) -> Result<Url, Error> {
        address("authority_host", &self.login())
    }
}

/// Tokens of an identity for whichever API asks, in the form of Microsoft's library.
pub(super) struct Credential {
    identity: Identity,
    client: Client,
    settings: HttpSettings,
    tokens: tokio::sync::Mutex<Vec<(String, Arc<Tokens>)>>,
}

impl Credential {
    pub(super) fn shared(identity: Identity, client: &Client, settings: HttpSettings) -> Arc<dyn TokenCredential> {
        Arc::new(Self { identity, client: client.clone(), settings, tokens: Default::default() })
    }

    /// The tokens for one API: of Event Hubs, or of storage.
    async fn tokens(&self, scopes: &[&str]) -> Result<Arc<Tokens>, Error> {
        let key = scopes.join(" ");
        let mut known = self.tokens.lock().await;
        if let Some((_, tokens)) = known.iter().find(|(scopes, _)| *scopes == key) {
            return Ok(tokens.clone());
        }
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let credentials = Credentials { identity: self.identity.clone(), scopes, endpoint_params: Default::default() };
        let tokens = Arc::new(Tokens::new(self.client.clone(), &self.settings, &credentials)?);
        known.push((key, tokens.clone()));
        Ok(tokens)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("identity", &self.identity).finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let token = async { self.tokens(scopes).await?.token_for().await }.await;
        let (token, rest) = token.map_err(|error| {
            let message = error.to_string();
            azure_core::Error::with_error(azure_core::error::ErrorKind::Credential, error, message)
        })?;
        Ok(AccessToken::new(token.bearer().to_owned(), (SystemTime::now() + rest).into()))
    }
}
