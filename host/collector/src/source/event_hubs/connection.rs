//! Connections to event hubs, and by what they are let in.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_messaging_eventhubs::models::AmqpTransport;
use azure_messaging_eventhubs::{ConsumerClient, RetryOptions};
use tokio::time::timeout;

use super::address::Address;
use super::error::Error;
use super::settings::{EventHubSettings, Transport};
use crate::http::{self, Client, Secret};
use crate::oauth::Credential;

/// How long a connection may take. Includes a token and TLS.
const CONNECT: Duration = Duration::from_secs(60);
/// How long a connection may take to end.
const CLOSE: Duration = Duration::from_secs(5);

/// Opens connections to the event hubs of a namespace.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) address: Address,
    access: Access,
    storage: Option<Arc<dyn TokenCredential>>,
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
        let access = match settings.identity()? {
            None => Access::ConnectionString(settings.connection_string.clone().unwrap_or_default()),
            Some(identity) => Access::Identity(Credential::shared(identity, client, settings.http())),
        };
        let storage = match &access {
            Access::Identity(identity) if !settings.storage_account_auth.is_written() => Some(identity.clone()),
            _ => settings.storage_identity()?.map(|identity| Credential::shared(identity, client, settings.http())),
        };
        Ok(Self {
            address: Address::of(settings)?,
            access,
            storage,
            group: settings.consumer_group.clone(),
            transport: settings.transport,
        })
    }

    /// The identity for the storage account, where there is one.
    pub(super) fn storage(&self) -> Option<Arc<dyn TokenCredential>> {
        self.storage.clone()
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
                    builder.open_with_connection_string(&text.expose(), Some(eventhub)).await
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
