//! What is remembered between cycles, and how far of it is settled.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::settings::Mode;

/// A saved cursor that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the saved cursor cannot be used: {0}; remove the input's checkpoint to start with a new sync")]
pub struct CursorError(String);

const VERSION: u32 = 1;

/// Clocks are set by less than this in the ordinary run of things. Milliseconds.
const TOLERANCE: i64 = 60_000;

/// The saved form. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    version: u32,
    mode: Mode,
    /// The start of a sync that was begun and is to be done, under this start however often it takes.
    pub(super) sync: Option<i64>,
    /// The start of the last cycle that is done with.
    pub(super) last: Option<i64>,
    /// The start of the last sync that was whole.
    pub(super) full: Option<i64>,
    /// The time of the newest change that was read.
    pub(super) since: Option<i64>,
    /// Where the list of changes goes on.
    pub(super) link: Option<String>,
}

impl Cursor {
    fn new(mode: Mode) -> Self {
        Self { version: VERSION, mode, sync: None, last: None, full: None, since: None, link: None }
    }

    /// When the next cycle is due, if one lasts `interval`.
    pub(super) fn due(&self, now: i64, interval: i64) -> i64 {
        match self.last {
            Some(last) if self.sync.is_none() && !ahead(last, now) => last.saturating_add(interval),
            _ => i64::MIN,
        }
    }

    /// The start of the cycle that begins now: that of a sync to be done, unless it is so old that the next one is due.
    pub(super) fn start(&mut self, now: i64, interval: i64) -> i64 {
        self.sync = self.sync.filter(|sync| !ahead(*sync, now) && now.saturating_sub(*sync) <= interval);
        // Two syncs with one start would have the same ids.
        let last = self.last.filter(|last| !ahead(*last, now));
        let new = now.max(last.map_or(i64::MIN, |last| last.saturating_add(1)));
        self.sync.unwrap_or(new)
    }

    /// Reads a saved one. One of another mode says nothing.
    fn load(saved: &str, mode: Mode) -> Result<Self, CursorError> {
        let cursor: Self = serde_json::from_str(saved).map_err(|error| CursorError(error.to_string()))?;
        if cursor.version != VERSION {
            return Err(CursorError(format!("it has version {}, this program knows {VERSION}", cursor.version)));
        }
        Ok(if cursor.mode == mode { cursor } else { Self::new(mode) })
    }
}

/// Whether a time was saved by a clock that was wrong.
fn ahead(time: i64, now: i64) -> bool {
    let ahead = time.saturating_sub(now) > TOLERANCE;
    if ahead {
        tracing::warn!(
            ahead_ms = time.saturating_sub(now),
            "the last cycle began in the future, going by the clock: it is taken as over; check the clock"
        );
    }
    ahead
}

/// The cursor as it is, and as it may be saved.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) cursor: Cursor,
    settled: Cursor,
    /// Cursors that wait for their delivery to be settled.
    pending: VecDeque<(u64, Cursor)>,
}

impl Progress {
    /// Goes on from a saved cursor, or begins.
    pub(super) fn load(saved: Option<&str>, mode: Mode) -> Result<Self, CursorError> {
        let cursor = saved.map_or_else(|| Ok(Cursor::new(mode)), |saved| Cursor::load(saved, mode))?;
        Ok(Self { settled: cursor.clone(), cursor, pending: VecDeque::new() })
    }

    /// Notes that the cursor holds once all deliveries up to this one are settled.
    pub(super) fn reach(&mut self, sequence: u64) {
        self.pending.push_back((sequence, self.cursor.clone()));
    }

    /// Takes deliveries up to this one as settled; gives the cursor to save.
    pub(super) fn settle(&mut self, sequence: u64) -> String {
        while let Some((_, cursor)) = self.pending.pop_front_if(|(pending, _)| *pending <= sequence) {
            self.settled = cursor;
        }
        // It has no maps with other keys than texts, so it can always be written.
        serde_json::to_string(&self.settled).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_settled_is_saved() {
        let mut progress = Progress::load(None, Mode::Changes).unwrap();
        progress.cursor.sync = Some(7);
        progress.reach(1);
        progress.cursor = Cursor { sync: None, full: Some(7), ..progress.cursor.clone() };
        progress.reach(5);
        let saved = |text: &str| Progress::load(Some(text), Mode::Changes).unwrap().cursor;
        assert_eq!(saved(&progress.settle(1)).sync, Some(7));
        assert_eq!(saved(&progress.settle(4)).sync, Some(7));
        assert_eq!((saved(&progress.settle(5)).sync, progress.settled.full), (None, Some(7)));
    }

    #[test]
    fn a_cursor_of_another_mode_begins_anew_and_one_of_another_version_is_refused() {
        let mut progress = Progress::load(None, Mode::Export).unwrap();
        progress.cursor.last = Some(7);
        progress.reach(1);
        let saved = progress.settle(1);
        assert_eq!(Progress::load(Some(&saved), Mode::Changes).unwrap().cursor, Cursor::new(Mode::Changes));
        let later = saved.replace("\"version\":1", "\"version\":2");
        assert!(Progress::load(Some(&later), Mode::Export).unwrap_err().to_string().contains("version 2"));
        assert!(Progress::load(Some("{"), Mode::Export).is_err());
    }

    #[test]
    fn a_sync_keeps_its_start_until_the_next_one_is_due() {
        const HOUR: i64 = 3_600_000;
        let now = 1_795_507_200_250;
        let started = |sync, last| {
            let mut cursor = Cursor { sync, last, ..Cursor::new(Mode::Export) };
            let due = cursor.due(now, 24 * HOUR);
            let start = cursor.start(now, 24 * HOUR);
            (due, start, cursor.sync)
        };
        assert_eq!(started(None, None), (i64::MIN, now, None));
        assert_eq!(started(None, Some(now - HOUR)).0, now + 23 * HOUR);
        assert_eq!(started(None, Some(now)).1, now + 1);
        assert_eq!(started(Some(now - HOUR), None), (i64::MIN, now - HOUR, Some(now - HOUR)));
        assert_eq!(started(Some(now - 25 * HOUR), None), (i64::MIN, now, None));
        assert_eq!(started(Some(now + HOUR), None), (i64::MIN, now, None));
        assert_eq!(started(None, Some(now + HOUR)), (i64::MIN, now, None));
    }
}
