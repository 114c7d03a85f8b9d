//! How far readers are behind the ends of their partitions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use azure_messaging_eventhubs::ConsumerClient;
use tokio::time::sleep;

use super::progress::{Hold, Place};
use crate::source::Lag;

/// How often the end of a partition is asked for, on the connection that reads it.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// The partitions that are read, by hub and id.
#[derive(Debug, Default)]
pub(super) struct Lags(Mutex<BTreeMap<(String, Arc<str>), Behind>>);

#[derive(Clone, Copy, Debug, Default)]
struct Behind {
    /// The number of the message that was read last.
    read: Option<i64>,
    /// When it was enqueued.
    enqueued: Option<SystemTime>,
    /// The number of the last message there is, as far as that is known.
    last: Option<i64>,
}

impl Behind {
    /// Messages that are not read.
    fn messages(&self) -> Option<u64> {
        let (read, last) = self.read.zip(self.last)?;
        u64::try_from(last.saturating_sub(read)).ok().or(Some(0))
    }
}

impl Lags {
    fn lags(&self) -> MutexGuard<'_, BTreeMap<(String, Arc<str>), Behind>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes where reading a partition stands.
    pub(super) fn read(&self, hold: &Hold, place: &Place, enqueued: Option<SystemTime>) {
        let mut lags = self.lags();
        let behind = lags.entry(key(hold)).or_default();
        (behind.read, behind.enqueued) = (place.sequence_number.or(behind.read), enqueued.or(behind.enqueued));
        behind.last = behind.last.max(behind.read);
    }

    /// Notes where a partition begins and ends.
    fn ends(&self, hold: &Hold, first: i64, last: i64) {
        let mut lags = self.lags();
        let behind = lags.entry(key(hold)).or_default();
        // What has expired is not there to be read.
        behind.read = Some(behind.read.unwrap_or(first - 1).max(first - 1));
        behind.last = behind.read.max(Some(last));
    }

    /// Notes that a partition is read no more.
    pub(super) fn forget(&self, hold: &Hold) {
        self.lags().remove(&key(hold));
    }

    /// Asks for the end of a partition again and again. What fails here fails where it is read too, and is said there.
    pub(super) async fn watch(&self, hold: &Hold, client: &ConsumerClient) {
        loop {
            if let Ok(properties) = client.get_partition_properties(&hold.partition).await {
                self.ends(hold, properties.beginning_sequence_number, properties.last_enqueued_sequence_number);
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// That of all partitions: the messages together, and the time of the one that is furthest behind.
    pub(super) fn sum(&self, now: SystemTime) -> Lag {
        let lags = self.lags();
        let messages: Option<Vec<u64>> = lags.values().map(Behind::messages).collect();
        let messages = messages.filter(|messages| !messages.is_empty()).map(|messages| messages.iter().sum());
        let behind = lags.values().filter(|behind| behind.messages() != Some(0));
        let times = behind.filter_map(|behind| now.duration_since(behind.enqueued?).ok());
        let longest = times.max().map(|time| time.as_secs_f64());
        Lag { seconds: longest.or((messages == Some(0)).then_some(0.0)), messages }
    }
}

fn key(hold: &Hold) -> (String, Arc<str>) {
    (hold.hub.key(), hold.partition.clone())
}

#[cfg(test)]
mod tests {
    use super::super::progress::Hub;
    use super::*;

    #[test]
    fn the_lag_is_that_of_all_partitions() {
        let hub = Arc::new(Hub { namespace: "n".into(), eventhub: "h".into(), group: "$Default".into() });
        let hold = |id| Hold::new(hub.clone(), id, None, &Place::default());
        let at = |number| Place { sequence_number: Some(number), offset: None };
        let (one, two, now) = (hold("0"), hold("1"), SystemTime::now());
        let ago = |seconds| Some(now - Duration::from_secs(seconds));
        let lags = Lags::default();
        assert_eq!(lags.sum(now), Lag::default());
        lags.read(&one, &at(9), ago(60));
        lags.ends(&one, 0, 14);
        assert_eq!(lags.sum(now), Lag { seconds: Some(60.0), messages: Some(5) });
        lags.read(&two, &Place::default(), None);
        assert_eq!(lags.sum(now).messages, None, "of one partition nothing is known");
        lags.ends(&two, 100, 102);
        assert_eq!(lags.sum(now), Lag { seconds: Some(60.0), messages: Some(8) });
        lags.read(&one, &at(20), ago(2));
        lags.read(&two, &at(102), ago(7));
        assert_eq!(lags.sum(now), Lag { seconds: Some(0.0), messages: Some(0) });
        lags.ends(&two, 110, 115);
        assert_eq!(lags.sum(now).messages, Some(6), "what has expired does not count");
        lags.forget(&two);
        assert_eq!(lags.sum(now).messages, Some(0));
    }
}
