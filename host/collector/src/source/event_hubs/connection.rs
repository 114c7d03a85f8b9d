//! Connections to event hubs, and by what they are let in.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientOptions, Transport as HttpTransport};
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};
use azure_messaging_eventhubs::models::AmqpTransport;
use azure_messaging_eventhubs::{ConsumerClient, RetryOptions};
use tokio::time::timeout;

use super::address::Address;
use super::error::Error;
use super::settings::{AuthType, EventHubSettings, Transport};
use crate::http::{self, Client, RetrySettings, Secret};
use crate::oauth::{Credentials, Tokens};

/// How long a connection may take. Includes a token and TLS.
const CONNECT: Duration = Duration::from_secs(60);
/// How long a connection may take to end.
const CLOSE: Duration = Duration::from_secs(5);

/// Opens connections to the event hubs of a namespace.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) address: Address,
    access: Access,
    group: String,
    transport: Transport,
}

#[derive(Debug)]
enum Access {
    ConnectionString(Secret),
    Identity(Arc<dyn TokenCredential>),
}

impl Connector {
    /// Prepares connections; none is made yet.
    pub(super) fn new(settings: &EventHubSettings, client: &Client) -> Result<Self, http::Error> {
        // Two providers are compiled in, ours and the one that the library's dependencies ask for; without a choice TLS
        // would panic. If somebody else has chosen, that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let access = match settings.auth_type {
            AuthType::ConnectionString => {
                Access::ConnectionString(settings.connection_string.clone().unwrap_or_default())
            }
            AuthType::ClientSecret => Access::Identity(Arc::new(Application::new(settings, client.clone())?)),
            AuthType::ManagedIdentity => Access::Identity(managed_identity(settings, client)?),
        };
        Ok(Self {
            address: Address::of(settings)?,
            access,
            group: settings.consumer_group.clone(),
            transport: settings.transport,
        })
    }

    /// The identity, where there is one.
    pub(super) fn identity(&self) -> Option<Arc<dyn TokenCredential>> {
        match &self.access {
            Access::Identity(identity) => Some(identity.clone()),
            Access::ConnectionString(_) => None,
        }
    }

    /// A new connection, to be ended by [`close`].
    ///
    /// The library's own retries are off: it would attach a receiver anew where that began, not where it stands, and read
    /// again what was read; or, beginning at the end, miss what came meanwhile.
    pub(super) async fn open(&self, eventhub: &str) -> Result<ConsumerClient, Error> {
        let retry = RetryOptions { max_retries: 0, ..RetryOptions::default() };
        let mut builder = ConsumerClient::builder()
            .with_consumer_group(self.group.clone())
            .with_retry_options(retry)
            .with_transport(match self.transport {
                Transport::Amqp => AmqpTransport::Tcp,
                Transport::Websocket => AmqpTransport::WebSocket,
            });
        if let Some(endpoint) = &self.address.endpoint {
            builder = builder.with_custom_endpoint(endpoint.to_string());
        }
        let opening = async {
            match &self.access {
                Access::ConnectionString(text) => {
                    builder.open_with_connection_string(text.expose(), Some(eventhub)).await
                }
                Access::Identity(identity) => {
                    builder.open(&self.address.namespace, eventhub.to_owned(), identity.clone()).await
                }
            }
        };
        let doing = || format!("connecting to event hub {eventhub} of {}", self.address.namespace);
        match timeout(CONNECT, opening).await {
            Ok(opened) => opened.map_err(|error| Error::of(doing(), &error)),
            Err(_) => Err(Error::timeout(doing(), CONNECT.as_secs())),
        }
    }
}

/// Ends a connection. Dropping it would leave it open.
pub(super) async fn close(client: ConsumerClient) {
    if let Ok(Err(error)) = timeout(CLOSE, client.close()).await {
        tracing::debug!(%error, "a connection to an event hub did not end well");
    }
}

fn managed_identity(settings: &EventHubSettings, client: &Client) -> Result<Arc<dyn TokenCredential>, http::Error> {
    let id = settings.managed_identity_client_id.trim();
    let transport = Some(HttpTransport::new(Arc::new(client.inner().clone())));
    let client_options = ClientOptions { transport, ..ClientOptions::default() };
    let mut options = ManagedIdentityCredentialOptions { client_options, ..Default::default() };
    options.user_assigned_id = (!id.is_empty()).then(|| UserAssignedId::ClientId(id.to_owned()));
    let identity: Arc<dyn TokenCredential> = ManagedIdentityCredential::new(Some(options))
        .map_err(|error| http::Error::Settings { option: "auth_type", message: error.to_string() })?;
    Ok(identity)
}

/// An application that asks for tokens with its secret, as the other sources do.
struct Application {
    settings: Credentials,
    client: Client,
    retry: RetrySettings,
    tokens: tokio::sync::Mutex<Vec<(String, Arc<Tokens>)>>,
}

impl Application {
    fn new(settings: &EventHubSettings, client: Client) -> Result<Self, http::Error> {
        let credentials = Credentials {
            tenant_id: settings.tenant_id.clone(),
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone().unwrap_or_default(),
            login_url: settings.authority()?,
            scopes: Vec::new(),
            endpoint_params: Default::default(),
        };
        Ok(Self { settings: credentials, client, retry: settings.retry.clone(), tokens: Default::default() })
    }

    /// The tokens for one API: of Event Hubs, or of storage.
    async fn tokens(&self, scopes: &[&str]) -> Result<Arc<Tokens>, http::Error> {
        let key = scopes.join(" ");
        let mut known = self.tokens.lock().await;
        if let Some((_, tokens)) = known.iter().find(|(scopes, _)| *scopes == key) {
            return Ok(tokens.clone());
        }
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let credentials = Credentials { scopes, ..self.settings.clone() };
        let tokens = Arc::new(Tokens::new(self.client.clone(), &credentials, self.retry.clone())?);
        known.push((key, tokens.clone()));
        Ok(tokens)
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("client_id", &self.settings.client_id).finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenCredential for Application {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let token = async { self.tokens(scopes).await?.token_for().await }.await;
        let (token, rest) = token.map_err(|error| {
            let message = error.to_string();
            azure_core::Error::with_error(azure_core::error::ErrorKind::Credential, error, message)
        })?;
        Ok(AccessToken::new(token.bearer().to_owned(), (SystemTime::now() + rest).into()))
    }
}
