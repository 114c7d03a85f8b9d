//! What goes wrong with requests to Elasticsearch.

use std::time::Duration;

use crate::http::{self, Answer};

/// How long to wait where an operator has to do something first.
const SLOWLY: Duration = Duration::from_secs(30);

/// A request that gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option is wrong, or no client can be made of the options. Trying again is of no use.
    #[error("output.elasticsearch: {0}")]
    Settings(#[source] http::Error),
    /// No answer, or none that is whole.
    #[error("output.elasticsearch: {source}")]
    NoAnswer {
        /// What happened.
        source: Box<http::Error>,
        /// The request may have been sent, wholly or in part, so what came of it is not known.
        sent: bool,
        /// The time that a request may take was over; the connection is closed.
        timeout: Option<Duration>,
    },
    /// The server refused the whole request.
    #[error("output.elasticsearch: {0}")]
    Refused(Box<Answer>),
    /// An answer that says 200 and is not what the request asks for.
    #[error(
        "output.elasticsearch: the answer of {host} does not go with the request: {what}; something between may answer in its place"
    )]
    Mismatch {
        /// Scheme, host and port.
        host: String,
        /// What is wrong with it.
        what: String,
    },
    /// Single documents met what an operator has to mend, such as a missing privilege or template.
    #[error("output.elasticsearch: {host}: {documents} documents wait: {code}: {message}{advice}")]
    Held {
        /// Scheme, host and port.
        host: String,
        /// How many.
        documents: usize,
        /// The server's code, of one of them.
        code: String,
        /// The server's words, of the same one.
        message: String,
        /// What to do about it.
        advice: &'static str,
    },
}

impl Error {
    /// Whether the server may have done what it was asked.
    pub(super) fn is_unknown(&self) -> bool {
        match self {
            Self::NoAnswer { sent, .. } => *sent,
            Self::Refused(answer) => matches!(answer.status, 408 | 500..=599),
            Self::Mismatch { .. } => true,
            Self::Settings(_) | Self::Held { .. } => false,
        }
    }

    /// As the error of a request that only reads: nothing that the server may still be at work on has to be waited for.
    pub(super) fn of_reading(mut self) -> Self {
        if let Self::NoAnswer { timeout, .. } = &mut self {
            *timeout = None;
        }
        self
    }

    /// Whether the same request may be taken later.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Settings(_))
    }

    /// How long to wait, where that is not for the backoff to say: as long as the server asks; as long again as the request
    /// was given, while the server may still be at work on it; 30 seconds where an operator has to do something first.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoAnswer { timeout, .. } => *timeout,
            Self::Refused(answer) if http::is_transient(answer.status) => answer.retry_after,
            Self::Settings(_) => None,
            Self::Refused(_) | Self::Mismatch { .. } | Self::Held { .. } => Some(SLOWLY),
        }
    }

    /// Whether the server is asked too much.
    pub(crate) fn is_throttled(&self) -> bool {
        self.status() == Some(429)
    }

    /// The status that the server refused the request with.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(answer) => Some(answer.status),
            _ => None,
        }
    }
}

/// What to do about a refusal; empty where there is nothing to say.
pub(super) fn advice(status: u16) -> &'static str {
    match status {
        401 => "check api_key, or username and password",
        403 => {
            "give the account the privileges auto_configure, create_doc and read on logs-m365_defender.*; `defenderbeat test output` names what is missing"
        }
        404 => "check the path in hosts",
        407 => "the proxy wants credentials: put them into proxy_url",
        300..=399 => "redirects are not followed: write the address that it leads to into hosts",
        _ => "",
    }
}
