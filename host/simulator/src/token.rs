//! The tokens that were given, and what for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::generate::Dice;
use crate::tenant::Tenant;

/// What tokens are for: the roots of Graph and of the Defender for Endpoint API in Microsoft's clouds, Event Hubs, and storage.
const RESOURCES: [(&str, Audience); 10] = [
    ("https://graph.microsoft.com", Audience::Graph),
    ("https://graph.microsoft.us", Audience::Graph),
    ("https://dod-graph.microsoft.us", Audience::Graph),
    ("https://microsoftgraph.chinacloudapi.cn", Audience::Graph),
    ("https://api.securitycenter.microsoft.com", Audience::Defender),
    ("https://securitycenter.onmicrosoft.com/windowsatpservice", Audience::Defender),
    ("https://api-gcc.securitycenter.microsoft.us", Audience::Defender),
    ("https://api-gov.securitycenter.microsoft.us", Audience::Defender),
    ("https://eventhubs.azure.net", Audience::EventHubs),
    ("https://storage.azure.com", Audience::Storage),
];

/// Who accepts a token. Nobody else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Graph,
    Defender,
    EventHubs,
    Storage,
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

    pub(crate) fn give(&self, audience: Audience, lifetime: Duration) -> String {
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

/// Who accepts tokens for a resource.
pub(crate) fn audience(tenant: &Tenant, resource: &str) -> Option<Audience> {
    let resource = resource.trim_end_matches('/');
    let known = RESOURCES.into_iter().find(|(known, _)| *known == resource).map(|(_, audience)| audience);
    known.or((resource == tenant.url).then_some(Audience::Graph))
}
