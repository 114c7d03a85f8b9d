//! Documents to Logstash, by version 2 of the Lumberjack protocol, as Beats send them.
//!
//! A send is one window, which Logstash acknowledges once its queue has it. What is acknowledged of a window in which the
//! connection breaks is delivered; whether the rest arrived is not known, so it is sent again, and may be there twice: `_id`
//! in `@metadata` tells that. Logstash refuses nothing.
//!
//! There is no maintained library of the protocol for Rust. Its description:
//! <https://github.com/elastic/go-lumber>, <https://github.com/logstash-plugins/logstash-input-beats/blob/main/PROTOCOL.md>.

mod connection;
mod error;
mod frames;
mod hosts;
mod settings;
pub(super) mod trial;

use std::sync::Arc;

use super::message::{Message, origin};
use super::{Documents, Fate, Limits, Output, OutputError, Sent};
use crate::http::RetrySettings;

use connection::Broken;
pub use error::Error;
use hosts::Hosts;
pub use settings::LogstashSettings;

/// Bytes of the documents of one window. Logstash has all of one in memory before it goes on.
const BYTES: usize = 8 << 20;

/// Sends documents to Logstash.
#[derive(Debug)]
pub struct Logstash {
    settings: LogstashSettings,
    hosts: Hosts,
    /// Members of `@metadata` that all documents have.
    origin: String,
}

impl Logstash {
    /// Prepares connections; opens none.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub fn open(settings: LogstashSettings) -> Result<Self, Error> {
        Ok(Self { hosts: Hosts::new(&settings).map_err(Error::Settings)?, origin: origin(&settings.index), settings })
    }

    async fn send_window(&self, messages: &[Message<'_>]) -> Result<(usize, Option<Error>), Error> {
        let mut failed = None;
        for host in self.hosts.candidates() {
            let connection = match host.connection().await {
                Ok(connection) => connection,
                Err(source) => {
                    let error = Error::Connect { host: host.name(), source };
                    self.hosts.failed(host, &error);
                    failed = Some(error);
                    continue;
                }
            };
            let frames = frames::window(messages, self.settings.compression_level)
                .map_err(|source| Error::Connect { host: host.name(), source })?;
            return Ok(match connection.send(frames, messages.len()).await {
                Ok(()) => {
                    self.hosts.answered(host);
                    (messages.len(), None)
                }
                Err(Broken { acknowledged, why }) => {
                    host.lost(&connection).await;
                    let error = Error::Broken { host: host.name(), why: Arc::unwrap_or_clone(why) };
                    self.hosts.failed(host, &error);
                    (acknowledged.min(messages.len()), Some(error))
                }
            });
        }
        Err(failed.unwrap_or_else(|| Error::Settings(settings::no_hosts())))
    }
}

impl Output for Logstash {
    fn limits(&self) -> Limits {
        Limits {
            documents: self.settings.bulk_max_size,
            bytes: BYTES,
            lanes: self.hosts.connections() * self.settings.pipelining,
        }
    }

    fn retry(&self) -> RetrySettings {
        self.settings.backoff.retry()
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        let messages: Vec<Message<'_>> =
            documents.iter().flat_map(|documents| documents.messages(&self.origin)).collect();
        let (acknowledged, error) = self.send_window(&messages).await?;
        if let Some(error) = &error {
            let left = messages.len() - acknowledged;
            tracing::warn!(documents = left, %error, "not all documents are known to be delivered: they are sent again");
        }
        let mut fates = vec![Fate::Delivered; acknowledged];
        fates.resize(messages.len(), Fate::Unknown);
        Ok(Sent { fates, problem: error.map(|error| error.to_string()), ..Sent::default() })
    }

    async fn flush(&self) -> Result<(), OutputError> {
        // What is acknowledged is Logstash's.
        Ok(())
    }
}
