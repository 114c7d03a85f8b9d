//! What a poller has to remember: how far it has read, and which documents around there have left already.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::again::Again;
use super::now;
use crate::source::Position;

/// Ids kept at most below the boundary. When there are more, the oldest go, and with them the part of the overlap that
/// they cover: 100,000 ids are 2.4 MB, and ten minutes with that many alerts are a month's worth for most tenants.
const SEEN: usize = 100_000;

/// Ids without a position kept at most. They are placed at the present, above a boundary that may stand still.
const UNPLACED: usize = 1000;

/// How records are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// In ascending order of the cursor's field.
    #[default]
    Ordered,
    /// In closed windows and any order, where ordering is refused.
    Windows,
}

/// A saved cursor that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the saved cursor cannot be used: {0}; remove the input's checkpoint to start again from initial_interval")]
pub struct CursorError(String);

/// The saved form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    boundary: Position,
    floor: Position,
    mode: Mode,
    /// Position, and ids of 32 hexadecimal digits in a row.
    seen: Vec<(Position, String)>,
    /// Absent in cursors of feeds whose records are complete.
    #[serde(default, skip_serializing_if = "Again::is_empty")]
    again: Again,
}

const VERSION: u32 = 1;

/// Progress of one feed, of which only the settled part is saved.
#[derive(Debug)]
pub(super) struct Progress {
    /// Everything below was read; at it and above there may be more.
    boundary: Position,
    /// Below, ids are forgotten; so nothing below is read again.
    floor: Position,
    mode: Mode,
    /// How far below the boundary ids are kept.
    overlap: Position,
    ids: HashSet<u128>,
    by_position: BTreeMap<Position, Vec<u128>>,
    /// Those without a position of their own, oldest first, and where they are kept.
    unplaced: VecDeque<(Position, u128)>,
    /// What waits for its batch to be settled.
    pending: VecDeque<Pending>,
    /// What is settled.
    settled: (Position, Mode),
    /// Records that left without what belongs to them.
    again: Again,
    /// Whether `again` differs from what was saved.
    again_unsaved: bool,
}

/// What a batch adds when it is settled.
#[derive(Debug)]
struct Pending {
    sequence: u64,
    ids: Vec<u128>,
    reached: Option<(Position, Mode)>,
    /// Records that are complete with it.
    complete: Vec<String>,
}

impl Progress {
    /// Starts at a position. It counts as unsaved: a start that is not saved would move with the clock, and what lies between
    /// would never be read.
    pub(super) fn new(boundary: Position, overlap: Position) -> Self {
        let reached = Some((boundary, Mode::default()));
        let start = Pending { sequence: 0, ids: Vec::new(), reached, complete: Vec::new() };
        Self {
            boundary,
            floor: boundary,
            mode: Mode::default(),
            overlap,
            ids: HashSet::new(),
            by_position: BTreeMap::new(),
            unplaced: VecDeque::new(),
            pending: VecDeque::from([start]),
            settled: (boundary, Mode::default()),
            again: Again::default(),
            again_unsaved: false,
        }
    }

    /// Goes on from a saved cursor.
    pub(super) fn load(cursor: &str, overlap: Position) -> Result<Self, CursorError> {
        let saved: Saved = serde_json::from_str(cursor).map_err(|error| CursorError(error.to_string()))?;
        if saved.version != VERSION {
            return Err(CursorError(format!("it has version {}, this program knows {VERSION}", saved.version)));
        }
        let mut progress = Self::new(saved.boundary, overlap);
        (progress.floor, progress.mode) = (saved.floor, saved.mode);
        progress.settled = (saved.boundary, saved.mode);
        progress.pending.clear();
        progress.again = saved.again;
        for (position, text) in saved.seen {
            for id in text.as_bytes().chunks(32) {
                let id = std::str::from_utf8(id).ok().filter(|id| id.len() == 32);
                let id = id.and_then(|id| u128::from_str_radix(id, 16).ok());
                let id = id.ok_or_else(|| CursorError("an id in it is not 32 hexadecimal digits".into()))?;
                progress.insert(id, position);
            }
        }
        Ok(progress)
    }

    /// Where a cycle begins: the overlap below the boundary, as far as ids are known.
    pub(super) fn start(&self) -> Position {
        self.boundary.saturating_sub(self.overlap).max(self.floor)
    }

