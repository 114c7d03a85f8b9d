//! The host's own data: where addresses are, whose networks they belong to, and what user agents are.
//!
//! A [`Data`] answers `user-agent` always, and `geo` and `as` where it has databases in the MaxMind DB format. Answers are
//! JSON objects without white space, their keys sorted, so they are the same wherever they are asked for. What was
//! answered last is kept, 4096 answers of each kind.

mod geoip;
mod user_agent;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use defenderbeat_runtime::Lookup;
use lru::LruCache;

pub use geoip::{Geoip, GeoipError};
use user_agent::UserAgents;

/// Answers that are kept of each kind.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);
/// Longest question that is kept, in bytes, which bounds the memory of answers to 8 MiB a kind. Browsers send less than
/// 512.
const KEPT_LENGTH: usize = 1024;

/// The host's own data. Cheap to share; workers ask it at the same time.
pub struct Data {
    geo: Kind,
    r#as: Kind,
    user_agent: Kind,
    geoip: Geoip,
    user_agents: UserAgents,
}

/// Answers of a kind, by question.
struct Kind(Mutex<LruCache<Box<str>, Option<Arc<str>>>>);

impl Data {
    /// Answers `geo` and `as` from these databases.
    pub fn new(geoip: Geoip) -> Self {
        let [geo, r#as, user_agent] = std::array::from_fn(|_| Kind(Mutex::new(LruCache::new(KEPT))));
        Self { geo, r#as, user_agent, geoip, user_agents: UserAgents::default() }
    }

    /// As [`new`](Self::new), from the files of two databases, each of which may be absent.
    ///
    /// # Errors
    ///
    /// A database cannot be read, or is of another kind.
    pub fn open(city: Option<&Path>, asn: Option<&Path>) -> Result<Self, GeoipError> {
        Ok(Self::new(Geoip::open(city, asn)?))
    }
}

impl Default for Data {
    /// Without databases.
    fn default() -> Self {
        Self::new(Geoip::default())
    }
}

impl Lookup for Data {
    fn find(&self, kind: &str, key: &str) -> Option<String> {
        match kind {
            "geo" => self.geo.answer(key, |key| self.geoip.geo(key)),
            "as" => self.r#as.answer(key, |key| self.geoip.r#as(key)),
            "user-agent" => self.user_agent.answer(key, |key| self.user_agents.find(key)),
            _ => None,
        }
    }
}

impl Kind {
    fn answer(&self, key: &str, find: impl FnOnce(&str) -> Option<String>) -> Option<String> {
        if key.len() > KEPT_LENGTH {
            return find(key);
        }
        // Not held while an answer is looked for: two workers may look for the same one.
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known().get(key) {
            return answer.as_deref().map(str::to_owned);
        }
        let answer = find(key);
        known().put(key.into(), answer.as_deref().map(Arc::from));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_and_the_oldest_forgotten() {
        let kind = Kind(Mutex::new(LruCache::new(NonZeroUsize::new(2).unwrap())));
        let asked = Mutex::new(Vec::new());
        let find = |key: &str| {
            asked.lock().unwrap().push(key.to_owned());
            (key != "none").then(|| key.to_uppercase())
        };
        for key in ["a", "none", "a", "none", "b", "a"] {
            let expected = (key != "none").then(|| key.to_uppercase());
            assert_eq!(kind.answer(key, find), expected, "{key}");
        }
        // `b` took the place of `a`, which was asked for longer ago than `none`.
        assert_eq!(*asked.lock().unwrap(), ["a", "none", "b", "a"]);
        let long = "x".repeat(KEPT_LENGTH + 1);
        for _ in 0..2 {
            assert_eq!(kind.answer(&long, find), Some(long.to_uppercase()));
        }
        assert_eq!(asked.lock().unwrap().len(), 6, "long questions are not kept");
    }

    #[test]
    fn without_databases_only_user_agents_are_known() {
        let data = Data::default();
        assert_eq!(data.find("geo", "81.2.69.142"), None);
        assert_eq!(data.find("as", "81.2.69.142"), None);
        assert_eq!(data.find("weather", "London"), None);
        assert!(data.find("user-agent", "curl/8.5.0").is_some());
    }
}
