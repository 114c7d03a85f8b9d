//! Checkpoints and ownership in a container, laid out as all of Microsoft's libraries have them, so that their consumers
//! take over from us and we from them: empty blobs whose metadata is the state.
//!
//! - `<namespace>/<event hub>/<consumer group>/checkpoint/<partition>` has `sequencenumber` and `offset`;
//! - `<namespace>/<event hub>/<consumer group>/ownership/<partition>` has `ownerid`; the time of its last change is when
//!   the hold was renewed, and its ETag decides between two who take it at once.
//!
//! Libraries differ in case: Go (and so filebeat) writes names as they are configured, Python in lower case. We write as
//! Go does, and where there is no such checkpoint one in lower case serves. filebeat's older form, a blob
//! `<partition>` in the root that holds JSON, is read where there is no other.

use std::collections::BTreeSet;
use std::time::SystemTime;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_messaging_eventhubs::CheckpointStore;
use azure_messaging_eventhubs::models::{Checkpoint, Ownership};
use serde::Deserialize;

use super::progress::Place;
use crate::http;
use crate::storage::{Blob, Condition, Container, Written};

/// What filebeat's older checkpoints have is a few hundred bytes.
const LEGACY: usize = 64 << 10;
const OWNER: &str = "ownerid";
const SEQUENCE_NUMBER: &str = "sequencenumber";
const OFFSET: &str = "offset";

/// A checkpoint that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) checkpoint: Checkpoint,
    /// When it was saved, by our clock.
    pub(super) saved_at: Option<SystemTime>,
}

/// A container that several collectors share.
#[derive(Clone, Debug)]
pub(super) struct BlobStore {
    container: Container,
}

impl BlobStore {
    /// Opens the container, or makes it.
    pub(super) async fn open(container: Container) -> Result<Self, http::Error> {
        container.ensure().await?;
        Ok(Self { container })
    }

    /// What filebeat left of a partition with `processor_version: v1`.
    pub(super) async fn legacy(&self, partition: &str) -> Result<Option<Place>, http::Error> {
        let Some((content, _)) = self.container.read(partition, LEGACY, None).await? else { return Ok(None) };
        let Ok(lease) = serde_json::from_slice::<Lease>(&content) else { return Ok(None) };
        let Lease { checkpoint: LeaseCheckpoint { offset, sequence_number } } = lease;
        // Before the first message it has neither.
        let begun = offset.as_deref().is_some_and(|offset| !offset.is_empty() && offset != "-1");
        Ok(begun.then_some(Place { offset, sequence_number }))
    }

    /// The checkpoints of a hub.
    pub(super) async fn kept(&self, namespace: &str, eventhub: &str, group: &str) -> azure_core::Result<Vec<Kept>> {
        let of = Checkpoint {
            fully_qualified_namespace: namespace.to_owned(),
            event_hub_name: eventhub.to_owned(),
            consumer_group: group.to_owned(),
            ..Checkpoint::default()
        };
        let prefix = Checkpoint::get_checkpoint_blob_prefix_name(namespace, eventhub, group)?;
        let mut kept = self.checkpoints(&prefix, &of).await.map_err(wrap)?;
        let lower = prefix.to_lowercase();
        if lower != prefix {
            let known: BTreeSet<String> = kept.iter().map(|found| found.checkpoint.partition_id.clone()).collect();
            let others = self.checkpoints(&lower, &of).await.map_err(wrap)?;
            kept.extend(others.into_iter().filter(|other| !known.contains(&other.checkpoint.partition_id)));
        }
        Ok(kept)
    }

    async fn checkpoints(&self, prefix: &str, of: &Checkpoint) -> Result<Vec<Kept>, http::Error> {
        let blobs = self.container.list(prefix).await?.into_iter();
        Ok(blobs
            .map(|blob| Kept {
                saved_at: blob.modified,
                checkpoint: Checkpoint {
                    partition_id: partition(&blob),
                    offset: blob.metadata.get(OFFSET).filter(|offset| !offset.is_empty()).cloned(),
                    sequence_number: blob.metadata.get(SEQUENCE_NUMBER).and_then(|number| number.parse().ok()),
                    ..of.clone()
                },
            })
            .filter(|Kept { checkpoint, .. }| checkpoint.offset.is_some() || checkpoint.sequence_number.is_some())
            .collect())
    }

