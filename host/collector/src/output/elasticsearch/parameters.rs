//! Parameters of `_bulk`, of which a server may not know all.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::look_up::segment;
use super::response::FILTER;

/// The parameters of each request. A server refuses a request with one that it does not know, before anything is done; it is asked
/// without that one from then on.
#[derive(Debug)]
pub(super) struct Parameters {
    always: String,
    optional: Mutex<Vec<(&'static str, String)>>,
}

impl Parameters {
    /// Parameters of requests that are waited for so long.
    pub(super) fn new(pipeline: &str, timeout: Duration) -> Self {
        // For what Elasticsearch waits for within a request, such as a shard: less, so that it says so before it is given up.
        let timeout = timeout * 2 / 3;
        let optional = vec![
            ("pipeline", segment(pipeline)),
            // Without it a name that no template makes a data stream of would become an index. Elasticsearch 8.13 and later.
            ("require_data_stream", "true".to_owned()),
        ];
        let always = format!("/_bulk?timeout={}ms&filter_path={FILTER}", timeout.as_millis());
        Self { always, optional: Mutex::new(optional) }
    }

    /// The path of a request with its parameters.
    pub(super) fn path(&self) -> String {
        let optional = self.optional.lock().unwrap_or_else(PoisonError::into_inner);
        optional.iter().fold(self.always.clone(), |path, (name, value)| format!("{path}&{name}={value}"))
    }

    /// Leaves out what the server does not know, going by its words about the request with this path; says whether another path is to
    /// be tried.
    pub(super) fn refused(&self, path: &str, words: &str) -> bool {
        if !words.contains("unrecognized parameter") {
            return false;
        }
        let mut optional = self.optional.lock().unwrap_or_else(PoisonError::into_inner);
        optional.retain(|(name, _)| {
            let known = !words.contains(&format!("[{name}]"));
            if !known {
                tracing::warn!(
                    parameter = name,
                    "output.elasticsearch: the server does not know a parameter of _bulk; it is asked without"
                );
            }
            known
        });
        drop(optional);
        // Another request may have met the same before.
        self.path() != path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_does_not_know_is_left_out() {
        let parameters = Parameters::new("_none", Duration::from_secs(90));
        assert!(parameters.path().ends_with("&pipeline=_none&require_data_stream=true"), "{}", parameters.path());
        let (path, words) =
            (parameters.path(), "request [/_bulk] contains unrecognized parameter: [require_data_stream]");
        assert!(!parameters.refused(&path, "request [/_bulk] contains unrecognized parameter: [filter]"));
        assert!(parameters.refused(&path, words));
        assert!(parameters.path().ends_with("&pipeline=_none"), "{}", parameters.path());
        assert!(parameters.refused(&path, words), "one that was sent before is sent again");
        assert!(!parameters.refused(&parameters.path(), words));
    }
}
