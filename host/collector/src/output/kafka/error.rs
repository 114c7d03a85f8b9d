//! What goes wrong with Kafka, and what is to be done about it.

use std::time::Duration;

use rskafka::client::error::{Error as ClientError, ProtocolError};

use super::KafkaSettings;
use crate::http;

/// How long to wait where an operator has to do something first.
const SLOWLY: Duration = Duration::from_secs(30);

/// Why documents were not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option is wrong. Trying again is of no use.
    #[error("output.kafka: {0}")]
    Settings(#[source] http::Error),
    /// No broker lets us in, so nothing was sent.
    #[error("output.kafka: connecting to {hosts}: {message}{advice}")]
    Connect {
        /// The brokers that were asked.
        hosts: String,
        /// What happened.
        message: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// A topic cannot be written; nothing was sent to it.
    #[error("output.kafka: topic {topic}: {message}{advice}")]
    Topic {
        /// Its name.
        topic: String,
        /// What happened.
        message: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// A partition did not take documents, or may have.
    #[error("output.kafka: topic {topic}, partition {partition}: {message}{advice}")]
    Partition {
        /// The topic's name.
        topic: String,
        /// The partition's number.
        partition: i32,
        /// What happened.
        message: String,
        /// What to do about it; where something is, they wait longer.
        advice: &'static str,
    },
}

impl Error {
    /// Whether the same documents may be taken later.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Settings(_))
    }

    /// 30 seconds where an operator has to do something first.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Settings(_) => None,
            Self::Connect { advice, .. } | Self::Topic { advice, .. } | Self::Partition { advice, .. } => {
                (!advice.is_empty()).then_some(SLOWLY)
            }
        }
    }

    pub(super) fn connect(settings: &KafkaSettings, error: &ClientError) -> Self {
        let message = describe(error);
        let advice = connection_advice(&message, settings.ssl.is_some());
        Self::Connect { hosts: settings.hosts.join(", "), message, advice }
    }

    pub(super) fn no_answer(settings: &KafkaSettings) -> Self {
        let message = format!("no answer within {} ms", settings.timeout.as_millis());
        Self::Connect { hosts: settings.hosts.join(", "), message, advice: "" }
    }

    pub(super) fn topic(topic: &str, error: &ClientError) -> Self {
        let message = describe(error);
        let advice = if message.contains("UnknownTopicOrPartition") { UNKNOWN } else { advice(error) };
        Self::Topic { topic: topic.to_owned(), message, advice }
    }

    pub(super) fn partition(topic: &str, partition: i32, error: &ClientError) -> Self {
        Self::Partition { topic: topic.to_owned(), partition, message: describe(error), advice: advice(error) }
    }
}

const UNKNOWN: &str = "; make the topic, or let brokers make it (auto.create.topics.enable)";

/// What to do where there is no connection. The library tells kinds of failure apart by their text only.
fn connection_advice(message: &str, is_secure: bool) -> &'static str {
    let advice = [
        // That has an advice of its own.
        ("user defined callback", ""),
        ("SaslMechanism", "; the broker does not take this sasl.mechanism"),
        ("unsupported sasl mechanism", "; the broker does not take this sasl.mechanism"),
        ("session error: callback error", "; the broker refuses the token: check auth and scope"),
        ("Sasl", "; check username, password, auth and sasl.mechanism"),
        ("fatal alert", "; the broker does not take our certificate: check ssl.certificate and ssl.key"),
        ("certificate", "; check ssl.certificate_authorities"),
        ("tls handshake eof", "; is this a port with TLS?"),
        ("InvalidContentType", "; is this a port with TLS?"),
        ("early eof", if is_secure { "" } else { "; is this a port with TLS? `ssl: {}` uses it" }),
    ];
    advice.into_iter().find(|(said, _)| message.contains(said)).map_or("", |(_, advice)| advice)
}

/// What was said, without the library's inner structure.
fn describe(error: &ClientError) -> String {
    match error {
        ClientError::Connection(_) | ClientError::RetryFailed(_) => {
            let message = error.to_string();
            message.rsplit_once("Retry exceeded deadline. Source: ").map_or(&*message, |(_, source)| source).to_owned()
        }
        ClientError::ServerError { protocol_error, error_message, .. } => match error_message {
            Some(message) => format!("{protocol_error:?}: {message}"),
            None => format!("{protocol_error:?}"),
        },
        error => error.to_string(),
    }
}

fn advice(error: &ClientError) -> &'static str {
    let ClientError::ServerError { protocol_error, .. } = error else { return "" };
    match protocol_error {
        ProtocolError::UnknownTopicOrPartition => UNKNOWN,
        ProtocolError::TopicAuthorizationFailed | ProtocolError::ClusterAuthorizationFailed => {
            "; let this user describe and write the topic, and create it where it does not exist"
        }
        ProtocolError::InvalidTopicException => {
            "; the name is none that Kafka takes: check topic, and namespaces of inputs"
        }
        ProtocolError::UnsupportedCompressionType => "; choose another compression",
        ProtocolError::PolicyViolation | ProtocolError::InvalidConfig => "; ask who runs the brokers",
        _ => "",
    }
}

/// What a failure means for the documents of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The batch, or one of its documents, will never be taken.
    Unacceptable,
    /// None was taken.
    NotTaken,
    /// They may have been taken.
    Unknown,
}

pub(super) fn meaning(error: &ClientError) -> Meaning {
    let ClientError::ServerError { protocol_error, .. } = error else { return Meaning::Unknown };
    match protocol_error {
        ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge | ProtocolError::InvalidRecord => {
            Meaning::Unacceptable
        }
        ProtocolError::NotEnoughReplicasAfterAppend
        | ProtocolError::RequestTimedOut
        | ProtocolError::NetworkException
        | ProtocolError::UnknownServerError
        | ProtocolError::KafkaStorageError => Meaning::Unknown,
        _ => Meaning::NotTaken,
    }
}
