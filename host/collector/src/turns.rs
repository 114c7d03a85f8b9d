//! The order of a source, kept although its deliveries are mapped side by side.
//!
//! Deliveries end in any order. What follows from the end of one, that the source and the delivery thread learn of it,
//! happens in the order in which the source gave them, so a cursor never passes what is not mapped yet. A worker that is
//! too far ahead of the others waits, so what is kept for later is bounded.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The turns of one session's deliveries, which are numbered 1, 2, 3 ...
pub(crate) struct Turns<T> {
    state: Mutex<State<T>>,
    moved: Condvar,
    ahead: usize,
}

struct State<T> {
    /// Whose turn it is.
    next: u64,
    /// Ends of deliveries whose turn has not come.
    waiting: BTreeMap<u64, T>,
    given_up: bool,
}

impl<T> Turns<T> {
    /// Lets `ahead` ended deliveries wait for an earlier one; whoever ends a further one waits.
    pub(crate) fn new(ahead: usize) -> Self {
        let state = State { next: 1, waiting: BTreeMap::new(), given_up: false };
        Self { state: Mutex::new(state), moved: Condvar::new(), ahead }
    }

    /// Ends a delivery: does what follows for it, and for all that waited for it, in order and one at a time; if it is not
    /// its turn, whoever ends an earlier one will. After [`give_up`](Self::give_up) nothing is done.
    ///
    /// # Errors
    ///
    /// Those of what follows; then it counts as given up.
    pub(crate) fn end<E>(
        &self,
        sequence: u64,
        end: T,
        mut follow: impl FnMut(u64, T) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut state = self.state();
        state.waiting.insert(sequence, end);
        while !state.given_up {
            let next = state.next;
            let Some(end) = state.waiting.remove(&next) else { break };
            state.next += 1;
            if let Err(error) = follow(next, end) {
                drop(state);
                self.give_up();
                return Err(error);
            }
        }
        self.moved.notify_all();
        // The earliest that has not ended is being mapped: deliveries are taken in order. So this ends.
        while state.waiting.len() > self.ahead && !state.given_up {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// A delivery will never end: nothing follows any more, and nobody waits.
    pub(crate) fn give_up(&self) {
        self.state().given_up = true;
        self.moved.notify_all();
    }

    /// Whether it was given up.
    pub(crate) fn is_given_up(&self) -> bool {
        self.state().given_up
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn what_ends_in_any_order_follows_in_order() {
        let turns = Turns::new(10);
        let mut followed = Vec::new();
        for sequence in [2, 4, 1, 3, 6, 5] {
            let end = |sequence, end: &str| {
                followed.push((sequence, end.to_owned()));
                Ok::<(), Infallible>(())
            };
            turns.end(sequence, "ended", end).unwrap();
        }
        let expected: Vec<(u64, String)> = (1..=6).map(|sequence| (sequence, "ended".to_owned())).collect();
        assert_eq!(followed, expected);
    }

    #[test]
    fn whoever_is_too_far_ahead_waits_for_the_others() {
        let turns = Arc::new(Turns::new(1));
        let followed = Arc::new(Mutex::new(Vec::new()));
        let end = |sequence: u64| {
            let (turns, followed) = (turns.clone(), followed.clone());
            move || {
                let follow = |sequence, ()| {
                    followed.lock().unwrap().push(sequence);
                    Ok::<(), Infallible>(())
                };
                turns.end(sequence, (), follow).unwrap();
            }
        };
        end(2)();
        let ahead = thread::spawn(end(3));
        // It can only return after the first has ended, which happens here.
        while turns.state().waiting.len() < 2 {
            thread::yield_now();
        }
        assert!(!ahead.is_finished());
        end(1)();
        ahead.join().unwrap();
        assert_eq!(*followed.lock().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn after_a_failure_nothing_follows_and_nobody_waits() {
        let turns = Arc::new(Turns::new(0));
        let waiting = {
            let turns = turns.clone();
            thread::spawn(move || turns.end(2, (), |_, ()| Ok::<(), &str>(())))
        };
        while turns.state().waiting.is_empty() {
            thread::yield_now();
        }
        assert_eq!(turns.end(1, (), |_, ()| Err("broken")), Err("broken"));
        assert_eq!(waiting.join().unwrap(), Ok(()));
        assert!(turns.is_given_up());
        assert_eq!(turns.end(3, (), |_, ()| Err("not called")), Ok(()));
    }
}
