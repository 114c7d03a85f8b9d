//! Who receives from a partition. A receiver with an epoch is the only one of its consumer group, and a higher or equal
//! epoch takes its place; without epochs up to five receive side by side.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::refusal::Refusal;

/// Receivers without an epoch in a consumer group of a partition (Event Hubs quotas).
const RECEIVERS: usize = 5;

/// The receivers of a partition. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    given: u64,
    taken: BTreeMap<u64, Taken>,
}

struct Taken {
    /// In lower case.
    group: String,
    epoch: Option<i64>,
    leave: oneshot::Sender<Refusal>,
}

/// A receiver's seat; it is free when this is dropped.
pub(super) struct Seat {
    number: u64,
    seats: Seats,
    /// Comes when another receiver takes the seat.
    pub(super) leave: oneshot::Receiver<Refusal>,
}

impl Seats {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat, from others where the epoch is high enough.
    pub(super) fn take(&self, group: &str, epoch: Option<i64>) -> Result<Seat, Refusal> {
        let group = group.to_ascii_lowercase();
        let mut state = self.state();
        let others: Vec<(u64, Option<i64>)> =
            state.taken.iter().filter(|(_, seat)| seat.group == group).map(|(id, seat)| (*id, seat.epoch)).collect();
        let highest = others.iter().filter_map(|(_, epoch)| *epoch).max();
        match (epoch, highest) {
            (None, Some(highest)) => {
                return Err(Refusal::stolen(format!(
                    "At least one receiver for the endpoint is created with epoch of '{highest}', and so non-epoch \
                     receiver is not allowed. Either reconnect with a higher epoch, or make sure all receivers are \
                     closed or disconnected."
                )));
            }
            (None, None) if others.len() >= RECEIVERS => {
                return Err(Refusal::exceeded(format!(
                    "Exceeded the maximum number of allowed receivers per partition in a consumer group which is \
                     {RECEIVERS}."
                )));
            }
            (Some(epoch), Some(highest)) if epoch < highest => {
                return Err(Refusal::stolen(format!(
                    "Receiver with a higher epoch of '{highest}' already exists. Receiver with epoch of '{epoch}' \
                     cannot be created."
                )));
            }
            (Some(epoch), _) => {
                let reason = Refusal::stolen(format!(
                    "New receiver with higher epoch of '{epoch}' is created hence current receiver is getting \
                     disconnected."
                ));
                for (id, _) in others {
                    if let Some(seat) = state.taken.remove(&id) {
                        // It may be leaving already.
                        let _ = seat.leave.send(reason.clone());
                    }
                }
            }
            (None, None) => {}
        }
        let (leave, told) = oneshot::channel();
        state.given += 1;
        let number = state.given;
        state.taken.insert(number, Taken { group, epoch, leave });
        Ok(Seat { number, seats: self.clone(), leave: told })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.state().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::definitions::{AmqpError, LinkError};

    use super::*;

    #[test]
    fn the_highest_epoch_has_the_partition() {
        let seats = Seats::default();
        let mut plain = seats.take("$Default", None).unwrap();
        let mut one = seats.take("$default", Some(1)).unwrap();
        assert_eq!(plain.leave.try_recv().unwrap().condition, LinkError::Stolen.into());
        let mut other_group = seats.take("other", None).unwrap();
        assert_eq!(seats.take("$Default", Some(0)).err().unwrap().condition, LinkError::Stolen.into());
        assert_eq!(seats.take("$Default", None).err().unwrap().condition, LinkError::Stolen.into());
        assert!(one.leave.try_recv().is_err());
        let mut equal = seats.take("$Default", Some(1)).unwrap();
        assert_eq!(one.leave.try_recv().unwrap().condition, LinkError::Stolen.into());
        drop(one);
        assert!(equal.leave.try_recv().is_err() && other_group.leave.try_recv().is_err());
        drop(equal);
        assert!(seats.take("$Default", None).is_ok());
    }

    #[test]
    fn five_receive_side_by_side() {
        let seats = Seats::default();
        let taken: Vec<Seat> = (0..5).map(|_| seats.take("$Default", None).unwrap()).collect();
        assert_eq!(seats.take("$Default", None).err().unwrap().condition, AmqpError::ResourceLimitExceeded.into());
        drop(taken);
        assert!(seats.take("$Default", None).is_ok());
    }
}
