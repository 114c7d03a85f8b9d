//! What was asked for.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Older requests are forgotten.
const KEPT: usize = 10_000;

/// A request to the Defender for Endpoint API, or for a file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefenderRequest {
    /// Its path, such as `/api/machines`.
    pub path: String,
    /// Its query, as it was sent.
    pub query: String,
    /// It had an Authorization header. One for a file of an export is refused: a token is of no use there, and nobody's
    /// business.
    pub authorization: bool,
    /// The status that it was answered with.
    pub status: u16,
}

/// Requests in the order of their answers.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<VecDeque<DefenderRequest>>);

impl Log {
    pub(super) fn add(&self, request: DefenderRequest) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == KEPT {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub(crate) fn read(&self) -> Vec<DefenderRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
