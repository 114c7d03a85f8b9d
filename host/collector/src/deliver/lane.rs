//! A send, from its first try to its last.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::letters::{Letters, Returned};
use super::queue::{Label, Parcel, Selection};
use super::{DeliverError, pause};
use crate::http::Retry;
use crate::metrics::OutputMetrics;
use crate::output::{Documents, Fate, Output, OutputError, Sent};

/// So many documents of a ticket are settled.
pub(super) type Booked = (Label, usize);

/// The aspect of the output that takes documents.
const SENDING: &str = "sending";

/// What a send takes.
pub(super) struct Lane<O> {
    pub(super) output: Arc<O>,
    pub(super) metrics: Arc<OutputMetrics>,
    pub(super) letters: Letters,
    /// Learns of documents as soon as they are settled.
    pub(super) booked: mpsc::UnboundedSender<Booked>,
    /// A permit for each send that may be under way.
    pub(super) free: Arc<Semaphore>,
}

impl<O: Output> Lane<O> {
    /// Sends documents until each has its fate. While they wait to be sent again others may be sent.
    ///
    /// # Errors
    ///
    /// The output takes nothing more, for good.
    pub(super) async fn run(self, mut parcel: Parcel, permit: OwnedSemaphorePermit) -> Result<(), DeliverError> {
        let mut permit = Some(permit);
        let mut retry = Retry::new(&self.letters.retry);
        loop {
            let (began, before) = (chrono::Utc::now().timestamp_millis(), parcel.len());
            let (retry_after, throttled) = match self.send(&parcel).await {
                Ok(Sent { fates, retry_after, throttled, .. }) => {
                    if fates.len() != before {
                        return Err(DeliverError::Fates { fates: fates.len(), documents: before });
                    }
                    parcel = self.book(parcel, fates, began).await?;
                    let left = parcel.len();
                    if left == 0 {
                        return Ok(());
                    }
                    if left < before {
                        retry = Retry::new(&self.letters.retry);
                    }
                    tracing::debug!(documents = left, of = before, "documents are sent again");
                    (retry_after, throttled)
                }
                Err(error) if error.is_transient() => {
                    tracing::error!(documents = before, %error, "not delivered");
                    (error.retry_after(), error.is_throttled())
                }
                Err(error) => return Err(error.into()),
            };
            drop(permit.take());
            let waited = pause(&mut retry, retry_after).await;
            if throttled {
                self.metrics.throttled_time.add(waited);
            }
            permit = self.free.clone().acquire_owned().await.ok();
        }
    }

    /// Sends documents once, and counts what comes of it.
    async fn send(&self, parcel: &Parcel) -> Result<Sent, OutputError> {
        let OutputMetrics { sends, sending, send_time, bytes, failures, throttled, health, success, .. } =
            &*self.metrics;
        sends.add(1_u64);
        sending.add(1);
        bytes.add(parcel.documents.iter().map(|documents| documents.part.ndjson.len()).sum::<usize>());
        let began = Instant::now();
        let sent = self.output.send(&parcel.documents).await;
        send_time.add(began.elapsed());
        sending.sub(1);
        let put_off = match &sent {
            Ok(sent) if sent.fates.iter().any(|fate| !matches!(fate, Fate::Retry | Fate::Unknown)) => {
                success.now();
                health.works(SENDING);
                sent.throttled
            }
            Ok(sent) => {
                failures.add(1_u64);
                health.failed(SENDING, &sent.problem.as_deref().unwrap_or("it takes none of the documents"));
                sent.throttled
            }
            Err(error) => {
                failures.add(1_u64);
                health.failed(SENDING, error);
                error.is_throttled()
            }
        };
        throttled.add(u64::from(put_off));
        sent
    }

    /// Books fates; gives the documents that are to be sent again.
    async fn book(&self, parcel: Parcel, fates: Vec<Fate>, began: i64) -> Result<Parcel, DeliverError> {
        let mut left = Parcel::default();
        let mut fates = fates.into_iter();
        for (label, documents) in parcel.labels.into_iter().zip(parcel.documents) {
            let count = documents.part.documents.len();
            let fates: Vec<Fate> = fates.by_ref().take(count).collect();
            let again = if fates.iter().all(|fate| *fate == Fate::Delivered) {
                label.session.metrics().delivered.add(count);
                self.metrics.delivered.add(count);
                self.metrics.in_flight.sub(documents.part.ndjson.len());
                None
            } else {
                self.sort(&label, documents, fates, began).await?
            };
            let settled = count - again.as_ref().map_or(0, |again| again.part.documents.len());
            if settled > 0 {
                // Where delivery has ended nobody books any more.
                let _ = self.booked.send((label.clone(), settled));
            }
            if let Some(again) = again {
                label.session.metrics().retried.add(again.part.documents.len());
                self.metrics.retried.add(again.part.documents.len());
                left.add(label, again);
            }
        }
        Ok(left)
    }

    /// Does with each document what its fate says; gives those that are to be sent again.
    async fn sort(
        &self,
        label: &Label,
        documents: Documents,
        fates: Vec<Fate>,
        began: i64,
    ) -> Result<Option<Documents>, DeliverError> {
        let metrics = label.session.metrics();
        let mut again = Selection::default();
        let mut unknown = false;
        for ((document, bytes), fate) in documents.part.iter().zip(fates) {
            let (refusal, failure_store) = match fate {
                Fate::Delivered => {
                    metrics.delivered.add(1_u64);
                    self.metrics.delivered.add(1_u64);
                    continue;
                }
                Fate::Duplicate => {
                    metrics.duplicates.add(1_u64);
                    self.metrics.duplicates.add(1_u64);
                    continue;
                }
                Fate::Retry | Fate::Unknown => {
                    unknown |= fate == Fate::Unknown;
                    again.add(document, &bytes);
                    continue;
                }
                Fate::Refused(refusal) => {
                    self.metrics.refused.add(1_u64);
                    (refusal, false)
                }
                Fate::FailureStore(refusal) => {
                    metrics.failure_store.add(1_u64);
                    self.metrics.failure_store.add(1_u64);
                    (refusal, true)
                }
            };
            let stream = documents.stream(document);
            let returned = Returned { document, bytes: &bytes, stream, refusal: &refusal, failure_store };
            self.letters.keep(&*label.session, &returned, &self.metrics).await?;
        }
        let bytes = documents.part.ndjson.len();
        let part = again.into_part();
        self.metrics.in_flight.sub(bytes - part.ndjson.len());
        let sent_since = documents.sent_since.or(unknown.then_some(began));
        Ok((!part.documents.is_empty()).then(|| Documents { part, sent_since, streams: documents.streams }))
    }
}
