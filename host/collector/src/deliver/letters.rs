//! What goes to the dead letters instead of the output.

use defenderbeat_runtime::Document;
use serde_json::value::RawValue;

use super::{DeliverError, Reject, Session, pause};
use crate::dead_letter::{Content, DeadLetterFile, Letter, timestamp};
use crate::http::{Retry, RetrySettings};
use crate::metrics::OutputMetrics;
use crate::output::Refusal;

/// The part of the output that takes dead letters.
const LETTERS: &str = "dead letters";

/// The dead-letter file, and the patience to wait for it.
#[derive(Clone)]
pub(super) struct Letters {
    pub(super) file: DeadLetterFile,
    pub(super) retry: RetrySettings,
}

/// A document that is not delivered, and why.
pub(super) struct Returned<'a> {
    pub(super) document: &'a Document,
    pub(super) bytes: &'a [u8],
    /// The data stream it was for.
    pub(super) stream: Option<&'a str>,
    pub(super) refusal: &'a Refusal,
    /// The receiver keeps it where failures are kept.
    pub(super) failure_store: bool,
}

impl Letters {
    /// Sets a record aside that cannot be mapped.
    ///
    /// # Errors
    ///
    /// What was written before may be lost.
    pub(super) async fn set_aside(
        &self,
        session: &dyn Session,
        reject: &Reject,
        metrics: &OutputMetrics,
    ) -> Result<(), DeliverError> {
        tracing::warn!(
            input = session.input(),
            code = reject.code,
            path = reject.path,
            reason = reject.message,
            bytes = reject.bytes.len(),
            file = %self.file.path().display(),
            "a record cannot be mapped and goes to the dead letters"
        );
        let letter = Letter {
            timestamp: timestamp(reject.received_at),
            input: session.input(),
            feed: Some(&reject.feed),
            origin: reject.origin.as_ref(),
            index: None,
            code: reject.code,
            path: &reject.path,
            message: &reject.message,
            failure_store: false,
            offset: None,
            id: format!("{:032x}", reject.id),
            content: Content::record(&reject.bytes),
        };
        self.append(session, &letter, metrics).await
    }

    /// Keeps a document that the output does not take.
    ///
    /// # Errors
    ///
    /// As of [`set_aside`](Self::set_aside).
    pub(super) async fn keep(
        &self,
        session: &dyn Session,
        returned: &Returned<'_>,
        metrics: &OutputMetrics,
    ) -> Result<(), DeliverError> {
        let Returned { document, bytes, stream, refusal: Refusal { code, message }, failure_store } = *returned;
        let (input, index) = (session.input(), stream);
        let id = format!("{:032x}", document.id);
        let fate = if failure_store {
            "the failure store has a document: it is listed with the dead letters"
        } else {
            "the output refuses a document: it goes to the dead letters"
        };
        tracing::warn!(input, index, id, code, reason = message, "{fate}");
        let raw = serde_json::from_slice::<&RawValue>(bytes);
        let letter = Letter {
            timestamp: timestamp(chrono::Utc::now().timestamp_millis()),
            input,
            feed: None,
            origin: None,
            index,
            code,
            path: "",
            message,
            failure_store,
            offset: None,
            id,
            content: raw.map_or_else(|_| Content::record(bytes), Content::Document),
        };
        self.append(session, &letter, metrics).await
    }

    /// Writes a letter, however long it takes: what is in it is nowhere else.
    async fn append(
        &self,
        session: &dyn Session,
        letter: &Letter<'_>,
        metrics: &OutputMetrics,
    ) -> Result<(), DeliverError> {
        let mut retry = Retry::new(&self.retry);
        while let Err(error) = self.file.append(letter) {
            if self.file.is_lost() {
                return Err(DeliverError::DeadLetters(error));
            }
            let file = self.file.path().display();
            tracing::error!(input = session.input(), %file, %error, "the dead-letter file takes nothing: delivery waits for it");
            metrics.health.failed(LETTERS, &error);
            pause(&mut retry, None).await;
        }
        metrics.health.works(LETTERS);
        session.metrics().dead_letters.add(1_u64);
        Ok(())
    }
}
