//! The request of a managed identity, which asks the machine itself and proves nothing.
//!
//! - IMDS: <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>
//! - App Service: <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
//! - Azure Arc: <https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication>

use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Request, Response};
use url::Url;

use super::identity::{Host, ManagedIdentity};
use crate::http::{Client, Error, is_transient};

/// Keys of Arc's agent are small; a longer file is none.
const KEY: u64 = 4096;
/// After a 410 the service is back within 70 seconds; four waits of this outlast them.
const GONE: Duration = Duration::from_secs(20);

/// What to ask oneself where nobody answers as is expected.
pub(super) const NO_MACHINE: &str = "; is this a machine of Azure that has a managed identity?";

/// Makes the requests of a managed identity for one API.
pub(super) struct Requests {
    identity: ManagedIdentity,
    pub(super) url: Url,
}

impl Requests {
    /// Prepares requests for a token.
    pub(super) fn new(identity: &ManagedIdentity, scopes: &[String]) -> Result<Self, Error> {
        let [scope] = scopes else {
            let message = "must be one for a managed identity: one API's root followed by /.default";
            return Err(Error::Settings { option: "scopes", message: message.into() });
        };
        let (mut url, version) = match &identity.host {
            Host::Imds(url) => (url.clone(), "2018-02-01"),
            Host::AppService(url, _) => (url.clone(), "2019-08-01"),
            Host::Arc(url, _) => (url.clone(), "2021-02-01"),
        };
        let mut query = url.query_pairs_mut();
        query.append_pair("api-version", version);
        // The older form of a scope.
        query.append_pair("resource", scope.strip_suffix("/.default").unwrap_or(scope));
        if let Some(id) = &identity.client_id {
            query.append_pair("client_id", id);
        }
        drop(query);
        Ok(Self { identity: identity.clone(), url })
    }

    /// Asks once.
    pub(super) async fn ask(&self, client: &Client) -> Result<Response, Error> {
        let response = self.send(client, None).await?;
        let Host::Arc(_, keys) = &self.identity.host else { return Ok(response) };
        if response.status() != 401 {
            return Ok(response);
        }
        let host = crate::http::origin(&self.url);
        let key = arc_key(response.headers(), keys).map_err(|message| Error::Connection {
            host,
            message,
            advice: "; the process has to be in the group himds, or run as root",
            asked: false,
        })?;
        self.send(client, Some(key)).await
    }

    async fn send(&self, client: &Client, key: Option<HeaderValue>) -> Result<Response, Error> {
        client.execute(self.request(key)).await.map_err(|error| match error {
            Error::Connection { host, message, asked, .. } => {
                Error::Connection { host, message, advice: NO_MACHINE, asked }
            }
            error => error,
        })
    }

    fn request(&self, key: Option<HeaderValue>) -> Request {
        let mut request = Request::new(Method::GET, self.url.clone());
        let headers = request.headers_mut();
        headers.insert(HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
        if let Host::AppService(_, secret) = &self.identity.host
            && let Ok(mut secret) = HeaderValue::from_str(&secret.expose())
        {
            secret.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-identity-header"), secret);
        }
        if let Some(key) = key {
            headers.insert(AUTHORIZATION, key);
        }
        request
    }

    /// Whether a refusal with this status may pass, and how long to wait then where that is known. IMDS answers 404 and 410 while
    /// it is being updated.
    pub(super) fn passes(&self, status: u16, wait_max: Duration) -> (bool, Option<Duration>) {
        match status {
            404 => (true, None),
            410 => (true, Some(GONE.min(wait_max))),
            status => (is_transient(status), None),
        }
    }
}

/// What Arc's agent wants to see: the content of a file that only those may read who may ask, and that it names itself. It must be one of
/// the agent's own, or anybody who answers in its place could have any file sent.
fn arc_key(headers: &HeaderMap, keys: &Path) -> Result<HeaderValue, String> {
    let challenge = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let named = challenge.strip_prefix("Basic realm=").map(|path| Path::new(path.trim().trim_matches('"')));
    let own = named.filter(|path| path.parent() == Some(keys) && path.extension().is_some_and(|end| end == "key"));
    let Some(path) = own else { return Err("it names no key of its own to show".into()) };
    let name = path.display();
    let read = || {
        if std::fs::metadata(path)?.len() > KEY {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        std::fs::read(path)
    };
    let key = read().map_err(|error: std::io::Error| format!("the key {name} cannot be read: {error}"))?;
    let key = String::from_utf8_lossy(&key);
    // What the file holds is what is sent, as all of Microsoft's libraries do.
    let mut header =
        HeaderValue::from_str(&format!("Basic {}", key.trim())).map_err(|_| format!("the key {name} is no text"))?;
    header.set_sensitive(true);
    Ok(header)
}
