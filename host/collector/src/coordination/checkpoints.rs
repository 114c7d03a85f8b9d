//! Checkpoints in blobs.
//!
//! A commit is one request, which the service takes only if all of this holds: this process has the lease, by its id; and nobody
//! has written since this session read or wrote last, by the ETag. So a leader that was paused, and wakes up behind the one that took over, changes
//! nothing: it learns that it does not lead, and steps back. Its own clock would have told it so before; where that was suspended with
//! the machine, the service does.
//!
//! An answer may get lost of a commit that was made. So each names its session, and one that is refused looks whose the last is:
//! on top of its own it goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::lease::Lease;
use crate::checkpoint::{Checkpoint, CheckpointError, Generation, format, unix_millis};
use crate::http;
use crate::storage::{Condition, Container, Written};

/// The largest cursor.
const LIMIT: usize = 64 << 20;
/// How long a commit may take: others wait for it. It is tried again with the next one.
const COMMIT: Duration = Duration::from_secs(10);

/// The checkpoint of one input.
#[derive(Debug)]
pub(super) struct BlobCheckpoint {
    lease: Arc<Lease>,
    /// Over connections of its own: checkpoints are saved by another thread than leases are.
    container: Container,
    session: tokio::sync::Mutex<Option<Session>>,
}

/// What this process knows of the blob since it read it.
#[derive(Debug)]
struct Session {
    id: String,
    generation: Generation,
    etag: String,
}

impl BlobCheckpoint {
    pub(super) fn new(lease: Arc<Lease>, container: Container) -> Self {
        Self { lease, container, session: Default::default() }
    }

    fn lost(&self) -> CheckpointError {
        CheckpointError::Lost { input: self.lease.input.clone() }
    }

    fn failed(&self) -> impl FnOnce(http::Error) -> CheckpointError {
        let blob = self.lease.blob.clone();
        move |source| CheckpointError::Storage { blob, source: Box::new(source) }
    }

    /// What the blob holds.
    async fn read(&self) -> Result<(format::Saved, String), CheckpointError> {
        let read = self.container.read(&self.lease.blob, LIMIT, None).await.map_err(self.failed())?;
        let Some((bytes, etag)) = read else {
            // Somebody removed it.
            self.lease.lose();
            return Err(self.lost());
        };
        let damaged = |reason| CheckpointError::Damaged { blob: self.lease.blob.clone(), reason };
        Ok((format::read(&bytes).map_err(damaged)?, etag))
    }

    /// Begins a session with what was committed last.
    pub(super) async fn load(&self) -> Result<Checkpoint, CheckpointError> {
        let (saved, etag) = self.read().await?;
        let format::Saved { generation, saved_at, cursor, .. } = saved;
        *self.session.lock().await = Some(Session { id: Uuid::new_v4().to_string(), generation, etag });
        Ok(Checkpoint { generation, cursor, saved_at: saved_at.unwrap_or_default() })
    }

    /// Replaces the checkpoint by a cursor, if it is as this session left it.
    pub(super) async fn commit(&self, cursor: &str) -> Result<Generation, CheckpointError> {
        let mut session = self.session.lock().await;
        let session = session.as_mut().ok_or_else(|| self.lost())?;
        let until = self.lease.until().ok_or_else(|| self.lost())?;
        let answer = timeout_at(until.min(Instant::now() + COMMIT), self.write(session, cursor)).await;
        answer.unwrap_or_else(|_| Err(CheckpointError::Unanswered { blob: self.lease.blob.clone(), within: COMMIT }))
    }

    async fn write(&self, session: &mut Session, cursor: &str) -> Result<Generation, CheckpointError> {
        loop {
            let next = session.generation + 1;
            let text = format::write(next, unix_millis(), Some(&session.id), cursor);
            let condition = Condition::Unchanged(&session.etag);
            let written = self.container.upload(&self.lease.blob, text.into_bytes(), condition, Some(&self.lease.id));
            if let Written::Done { etag, .. } = written.await.map_err(self.failed())? {
                (session.generation, session.etag) = (next, etag);
                return Ok(next);
            }
            let found = match self.read().await {
                // It is not what this session wrote. Whoever loads it says what is wrong.
                Err(CheckpointError::Damaged { .. }) => None,
                found => Some(found?),
            };
            let is_own = |saved: &format::Saved| {
                saved.session.as_ref() == Some(&session.id) && saved.generation > session.generation
            };
            let Some((saved, etag)) = found.filter(|(saved, _)| is_own(saved)) else {
                self.lease.lose();
                return Err(self.lost());
            };
            // An answer got lost.
            (session.generation, session.etag) = (saved.generation, etag);
        }
    }
}
