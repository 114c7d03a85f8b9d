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
    sasl: Sasl,
}

#[derive(Clone)]
enum Sasl {
    None,
    /// By name and password, which each connection to the cluster is made with as they are then.
    User(Mechanism, String, Secret),
    Tokens(OauthCallback),
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
        let sasl = match settings.mechanism() {
            None => Sasl::None,
            Some(Mechanism::OauthBearer) => Sasl::Tokens(callback(settings)?),
            Some(mechanism) => {
                let (name, password) = (settings.username.clone(), settings.password.clone());
                Sasl::User(mechanism, name.unwrap_or_default(), password.unwrap_or_default())
            }
        };
        Ok(Self { tls, sasl })
    }

    /// How to show who we are, with the password of now.
    pub(super) fn sasl(&self) -> Option<SaslConfig> {
        match &self.sasl {
            Sasl::None => None,
            Sasl::User(mechanism, name, password) => {
                let user = Credentials::new(name.clone(), password.expose().to_string());
                Some(match mechanism {
                    Mechanism::ScramSha256 => SaslConfig::ScramSha256(user),
                    Mechanism::ScramSha512 => SaslConfig::ScramSha512(user),
                    Mechanism::Plain | Mechanism::OauthBearer => SaslConfig::Plain(user),
                })
            }
            Sasl::Tokens(callback) => {
                let (authz_id, bearer_kvs) = (None, Vec::new());
                Some(SaslConfig::Oauthbearer(OauthBearerCredentials {
                    callback: callback.clone(),
                    authz_id,
                    bearer_kvs,
                }))
            }
        }
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
