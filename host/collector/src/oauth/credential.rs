//! Tokens in the form of Microsoft's libraries.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};

use super::identity::{Credentials, Identity};
use super::tokens::Tokens;
use crate::http::{Client, Error, HttpSettings};

/// Tokens of an identity for whichever API asks, in the form of Microsoft's library.
pub(crate) struct Credential {
    identity: Identity,
    client: Client,
    settings: HttpSettings,
    tokens: tokio::sync::Mutex<Vec<(String, Arc<Tokens>)>>,
}

impl Credential {
    /// Whoever holds it shares the tokens.
    pub(crate) fn shared(identity: Identity, client: &Client, settings: HttpSettings) -> Arc<dyn TokenCredential> {
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
