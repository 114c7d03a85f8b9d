//! What goes wrong with event hubs, and what an operator can do about it.

use std::error::Error as _;

use azure_core_amqp::AmqpError;
use azure_core_amqp::error::{AmqpErrorCondition, AmqpErrorKind};
use azure_messaging_eventhubs::EventHubsError;
use azure_messaging_eventhubs::error::ErrorKind;

use super::progress::CursorError;
use crate::http;

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option is wrong, or storage or login refuse.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The saved cursor is of no use.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// Event Hubs does not do what it was asked for.
    #[error("{doing}: {message}{advice}")]
    Hub {
        /// What was being done to what.
        doing: String,
        /// The cause.
        message: String,
        /// What to do about it.
        advice: &'static str,
        /// Of which kind it is.
        fault: Fault,
    },
    /// No hub that the options name is there.
    #[error(
        "none of the event hubs that {0} stands for is in namespace {1}; check eventhub, and that Defender XDR streams to this namespace"
    )]
    NoHub(String, String),
    /// The tasks are gone: a defect of this program.
    #[error("reading stopped unexpectedly; please report this with the log")]
    Stopped,
}

/// Kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such hub or consumer group.
    Missing,
    /// The credentials are not accepted, or do not suffice.
    Unauthorized,
    /// Somebody else reads the partition now.
    Stolen,
    /// The request itself is refused, such as a place that the partition does not have.
    Refused,
    /// Anything that may be over a little later.
    Passing,
}

impl Error {
    /// Whether the same may well succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http(error) => error.is_transient(),
            Self::Hub { fault, .. } => matches!(fault, Fault::Passing | Fault::Stolen),
            Self::NoHub(..) | Self::Stopped => true,
            Self::Cursor(_) => false,
        }
    }

    /// Whether to try once more after so many failures in a row, where there are so many attempts. A token may be refused for a moment, as
    /// when keys and roles change; so that access is refused is believed when it is said again and again.
    pub(super) fn may_pass(&self, failures: u32, attempts: u32) -> bool {
        self.is_transient() || (self.fault() == Fault::Unauthorized && failures < attempts)
    }

    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Hub { fault, .. } => *fault,
            _ => Fault::Passing,
        }
    }

    /// Finds out what an error of the library means.
    pub(super) fn of(doing: String, error: &EventHubsError) -> Self {
        let (fault, message) = read(error);
        Self::Hub { doing, message, advice: advice(fault), fault }
    }

    /// No answer in time.
    pub(super) fn timeout(doing: String, seconds: u64) -> Self {
        let message = format!("no answer within {seconds}s");
        Self::Hub { doing, message, advice: advice(Fault::Passing), fault: Fault::Passing }
    }
}

fn advice(fault: Fault) -> &'static str {
    match fault {
        Fault::Missing => {
            "; check eventhub, consumer_group and that the connection string or eventhub_namespace is for this namespace"
        }
        Fault::Unauthorized => {
            "; check that the key or signature is valid and has the right to listen, or give the identity the role Azure Event Hubs Data Receiver"
        }
        Fault::Stolen => "",
        Fault::Refused => {
            "; where the hub was made anew, its old checkpoints lead nowhere: remove them, from the container or under path.data"
        }
        Fault::Passing => {
            "; if it stays, check name resolution and that the firewall lets port 5671 through, or set transport: websocket for port 443"
        }
    }
}

/// The first cause that says of which kind it is, and what it says.
fn read(error: &EventHubsError) -> (Fault, String) {
    match &error.kind {
        ErrorKind::ConsumerDisconnected(by) => {
            let text = by.as_ref().and_then(|by| by.description.clone()).unwrap_or_default();
            return (Fault::Stolen, text);
        }
        ErrorKind::InvalidManagementResponse => {
            return (Fault::Passing, "the answer to a question about the event hub cannot be understood".into());
        }
        _ => {}
    }
    let mut deepest = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(known) = cause.downcast_ref::<AmqpError>().and_then(read_amqp) {
            return known;
        }
        if let Some(error) = cause.downcast_ref::<http::Error>() {
            let fault = if error.is_transient() { Fault::Passing } else { Fault::Unauthorized };
            return (fault, error.to_string());
        }
        if let Some(error) = cause.downcast_ref::<azure_core::Error>()
            && matches!(error.kind(), azure_core::error::ErrorKind::Credential)
            && cause.source().is_none()
        {
            return (Fault::Unauthorized, error.to_string());
        }
        deepest = cause.to_string();
        next = cause.source();
    }
    (Fault::Passing, deepest)
}

fn read_amqp(error: &AmqpError) -> Option<(Fault, String)> {
    match error.kind() {
        AmqpErrorKind::AmqpDescribedError(described) => {
            use AmqpErrorCondition as C;
            let fault = match described.condition {
                C::NotFound | C::ResourceDeleted | C::EntityDisabledError => Fault::Missing,
                C::UnauthorizedAccess => Fault::Unauthorized,
                C::LinkStolen => Fault::Stolen,
                C::InvalidField | C::ArgumentError | C::ArgumentOutOfRangeError => Fault::Refused,
                _ => Fault::Passing,
            };
            let text = described.description.as_deref().unwrap_or_default();
            Some((fault, format!("{}: {}", described.condition, text.lines().next().unwrap_or_default())))
        }
        AmqpErrorKind::ManagementStatusCode(status, text) => {
            let number = u16::from(*status);
            let fault = match number {
                404 | 410 => Fault::Missing,
                401 | 403 => Fault::Unauthorized,
                400 => Fault::Refused,
                _ => Fault::Passing,
            };
            let text = text.as_deref().unwrap_or_default();
            Some((fault, format!("it answered {number}: {}", text.lines().next().unwrap_or_default())))
        }
        _ => None,
    }
}
