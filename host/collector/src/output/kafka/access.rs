//! Who we are to the brokers: TLS and SASL.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use rskafka::client::{Credentials, OauthBearerCredentials, OauthCallback, SaslConfig};
use rustls::ClientConfig;

use super::{KafkaSettings, Mechanism};
use crate::http::{Client, Error, Secret, address, tls_config};
use crate::oauth::Tokens;

/// What a connection begins with.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) sasl: Option<SaslConfig>,
}

/// SASL's part holds the password.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Access {
    /// Prepares it; asks nobody.
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, Error> {
        let tls = settings.ssl.as_ref().map(tls_config).transpose()?.map(Arc::new);
        let user = || {
            let password = settings.password.as_ref().map(Secret::expose).unwrap_or_default();
            Credentials::new(settings.username.clone().unwrap_or_default(), password.to_owned())
        };
        let sasl = match settings.mechanism() {
            None => None,
            Some(Mechanism::Plain) => Some(SaslConfig::Plain(user())),
            Some(Mechanism::ScramSha256) => Some(SaslConfig::ScramSha256(user())),
            Some(Mechanism::ScramSha512) => Some(SaslConfig::ScramSha512(user())),
            Some(Mechanism::OauthBearer) => Some(SaslConfig::Oauthbearer(OauthBearerCredentials {
                callback: callback(settings)?,
                authz_id: None,
                bearer_kvs: Vec::new(),
            })),
        };
        Ok(Self { tls, sasl })
    }
}

/// Gives a token for each connection. A broker closes a connection whose token has expired, and the next one has another.
fn callback(settings: &KafkaSettings) -> Result<OauthCallback, Error> {
    let (http, credentials) = (settings.http(), settings.credentials()?);
    let client = Client::new(&http, &address("login_url", &settings.login_url)?)?;
    let tokens = Arc::new(Tokens::new(client, &http, &credentials)?);
    Ok(Arc::new(move || {
        let tokens = tokens.clone();
        async move { Ok(tokens.token().await?.bearer().to_owned()) }.boxed()
    }))
}
