//! The token endpoint of the login server, for client credentials, and the tokens it gave.
//!
//! Refusals have the codes and the form that Microsoft Entra documents (AADSTS error codes).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap};
use hyper::{Request, StatusCode};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::generate::Dice;
use crate::tenant::{Tenant, count};
use crate::time;

/// A longer form is none.
const FORM: usize = 64 * 1024;
/// What tokens are for: the roots of Graph and of the Defender for Endpoint API in Microsoft's clouds, and Event Hubs.
const RESOURCES: [(&str, Audience); 9] = [
    ("https://graph.microsoft.com", Audience::Graph),
    ("https://graph.microsoft.us", Audience::Graph),
    ("https://dod-graph.microsoft.us", Audience::Graph),
    ("https://microsoftgraph.chinacloudapi.cn", Audience::Graph),
    ("https://api.securitycenter.microsoft.com", Audience::Defender),
    ("https://securitycenter.onmicrosoft.com/windowsatpservice", Audience::Defender),
    ("https://api-gcc.securitycenter.microsoft.us", Audience::Defender),
    ("https://api-gov.securitycenter.microsoft.us", Audience::Defender),
    ("https://eventhubs.azure.net", Audience::EventHubs),
];

/// Who accepts a token. Nobody else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Graph,
    Defender,
    EventHubs,
}

/// The tokens that are good.
pub(crate) struct Tokens {
    seed: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    given: u64,
    /// Until when a token is good, and for whom.
    good: HashMap<String, (Instant, Audience)>,
}

/// Why a request has no access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// It has no token.
    Missing,
    /// Its token is not good, or no longer.
    Invalid,
    /// Its token is for another API.
    Audience,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, audience: Audience, lifetime: Duration) -> String {
        let mut state = self.state();
        let now = Instant::now();
        state.good.retain(|_, (until, _)| *until > now);
        state.given += 1;
        let mut dice = Dice::new(self.seed, "token", state.given);
        let token = format!("eyJ0eXAiOiJKV1QifQ.{}.{}", dice.hex(64), dice.hex(32));
        state.good.insert(token.clone(), (now + lifetime, audience));
        token
    }

    /// No token given so far is good any more.
    pub(crate) fn revoke(&self) {
        self.state().good.clear();
    }

    /// Until when a token is or was good for an audience.
    pub(crate) fn until(&self, token: &str, audience: Audience) -> Result<Instant, Unauthorized> {
        match self.state().good.get(token) {
            None => Err(Unauthorized::Invalid),
            Some((_, other)) if *other != audience => Err(Unauthorized::Audience),
            Some((until, _)) => Ok(*until),
        }
    }

    /// Whether a request brings a token that is good for an audience.
    pub(crate) fn check(&self, headers: &HeaderMap, audience: Audience) -> Result<(), Unauthorized> {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, token) = value.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
            return Err(Unauthorized::Missing);
        }
        let until = self.until(token.trim(), audience)?;
        if until > Instant::now() { Ok(()) } else { Err(Unauthorized::Invalid) }
    }
}

/// A refusal: status, OAuth error, number, message.
struct Refusal(StatusCode, &'static str, u32, String);

/// Answers a request for a token.
pub(crate) async fn answer(tenant: &Tenant, directory: &str, request: Request<Incoming>) -> Answer {
    let Ok(body) = Limited::new(request.into_body(), FORM).collect().await else {
        return answer::json(StatusCode::PAYLOAD_TOO_LARGE, "");
    };
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body.to_bytes()).into_owned().collect();
    match check(tenant, directory, &form) {
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
    }
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
    let resource = resource.trim_end_matches('/');
    let known = RESOURCES.into_iter().find(|(known, _)| *known == resource).map(|(_, audience)| audience);
    let Some(audience) = known.or((resource == tenant.url).then_some(Audience::Graph)) else {
        let message = format!("The resource principal named {resource} was not found in the tenant.");
        return Err(bad("invalid_resource", 500_011, message));
    };
    if field("client_secret")? != access.client_secret {
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
