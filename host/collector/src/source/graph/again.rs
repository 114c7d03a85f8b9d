//! Records that left without what belongs to them, to be asked for again.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Records kept at most; when there are more, the one whose turn is next is given up.
const KEPT: usize = 1000;

/// How often one is asked for before it is given up: a day and a half of cycles of five minutes while few are kept.
const TRIES: u32 = 400;

/// Ids, and how often each was asked for in vain since; who waited longest comes first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Again(VecDeque<(String, u32)>);

impl Again {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps one, unless it is kept; gives the one that is given up for it.
    pub(super) fn add(&mut self, id: &str) -> Option<String> {
        if self.0.iter().any(|(known, _)| known == id) {
            return None;
        }
        self.0.push_back((id.to_owned(), 0));
        if self.0.len() > KEPT { self.0.pop_front().map(|(id, _)| id) } else { None }
    }

    /// Those to be asked for next.
    pub(super) fn next(&self, most: usize) -> Vec<String> {
        self.0.iter().take(most).map(|(id, _)| id.clone()).collect()
    }

    /// Notes that one was asked for in vain: it waits behind the others, or is given up (true).
    pub(super) fn failed(&mut self, id: &str) -> bool {
        let Some(at) = self.0.iter().position(|(known, _)| known == id) else { return false };
        let Some((id, tries)) = self.0.remove(at) else { return false };
        if tries + 1 >= TRIES {
            return true;
        }
        self.0.push_back((id, tries + 1));
        false
    }

    /// Forgets one.
    pub(super) fn remove(&mut self, id: &str) {
        self.0.retain(|(known, _)| known != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_turn_and_an_end() {
        let mut again = Again::default();
        for id in ["a", "b", "a", "c"] {
            assert_eq!(again.add(id), None);
        }
        assert_eq!(again.next(2), ["a", "b"]);
        assert!(!again.failed("a"));
        assert_eq!(again.next(9), ["b", "c", "a"]);
        again.remove("b");
        again.remove("c");
        let mut tries = 1;
        while !again.failed("a") {
            tries += 1;
        }
        assert_eq!((tries + 1, again.is_empty()), (TRIES, true));
        assert!(!again.failed("never kept"));
    }

    #[test]
    fn the_oldest_goes_where_there_are_too_many() {
        let mut again = Again::default();
        for id in 0..KEPT {
            assert_eq!(again.add(&id.to_string()), None);
        }
        assert_eq!(again.add("one more").unwrap(), "0");
        assert_eq!(again.next(usize::MAX).len(), KEPT);
    }
}
