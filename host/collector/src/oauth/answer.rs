//! What is answered to a request for a token, and what to do about a refusal.

use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::DATE;
use serde::Deserialize;

use super::identity::{Identity, Proof};

/// A token that was given.
#[derive(Deserialize)]
pub(super) struct Grant {
    pub(super) access_token: String,
    #[serde(default)]
    expires_in: Number,
    /// Seconds since 1970 by the server's clock; App Service gives nothing else.
    #[serde(default)]
    expires_on: Number,
}

/// A number; older endpoints give it as text.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Number {
    Integer(u64),
    Text(String),
    #[default]
    Absent,
}

impl Number {
    fn value(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::Absent => None,
        }
    }
}

impl Grant {
    /// How long the token is good from `now` on, by the server's clock.
    pub(super) fn lifetime(&self, now: SystemTime) -> Duration {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let until = || self.expires_on.value().map(|until| until.saturating_sub(now));
        // What OAuth calls recommended; five minutes is the shortest life that Entra gives.
        Duration::from_secs(self.expires_in.value().or_else(until).unwrap_or(300).min(86_400))
    }
}

/// The server's clock, whole seconds.
pub(super) fn date(response: &Response) -> Option<SystemTime> {
    httpdate::parse_http_date(response.headers().get(DATE)?.to_str().ok()?).ok()
}

/// Why no token was given.
#[derive(Deserialize)]
pub(super) struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

impl Refusal {
    /// `AADSTS` and a number, or the OAuth error code; and the server's words in one line.
    pub(super) fn told(self) -> (String, String) {
        // The description has trace ids and times on further lines.
        let description = self.error_description.lines().next().unwrap_or_default();
        let code = self.error_codes.first().map_or(self.error, |number| format!("AADSTS{number}"));
        let message = if description.is_empty() { code.clone() } else { description.to_owned() };
        (code, message)
    }
}

/// An assertion was refused for its times.
pub(super) const OUT_OF_TIME: &str = "AADSTS700024";

/// What to do about a refusal.
/// Numbers: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
pub(super) fn advice(code: &str, identity: &Identity) -> &'static str {
    let Identity::Application(application) = identity else {
        return "; no such managed identity is assigned to this machine: turn on the system-assigned one, or check the client id of the user-assigned one";
    };
    match (code, &application.proof) {
        ("AADSTS7000215", _) => "; client_secret is wrong: it is the secret's value, not its id",
        ("AADSTS7000222", _) => "; client_secret has expired: create a new one for the application",
        ("AADSTS700016", _) => "; client_id is not known in this tenant: check client_id and tenant_id",
        ("AADSTS90002" | "AADSTS900023" | "AADSTS900021", _) => {
            "; tenant_id is wrong, or login_url belongs to another cloud"
        }
        ("AADSTS900382" | "AADSTS900439", _) => {
            "; the tenant belongs to another cloud: check login_url, url and scopes"
        }
        ("AADSTS70011" | "AADSTS1002012", _) => "; scopes must be one API's root followed by /.default",
        ("AADSTS500011" | "AADSTS500014", _) => "; the API is not available in this tenant: check scopes and url",
        ("AADSTS7000112", _) => "; the application is disabled: enable it in Entra",
        ("AADSTS53003", _) => "; a conditional access policy blocks the application",
        (OUT_OF_TIME, Proof::Federated(_)) => {
            "; the token in auth.token_file has expired, or its issuer's clock is wrong: whoever writes the file has to renew it"
        }
        (OUT_OF_TIME, _) => "; set the clock of this machine",
        ("AADSTS700027" | "AADSTS7000214", _) => {
            "; the certificate is not registered with the application, or has expired: upload it under Certificates & secrets"
        }
        (_, Proof::Secret(_)) => "; check tenant_id, client_id, client_secret and login_url",
        (_, Proof::Certificate(_)) => "; check tenant_id, client_id, auth.certificate and login_url",
        (_, Proof::Federated(_)) => {
            "; check tenant_id, client_id and login_url, and that a federated credential of the application has issuer, subject and audience of the token in auth.token_file"
        }
    }
}
