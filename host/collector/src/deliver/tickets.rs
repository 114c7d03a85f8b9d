//! Which deliveries of each session are settled, in whatever order their documents are.
//!
//! What comes for a session gets tickets in order. A delivery is settled once all tickets are booked that were given
//! before it was mapped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::Session;
use super::queue::Label;
use crate::checkpoint::{CheckpointError, Checkpoints};

/// Takes the answer to the end of a session.
pub(super) type Ended = oneshot::Sender<Result<(), CheckpointError>>;

/// All sessions that have something under way.
#[derive(Default)]
pub(super) struct Tickets {
    tracks: Vec<Track>,
    /// Bytes that tickets were given for.
    taken: u64,
}

struct Track {
    session: Arc<dyn Session>,
    /// The ticket to be given next.
    next: u64,
    /// What is not settled of each ticket.
    open: BTreeMap<u64, Open>,
    /// Deliveries that are mapped: the first ticket that is not theirs, and which they are.
    mapped: VecDeque<(u64, u64)>,
    /// The last delivery that is settled and whose cursor is not saved.
    unsaved: Option<u64>,
    /// Why no cursor of this session may be saved any more: another process leads the input.
    lost: Option<CheckpointError>,
    ended: Option<Ended>,
}

struct Open {
    documents: usize,
    bytes: usize,
    /// What was taken until then, its own bytes included.
    taken: u64,
}

impl Track {
    /// Takes deliveries as settled whose documents are.
    fn advance(&mut self) {
        let lowest = self.open.keys().next().copied().unwrap_or(self.next);
        while let Some((_, sequence)) = self.mapped.pop_front_if(|(next, _)| *next <= lowest) {
            self.unsaved = Some(sequence);
        }
    }

    async fn save(&mut self, checkpoints: &dyn Checkpoints) -> Result<(), CheckpointError> {
        let Some(sequence) = self.unsaved.filter(|_| self.lost.is_none()) else { return Ok(()) };
        match self.session.settle(sequence, checkpoints).await {
            Ok(()) => {
                self.unsaved = None;
                self.session.metrics().saved();
                Ok(())
            }
            // What is under way is delivered all the same; whoever leads now reads it again and finds it there.
            Err(error) if error.is_lost() => {
                self.lost = Some(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn is_unsaved(&self) -> bool {
        self.unsaved.is_some() && self.lost.is_none()
    }

    fn is_ending(&self) -> bool {
        self.ended.is_some() && self.open.is_empty()
    }
}

impl Tickets {
    fn track(&mut self, session: &Arc<dyn Session>) -> &mut Track {
        let at = self.tracks.iter().position(|track| Arc::ptr_eq(&track.session, session));
        let at = at.unwrap_or_else(|| {
            self.tracks.push(Track {
                session: session.clone(),
                next: 0,
                open: BTreeMap::new(),
                mapped: VecDeque::new(),
                unsaved: None,
                lost: None,
                ended: None,
            });
            self.tracks.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "the entry at this place was found or has just been added")]
        &mut self.tracks[at]
    }

    /// Gives a ticket for documents of a session.
    pub(super) fn give(&mut self, session: Arc<dyn Session>, documents: usize, bytes: usize) -> Label {
        self.taken += bytes as u64;
        let taken = self.taken;
        session.metrics().in_flight.add(bytes);
        let track = self.track(&session);
        let ticket = track.next;
        track.next += 1;
        track.open.insert(ticket, Open { documents, bytes, taken });
        Label { session, ticket }
    }

    /// Notes that so many documents of a ticket are settled.
    pub(super) fn book(&mut self, label: &Label, documents: usize) {
        let track = self.track(&label.session);
        if let Some(open) = track.open.get_mut(&label.ticket) {
            open.documents = open.documents.saturating_sub(documents);
            if open.documents == 0 {
                label.session.metrics().in_flight.sub(open.bytes);
                track.open.remove(&label.ticket);
                track.advance();
            }
        }
    }

    /// Notes that a delivery is mapped: what came for its session before is all of it.
    pub(super) fn mapped(&mut self, session: &Arc<dyn Session>, sequence: u64) {
        let track = self.track(session);
        track.mapped.push_back((track.next, sequence));
        track.advance();
    }

    /// Notes that nothing more comes of a session.
    pub(super) fn end(&mut self, session: &Arc<dyn Session>, ended: Ended) {
        self.track(session).ended = Some(ended);
    }

    /// Whether every document is settled.
    pub(super) fn is_empty(&self) -> bool {
        self.tracks.iter().all(|track| track.open.is_empty())
    }

    /// Whether a cursor can be saved.
    pub(super) fn is_due(&self) -> bool {
        self.tracks.iter().any(Track::is_unsaved)
    }

    /// Whether a session has ended and everything of it is settled.
    pub(super) fn has_ending(&self) -> bool {
        self.tracks.iter().any(Track::is_ending)
    }

    /// Bytes that came after the oldest documents that are not settled.
    pub(super) fn ahead(&self) -> u64 {
        let oldest = self.tracks.iter().filter_map(|track| Some(track.open.first_key_value()?.1.taken)).min();
        oldest.map_or(0, |oldest| self.taken - oldest)
    }

    /// Documents that are not settled, by input.
    pub(super) fn left(&self) -> BTreeMap<String, usize> {
        let mut left = BTreeMap::new();
        for track in self.tracks.iter().filter(|track| !track.open.is_empty()) {
            let documents: usize = track.open.values().map(|open| open.documents).sum();
            *left.entry(track.session.input().to_owned()).or_default() += documents;
        }
        left
    }

    /// Saves cursors of what is settled, and answers sessions that have ended.
    ///
    /// # Errors
    ///
    /// A cursor must not be saved. One that cannot be for the time being is saved later.
    pub(super) async fn settle(&mut self, checkpoints: &dyn Checkpoints) -> Result<(), CheckpointError> {
        // Side by side, since each may take its time.
        let saves = self.tracks.iter_mut().map(|track| async move { (track.save(checkpoints).await, track) });
        for (saved, track) in join_all(saves).await {
            match saved {
                Ok(()) => {}
                Err(error) if error.is_transient() => {
                    // Later cursors say the same and more.
                    let input = track.session.input();
                    track.session.metrics().not_saved(&error);
                    tracing::error!(input, %error, "the cursor is not saved, but will be with the next one");
                }
                Err(error) => return Err(error),
            }
        }
        let ending = self.tracks.extract_if(.., |track| track.is_ending()).map(|mut track| async move {
            // What could not be saved is tried once more; a later session must not meet this one's cursor.
            let saved = track.save(checkpoints).await;
            if let Some(ended) = track.ended.take() {
                // Whoever asked may have gone.
                let _ = ended.send(track.lost.map_or(saved, Err));
            }
        });
        join_all(ending).await;
        Ok(())
    }
}