    /// Everything below was read.
    pub(super) fn boundary(&self) -> Position {
        self.boundary
    }

    /// How records are asked for.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a document or a reject is new. If so it counts as delivered from now on, and is remembered as such once
    /// its batch is settled. Without a position (0) it is remembered as long as if it were of the present.
    pub(super) fn admit(&mut self, sequence: u64, id: u128, position: Position) -> bool {
        let place = if position == 0 { self.boundary.max(now()) } else { position };
        if place < self.floor {
            // Nothing is asked for there; should a server send it all the same, it is delivered.
            return true;
        }
        if !self.insert(id, place) {
            return false;
        }
        if position == 0 {
            self.unplaced.push_back((place, id));
            if self.unplaced.len() > UNPLACED
                && let Some((place, id)) = self.unplaced.pop_front()
            {
                self.ids.remove(&id);
                if let Some(ids) = self.by_position.get_mut(&place) {
                    ids.retain(|other| *other != id);
                }
            }
        }
        self.pending_of(sequence).ids.push(id);
        true
    }

    /// Whether an id has been admitted.
    pub(super) fn knows(&self, id: u128) -> bool {
        self.ids.contains(&id)
    }

    /// Notes that everything below a position was read with the batches up to `sequence`. Never goes back.
    pub(super) fn reach(&mut self, sequence: u64, boundary: Position, mode: Mode) {
        self.boundary = self.boundary.max(boundary);
        self.mode = mode;
        let reached = (self.boundary, mode);
        if self.settled != reached {
            self.pending_of(sequence).reached = Some(reached);
        }
    }

    /// Whether something was reached that no later batch will save.
    pub(super) fn is_unsaved(&self) -> bool {
        let unsaved = |pending: &Pending| pending.reached.is_some() || !pending.complete.is_empty();
        self.again_unsaved || self.pending.iter().any(unsaved)
    }

    /// Keeps a record to be asked for again; gives the one that is given up for it.
    pub(super) fn ask_again(&mut self, id: &str) -> Option<String> {
        self.again_unsaved = true;
        self.pending.iter_mut().for_each(|pending| pending.complete.retain(|other| other != id));
        self.again.add(id)
    }

    /// Whether there are records to be asked for again.
    pub(super) fn asks_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Records to be asked for again.
    pub(super) fn to_ask_again(&self, most: usize) -> Vec<String> {
        self.again.next(most)
    }

    /// Notes that a record was asked for again in vain; true where it is given up with that.
    pub(super) fn asked_in_vain(&mut self, id: &str) -> bool {
        self.again_unsaved = true;
        self.again.failed(id)
    }

    /// Notes that a record need not be asked for again once the batches up to `sequence` are settled.
    pub(super) fn complete(&mut self, sequence: u64, id: String) {
        self.pending_of(sequence).complete.push(id);
    }

