//! Requests to the server, and what its answers mean.

use std::future::Future;

use anyhow::{Result, bail};
use defenderbeat_collector::output::elasticsearch::Client;
use reqwest::Method;
use serde_json::Value as Json;

/// Who answers requests: Elasticsearch, or a stand-in in tests.
pub(super) trait Server {
    /// Asks for a path, with a body or none. An answer may be a refusal; without any answer it is an error.
    fn call(&self, method: Method, path: &str, body: Option<&Json>) -> impl Future<Output = Result<Answer>>;
}

impl Server for Client {
    async fn call(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Answer> {
        let reply = Client::call(self, method, &format!("/{path}"), body).await?;
        Ok(Answer { status: reply.status, body: serde_json::from_slice(&reply.body).unwrap_or_default() })
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Json,
}

impl Answer {
    /// Why the server refuses, in its own words where it has some: the cause that says most.
    pub(super) fn reason(&self) -> String {
        let mut error = self.body.get("error").unwrap_or(&Json::Null);
        while let Some(cause) = error.get("caused_by") {
            error = cause;
        }
        let reason = error.get("reason").or(Some(error)).and_then(Json::as_str);
        reason.map_or_else(|| format!("status {}", self.status), str::to_owned)
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Fails where the server does not say yes or no, but that it does not know who asks, or does not let them.
    fn authorised(self, method: &Method, path: &str) -> Result<Self> {
        match self.status {
            401 => bail!(
                "{method} /{path}: the server does not know the account: {}. Check output.elasticsearch.api_key, or username and \
                 password",
                self.reason()
            ),
            403 => bail!(
                "{method} /{path}: the account may not: {}. What setup needs is in docs/elasticsearch.md, Privileges",
                self.reason()
            ),
            _ => Ok(self),
        }
    }
}

/// What is there at a path; none where the server says that there is nothing, or does not know such things at all.
pub(super) async fn get(server: &impl Server, path: &str) -> Result<Option<Json>> {
    let answer = server.call(Method::GET, path, None).await?.authorised(&Method::GET, path)?;
    match answer.status {
        // 400, 405 and 410: an API that this server does not have.
        400 | 404 | 405 | 410 => Ok(None),
        _ if answer.is_success() => Ok(Some(answer.body)),
        _ => bail!("GET /{path}: the server failed: {}. Try again", answer.reason()),
    }
}

/// Whether the server takes a request that changes nothing.
pub(super) async fn takes(server: &impl Server, method: Method, path: &str, body: Option<&Json>) -> Result<bool> {
    let answer = server.call(method.clone(), path, body).await?.authorised(&method, path)?;
    match answer.status {
        429 | 500.. => bail!("{method} /{path}: the server failed: {}. Try again", answer.reason()),
        _ => Ok(answer.is_success()),
    }
}

/// Has the server do something.
pub(super) async fn send(server: &impl Server, method: Method, path: &str, body: Option<&Json>) -> Result<()> {
    let answer = server.call(method.clone(), path, body).await?.authorised(&method, path)?;
    if !answer.is_success() {
        bail!("{method} /{path}: the server refuses: {}", answer.reason());
    }
    Ok(())
}
