//! What goes wrong with requests, and what an operator can do about it.

use std::time::Duration;

/// A request that gave no usable answer, retries included.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option is wrong; trying again is of no use.
    #[error("option {option} {message}")]
    Settings {
        /// The option's name as in the configuration file.
        option: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// No client could be made.
    #[error("cannot prepare the HTTP client: {message}")]
    Client {
        /// The cause.
        message: String,
    },
    /// No answer: name resolution, connection, TLS or time.
    #[error("no answer from {host}: {message}{advice}")]
    Connection {
        /// Scheme, host and port.
        host: String,
        /// The cause.
        message: String,
        /// What to look at.
        advice: &'static str,
        /// There was a connection: the server took the request and gave no answer to it, at least not in time.
        asked: bool,
    },
    /// The answer ended before it was complete, or could not be decompressed.
    #[error("the answer from {host} broke off after {received} bytes: {message}")]
    Body {
        /// Scheme, host and port.
        host: String,
        /// Bytes that arrived, decompressed.
        received: u64,
        /// The cause.
        message: String,
    },
    /// The server refused the request.
    #[error("{answer}")]
    Refused {
        /// What it said.
        answer: Box<Answer>,
    },
    /// No token; the message says why and what to do.
    #[error("no token for {identity} from {host}: {message}{advice}")]
    Token {
        /// Who asked.
        identity: String,
        /// The login server, or what answers in its place on the machine.
        host: String,
        /// `AADSTS` and a number, or the OAuth error code.
        code: String,
        /// What the login server said, in one line.
        message: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// A link or a redirect leads away from the configured server. Following it would carry the token there.
    #[error(
        "{what} of {expected} leads to {found}, where the token must not go; if that server is the right one, set it as `url`"
    )]
    Foreign {
        /// `@odata.nextLink` or a redirect.
        what: &'static str,
        /// The configured origin.
        expected: String,
        /// Where it leads.
        found: String,
    },
    /// The server redirects in a circle.
    #[error("{host} redirects more than {limit} times in a row")]
    Redirects {
        /// The configured origin.
        host: String,
        /// How many are followed.
        limit: u32,
    },
    /// An answer with status 200 that is not what was asked for.
    #[error("{host} answered with {found} instead of JSON{advice}")]
    Content {
        /// Scheme, host and port.
        host: String,
        /// What came.
        found: String,
        /// What to look at.
        advice: &'static str,
    },
}

/// An answer other than 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Scheme, host and port.
    pub host: String,
    /// The HTTP status.
    pub status: u16,
    /// The service's own code; may be empty.
    pub code: String,
    /// The service's own words; may be empty.
    pub message: String,
    /// The id to give to Microsoft's support; may be empty.
    pub request_id: String,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// What to do about it; may be empty.
    pub advice: String,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} answered {}", self.host, self.status)?;
        for (separator, text) in [(" ", &self.code), (": ", &self.message), ("; ", &self.advice)] {
            if !text.is_empty() {
                // The service's own words are a sentence; here they are a part of one.
                write!(f, "{separator}{}", text.trim_end_matches('.'))?;
            }
        }
        if !self.request_id.is_empty() {
            write!(f, " (request-id {})", self.request_id)?;
        }
        Ok(())
    }
}

impl Error {
    /// Wraps a failure to get an answer at all.
    pub(crate) fn connection(host: String, error: &reqwest::Error) -> Self {
        let message = chain(error);
        let advice = if message.contains("certificate") {
            "; if the server's certificate is signed by your own authority, name it in ssl.certificate_authorities"
        } else if error.is_connect() {
            "; check name resolution, firewall and proxy_url"
        } else {
            ""
        };
        Self::Connection { host, message, advice, asked: !error.is_connect() }
    }

    /// Wraps the end of an answer before it was whole.
    pub(crate) fn broken(host: String, received: u64, error: &reqwest::Error) -> Self {
        Self::Body { host, received, message: chain(error) }
    }

    /// What a failure to get a token means for the request that needs it: it was not asked.
    pub(super) fn of_login(self) -> Self {
        match self {
            Self::Connection { host, message, advice, .. } => Self::Connection { host, message, advice, asked: false },
            Self::Body { host, message, .. } => Self::Connection { host, message, advice: "", asked: false },
            other => other,
        }
    }

    /// The status the server answered with, where there was an answer that refused the request.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { answer } => Some(answer.status),
            _ => None,
        }
    }

    /// Whether the same request may well succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connection { .. } | Self::Body { .. } => true,
            Self::Refused { answer } => is_transient(answer.status),
            _ => false,
        }
    }

    /// Whether less may be had where so much could not: the server failed at the request, took too long for it, or broke
    /// off. Not where it says how long to wait.
    pub fn is_overload(&self) -> bool {
        match self {
            Self::Refused { answer } => matches!(answer.status, 408 | 500..=599) && answer.retry_after.is_none(),
            Self::Connection { asked, .. } => *asked,
            Self::Body { .. } => true,
            _ => false,
        }
    }

    /// `error.code` of the error document: the service's own code, else the status, else the kind.
    pub fn code(&self) -> String {
        match self {
            Self::Settings { .. } => "settings".into(),
            Self::Client { .. } => "client".into(),
            Self::Connection { .. } => "connection".into(),
            Self::Body { .. } => "body".into(),
            Self::Refused { answer } if answer.code.is_empty() => answer.status.to_string(),
            Self::Refused { answer } => answer.code.clone(),
            Self::Token { code, .. } => code.clone(),
            Self::Foreign { .. } => "foreign_link".into(),
            Self::Redirects { .. } => "redirects".into(),
            Self::Content { .. } => "content".into(),
        }
    }

    /// `error.id` of the error document: the service's request id.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Refused { answer } if !answer.request_id.is_empty() => Some(&answer.request_id),
            _ => None,
        }
    }
}

/// Statuses that say nothing about the request itself.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

/// A cause and the causes of it, without the address, whose query may say more than a log should.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // reqwest puts the address into its own outermost message.
        let text = text.split(" for url (").next().unwrap_or_default().to_owned();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
