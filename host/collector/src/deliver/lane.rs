//! A send, from its first try to its last.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::letters::{Letters, Returned};
use super::queue::{Label, Parcel, Selection};
use super::{DeliverError, pause};
use crate::http::Retry;
use crate::output::{Documents, Fate, Output, Sent};

/// So many documents of a ticket are settled.
pub(super) type Booked = (Label, usize);

/// What a send takes.
pub(super) struct Lane<O> {
    pub(super) output: Arc<O>,
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
            let retry_after = match self.output.send(&parcel.documents).await {
                Ok(Sent { fates, retry_after }) => {
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
                    retry_after
                }
                Err(error) if error.is_transient() => {
                    tracing::error!(documents = before, %error, "not delivered");
                    error.retry_after()
                }
                Err(error) => return Err(error.into()),
            };
            drop(permit.take());
            pause(&mut retry, retry_after).await;
            permit = self.free.clone().acquire_owned().await.ok();
        }
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
                    continue;
                }
                Fate::Duplicate => {
                    metrics.duplicates.add(1_u64);
                    continue;
                }
                Fate::Retry | Fate::Unknown => {
                    unknown |= fate == Fate::Unknown;
                    again.add(document, &bytes);
                    continue;
                }
                Fate::Refused(refusal) => (refusal, false),
                Fate::FailureStore(refusal) => {
                    metrics.failure_store.add(1_u64);
                    (refusal, true)
                }
            };
            let stream = documents.stream(document);
            let returned = Returned { document, bytes: &bytes, stream, refusal: &refusal, failure_store };
            self.letters.keep(&*label.session, &returned).await?;
        }
        let part = again.into_part();
        let sent_since = documents.sent_since.or(unknown.then_some(began));
        Ok((!part.documents.is_empty()).then(|| Documents { part, sent_since, streams: documents.streams }))
    }
}