    /// Takes the batches up to `sequence` as settled and gives the cursor that may be saved now.
    pub(super) fn settle(&mut self, sequence: u64) -> String {
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.sequence <= sequence) {
            if let Some(reached) = pending.reached {
                self.settled = reached;
            }
            pending.complete.iter().for_each(|id| self.again.remove(id));
        }
        self.forget();
        self.saved()
    }

    fn insert(&mut self, id: u128, position: Position) -> bool {
        let new = self.ids.insert(id);
        if new {
            self.by_position.entry(position).or_default().push(id);
        }
        new
    }

    /// The entry of a batch; batches are mapped in order.
    fn pending_of(&mut self, sequence: u64) -> &mut Pending {
        let at = self.pending.partition_point(|pending| pending.sequence < sequence);
        if self.pending.get(at).is_none_or(|pending| pending.sequence != sequence) {
            self.pending.insert(at, Pending { sequence, ids: Vec::new(), reached: None, complete: Vec::new() });
        }
        #[allow(clippy::indexing_slicing, reason = "the entry at this place was found or has just been inserted")]
        &mut self.pending[at]
    }

    /// Forgets ids below the overlap of the settled boundary, which is where a restart would begin.
    fn forget(&mut self) {
        let boundary = self.settled.0;
        self.floor = self.floor.max(boundary.saturating_sub(self.overlap));
        while let Some(entry) = self.by_position.first_entry() {
            let position = *entry.key();
            let too_many = self.ids.len() > SEEN && position < boundary;
            if position >= self.floor && !too_many {
                break;
            }
            for id in entry.remove() {
                self.ids.remove(&id);
            }
            if too_many {
                self.floor = self.floor.max(position + 1);
            }
        }
    }

    fn saved(&mut self) -> String {
        self.again_unsaved = false;
        let pending: HashSet<u128> = self.pending.iter().flat_map(|pending| pending.ids.iter().copied()).collect();
        let seen = self.by_position.iter().filter_map(|(position, ids)| {
            let mut text = String::with_capacity(ids.len() * 32);
            for id in ids.iter().filter(|id| !pending.contains(id)) {
                let _ = write!(text, "{id:032x}");
            }
            (!text.is_empty()).then_some((*position, text))
        });
        let saved = Saved {
            version: VERSION,
            boundary: self.settled.0,
            floor: self.floor.min(self.settled.0),
            mode: self.settled.1,
            seen: seen.collect(),
            again: self.again.clone(),
        };
        serde_json::to_string(&saved).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_new_once_also_after_a_restart() {
        let mut progress = Progress::new(1000, 100);
        assert!(progress.admit(1, 7, 1010));
        assert!(!progress.admit(2, 7, 1010));
        assert!(progress.admit(2, 8, 1020));
        let cursor = progress.settle(1);
        let mut again = Progress::load(&cursor, 100).unwrap();
        assert!(!again.admit(1, 7, 1010), "settled before the restart");
        assert!(again.admit(1, 8, 1020), "not settled before the restart");
    }

    #[test]
    fn the_boundary_is_saved_with_the_batches_it_rests_on() {
        let mut progress = Progress::new(1000, 100);
        progress.admit(1, 7, 1500);
        progress.admit(2, 8, 2000);
        progress.reach(2, 2000, Mode::Ordered);
        assert_eq!(Progress::load(&progress.settle(1), 100).unwrap().boundary, 1000);
        let again = Progress::load(&progress.settle(2), 100).unwrap();
        assert_eq!((again.boundary, again.start()), (2000, 1900));
    }

    #[test]
    fn ids_below_the_overlap_are_forgotten_and_not_read_again_even_if_the_overlap_grows() {
        let mut progress = Progress::new(1000, 100);
        progress.admit(1, 7, 1850);
        progress.admit(1, 8, 1950);
        progress.reach(1, 2000, Mode::Windows);
        let cursor = progress.settle(1);
        assert!(!cursor.contains(&format!("{:032x}", 7)) && cursor.contains(&format!("{:032x}", 8)), "{cursor}");
        let again = Progress::load(&cursor, 1000).unwrap();
        assert_eq!((again.start(), again.mode()), (1900, Mode::Windows));
    }

    #[test]
    fn too_many_ids_shorten_the_overlap_instead_of_doubling_documents() {
        let mut progress = Progress::new(1000, 1_000_000);
        for id in 0..SEEN as u64 + 10 {
            progress.admit(1, u128::from(id), 1000 + id);
        }
        progress.reach(1, 900_000, Mode::Ordered);
        let again = Progress::load(&progress.settle(1), 1_000_000).unwrap();
        assert_eq!((again.ids.len(), again.start()), (SEEN, 1010));
    }

    #[test]
    fn a_start_is_saved_even_where_nothing_was_found() {
        let mut progress = Progress::new(1000, 100);
        assert!(progress.is_unsaved());
        let again = Progress::load(&progress.settle(1), 100).unwrap();
        assert!(!progress.is_unsaved() && !again.is_unsaved());
        assert_eq!(again.boundary, 1000);
    }

    #[test]
    fn ids_without_a_position_do_not_grow_without_end() {
        let mut progress = Progress::new(1000, 100);
        for id in 0..5000 {
            assert!(progress.admit(1, id, 0));
        }
        assert!(!progress.admit(1, 4999, 0));
        let again = Progress::load(&progress.settle(1), 100).unwrap();
        assert_eq!(again.ids.len(), UNPLACED);
    }

    #[test]
    fn a_cursor_of_another_version_is_refused() {
        let cursor = r#"{"version":2,"boundary":1,"floor":1,"mode":"ordered","seen":[]}"#;
        assert!(Progress::load(cursor, 1).unwrap_err().to_string().contains("version 2"));
        assert!(Progress::load("{", 1).is_err());
    }
}
