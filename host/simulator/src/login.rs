//! The token endpoint of the login server, for client credentials: a secret, an assertion signed with a certificate, or the token of
//! another issuer.
//!
//! Refusals have the codes and the form that Microsoft Entra documents (AADSTS error codes).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, DATE};
use hyper::{Request, StatusCode};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::assertion;
use crate::generate::Dice;
use crate::tenant::{Tenant, count};
use crate::time;
use crate::token::{Audience, audience};

/// A longer form is none.
const FORM: usize = 64 * 1024;

/// A refusal: status, OAuth error, number, message.
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) &'static str, pub(crate) u32, pub(crate) String);

/// Answers a request for a token.
pub(crate) async fn answer(tenant: &Tenant, directory: &str, request: Request<Incoming>) -> Answer {
    let Ok(body) = Limited::new(request.into_body(), FORM).collect().await else {
        return answer::json(StatusCode::PAYLOAD_TOO_LARGE, "");
    };
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body.to_bytes()).into_owned().collect();
    let mut answer = match check(tenant, directory, &form) {
        Ok(audience) => {
            let lifetime = tenant.options.access.token_lifetime;
            let token = tenant.tokens.give(audience, Duration::from_secs(lifetime.into()));
            count(&tenant.tally.tokens);
            let text = json!({
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token,
            });
            let mut answer = answer::json(StatusCode::OK, text.to_string());
            answer::set(&mut answer, CACHE_CONTROL, "no-store, no-cache");
            answer
        }
        Err(refusal) => refuse(&refusal, tenant.tally.read().requests),
    };
    answer::set(&mut answer, DATE, http_date(tenant.login_time()));
    answer
}

fn check(tenant: &Tenant, directory: &str, form: &BTreeMap<String, String>) -> Result<Audience, Refusal> {
    let access = &tenant.options.access;
    let bad = |error, number, message: String| Refusal(StatusCode::BAD_REQUEST, error, number, message);
    let field = |name: &str| {
        form.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
            let message = format!("The request body must contain the following parameter: '{name}'.");
            bad("invalid_request", 900_144, message)
        })
    };
    if !directory.eq_ignore_ascii_case(&access.tenant_id) {
        let message = format!("Tenant '{directory}' not found. Check to make sure you have the correct tenant ID.");
        return Err(bad("invalid_request", 90_002, message));
    }
    let grant = field("grant_type")?;
    if grant != "client_credentials" {
        let message = format!("The app requested an unsupported grant type '{grant}'.");
        return Err(bad("unsupported_grant_type", 70_003, message));
    }
    let client = field("client_id")?;
    if !client.eq_ignore_ascii_case(&access.client_id) {
        let message = format!("Application with identifier '{client}' was not found in the directory '{directory}'.");
        return Err(bad("unauthorized_client", 700_016, message));
    }
    let scope = field("scope")?;
    let Some(resource) = scope.strip_suffix("/.default") else {
        let message = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with \
             /.default suffixed to the resource identifier."
        );
        return Err(bad("invalid_scope", 1_002_012, message));
    };
    let Some(audience) = audience(tenant, resource) else {
        let message = format!("The resource principal named {resource} was not found in the tenant.");
        return Err(bad("invalid_resource", 500_011, message));
    };
    if form.contains_key("client_assertion") {
        assertion::check(tenant, directory, field("client_assertion_type")?, field("client_assertion")?)?;
    } else if field("client_secret")? != access.client_secret {
        let message = format!("Invalid client secret provided for app '{client}'.");
        return Err(Refusal(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, message));
    }
    Ok(audience)
}

fn refuse(Refusal(status, error, number, message): &Refusal, requests: u64) -> Answer {
    let mut dice = Dice::new(u64::from(*number), "trace", requests);
    let (trace, correlation) = (dice.guid(), dice.guid());
    let timestamp = time::text(time::now() / time::SECOND * time::SECOND).replace('T', " ");
    let text = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{number}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
        ),
        "error_codes": [number],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    });
    answer::json(*status, text.to_string())
}

/// A time as headers have it.
fn http_date(time: SystemTime) -> String {
    chrono::DateTime::<chrono::Utc>::from(time).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
