//! The endpoints that give tokens to managed identities: the Instance Metadata Service, with the challenge of Azure Arc's agent where
//! that is asked for, and App Service.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::generate::Dice;
use crate::tenant::{Tenant, count};
use crate::time;
use crate::token::audience;

/// `GET /metadata/identity/oauth2/token`.
pub(crate) fn imds(tenant: &Tenant, query: &str, headers: &HeaderMap) -> Answer {
    let version = if tenant.options.access.arc_keys.is_some() { "2021-02-01" } else { "2018-02-01" };
    if header(headers, "metadata") != "true" {
        return refuse(StatusCode::BAD_REQUEST, "bad_request", "Required metadata header not specified");
    }
    if let Some(keys) = &tenant.options.access.arc_keys
        && let Some(challenge) = arc(tenant, keys, headers)
    {
        return challenge;
    }
    answer(tenant, query, version, true)
}

/// `GET /msi/token`.
pub(crate) fn app_service(tenant: &Tenant, query: &str, headers: &HeaderMap) -> Answer {
    if header(headers, "x-identity-header") != tenant.options.access.identity_header {
        return refuse(StatusCode::UNAUTHORIZED, "unauthorized", "X-IDENTITY-HEADER is missing or wrong");
    }
    answer(tenant, query, "2019-08-01", false)
}

/// The challenge, unless it is met: who can read a file that only some may read is one of them.
fn arc(tenant: &Tenant, keys: &Path, headers: &HeaderMap) -> Option<Answer> {
    let mut dice = Dice::new(tenant.options.alerts.seed, "arc", 0);
    let (file, key) = (keys.join("simulated.key"), dice.hex(32));
    if header(headers, AUTHORIZATION.as_str()) == format!("Basic {key}") {
        return None;
    }
    if std::fs::write(&file, &key).is_err() {
        return Some(refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The key cannot be written"));
    }
    let mut challenge = refuse(StatusCode::UNAUTHORIZED, "unauthorized", "Authorization is required");
    answer::set(&mut challenge, WWW_AUTHENTICATE, format!("Basic realm={}", file.display()));
    Some(challenge)
}

fn answer(tenant: &Tenant, query: &str, version: &str, with_lifetime: bool) -> Answer {
    let access = &tenant.options.access;
    let number = count(&tenant.tally.managed);
    let failure = usize::try_from(number).ok().and_then(|number| access.managed_failures.get(number));
    if let Some(status) = failure.and_then(|status| StatusCode::from_u16(*status).ok()) {
        return refuse(status, "simulated", "As was asked for");
    }
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let parameter = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    if parameter("api-version") != version {
        return refuse(StatusCode::BAD_REQUEST, "bad_request", "The api-version is not supported");
    }
    let identity = query.get("client_id").map_or("system", String::as_str);
    if !access.managed_identities.iter().any(|known| known == identity) {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "Identity not found");
    }
    let resource = parameter("resource");
    let Some(audience) = audience(tenant, resource) else {
        let message = format!("AADSTS500011: The resource principal named {resource} was not found in the tenant.");
        return refuse(StatusCode::BAD_REQUEST, "invalid_resource", &message);
    };
    let lifetime = access.token_lifetime;
    let token = tenant.tokens.give(audience, Duration::from_secs(lifetime.into()));
    count(&tenant.tally.tokens);
    let until = time::now() / time::SECOND + i64::from(lifetime);
    let mut text = json!({
        "access_token": token,
        "client_id": identity,
        "expires_on": until.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    });
    if with_lifetime && let Some(text) = text.as_object_mut() {
        text.insert("expires_in".into(), lifetime.to_string().into());
    }
    answer::json(StatusCode::OK, text.to_string())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refuse(status: StatusCode, error: &str, description: &str) -> Answer {
    answer::json(status, json!({ "error": error, "error_description": description }).to_string())
}