    /// Takes one partition; none where another was faster.
    async fn claim(&self, ownership: &Ownership) -> Result<Option<Ownership>, azure_core::Error> {
        let name = Ownership::get_ownership_name(
            &ownership.fully_qualified_namespace,
            &ownership.event_hub_name,
            &ownership.consumer_group,
            &ownership.partition_id,
        )?;
        let metadata = [(OWNER, ownership.owner_id.clone().unwrap_or_default())];
        let written = match &ownership.etag {
            Some(etag) => self.container.set_metadata(&name, &metadata, Condition::Unchanged(etag.as_ref())).await,
            None => self.container.put(&name, &metadata, Condition::Absent).await,
        };
        Ok(match written.map_err(wrap)? {
            Written::Done { etag, modified } => Some(Ownership {
                etag: Some(etag.into()),
                last_modified_time: modified.map(Into::into),
                ..ownership.clone()
            }),
            Written::Refused | Written::Missing => None,
        })
    }
}

#[async_trait]
impl CheckpointStore for BlobStore {
    async fn claim_ownership(&self, ownerships: &[Ownership]) -> azure_core::Result<Vec<Ownership>> {
        let mut claimed = Vec::new();
        for ownership in ownerships {
            claimed.extend(self.claim(ownership).await?);
        }
        Ok(claimed)
    }

    async fn list_checkpoints(
        &self,
        namespace: &str,
        eventhub: &str,
        group: &str,
    ) -> azure_core::Result<Vec<Checkpoint>> {
        let kept = self.kept(namespace, eventhub, group).await?;
        Ok(kept.into_iter().map(|kept| kept.checkpoint).collect())
    }

    async fn list_ownerships(
        &self,
        namespace: &str,
        eventhub: &str,
        group: &str,
    ) -> azure_core::Result<Vec<Ownership>> {
        let prefix = Ownership::get_ownership_prefix_name(namespace, eventhub, group)?;
        let blobs = self.container.list(&prefix).await.map_err(wrap)?.into_iter();
        Ok(blobs
            .map(|blob| Ownership {
                fully_qualified_namespace: namespace.to_owned(),
                event_hub_name: eventhub.to_owned(),
                consumer_group: group.to_owned(),
                partition_id: partition(&blob),
                owner_id: blob.metadata.get(OWNER).filter(|owner| !owner.is_empty()).cloned(),
                etag: Some(blob.etag.into()),
                last_modified_time: blob.modified.map(Into::into),
            })
            .collect())
    }

    async fn update_checkpoint(&self, checkpoint: Checkpoint) -> azure_core::Result<()> {
        let name = Checkpoint::get_checkpoint_blob_name(
            &checkpoint.fully_qualified_namespace,
            &checkpoint.event_hub_name,
            &checkpoint.consumer_group,
            &checkpoint.partition_id,
        )?;
        let mut metadata = Vec::new();
        metadata.extend(checkpoint.sequence_number.map(|number| (SEQUENCE_NUMBER, number.to_string())));
        metadata.extend(checkpoint.offset.map(|offset| (OFFSET, offset)));
        let mut written = self.container.set_metadata(&name, &metadata, Condition::Always).await.map_err(wrap)?;
        if written == Written::Missing {
            written = self.container.put(&name, &metadata, Condition::Always).await.map_err(wrap)?;
        }
        match written {
            Written::Done { .. } => Ok(()),
            Written::Refused | Written::Missing => {
                let message = format!(
                    "checkpoint {name} is not taken: somebody has a lease on the blob, or the container is gone, which a restart makes again"
                );
                Err(azure_core::Error::with_message(ErrorKind::Other, message))
            }
        }
    }
}

fn wrap(error: http::Error) -> azure_core::Error {
    let kind = if error.is_transient() { ErrorKind::Io } else { ErrorKind::Other };
    let message = error.to_string();
    azure_core::Error::with_error(kind, error, message)
}

fn partition(blob: &Blob) -> String {
    blob.name.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The blob of the older Event Processor Host; only what is needed of it.
#[derive(Deserialize)]
struct Lease {
    checkpoint: LeaseCheckpoint,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseCheckpoint {
    #[serde(default)]
    offset: Option<String>,
    #[serde(default)]
    sequence_number: Option<i64>,
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
