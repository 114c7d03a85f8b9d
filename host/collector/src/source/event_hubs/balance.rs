//! Which partitions a collector takes: the rules that Microsoft's libraries share, so that ours and theirs find a balance
//! with each other.
//!
//! Whoever holds a partition counts as a reader. Each reader's share is the partitions divided by the readers, rounded
//! down; where that leaves some over, a reader may hold one more. Partitions that nobody holds are taken first; below its
//! share a reader takes from the one that holds the most. A hold that was not renewed for the time of expiration is none.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use azure_messaging_eventhubs::models::Ownership;

use super::progress::Hub;
use super::settings::Strategy;

/// What there is to share.
pub(super) struct View<'a> {
    pub(super) hub: &'a Hub,
    pub(super) partitions: &'a [String],
    /// As the store has them.
    pub(super) ownerships: &'a [Ownership],
    /// This collector.
    pub(super) us: &'a str,
    pub(super) now: SystemTime,
    pub(super) expiration: Duration,
}

/// What to claim now: what we hold, to renew it, and what we take.
pub(super) fn claims(view: &View<'_>, strategy: Strategy, random: &mut fastrand::Rng) -> Vec<Ownership> {
    let mut holders: BTreeMap<&str, Vec<Ownership>> = BTreeMap::from([(view.us, Vec::new())]);
    let mut free = Vec::new();
    for partition in view.partitions {
        match view.ownerships.iter().find(|ownership| ownership.partition_id == *partition) {
            Some(ownership) => match view.holder(ownership) {
                Some(holder) => holders.entry(holder).or_default().push(ownership.clone()),
                None => free.push(ownership.clone()),
            },
            None => free.push(view.new_ownership(partition)),
        }
    }
    let least = view.partitions.len() / holders.len();
    let most = view.partitions.len().div_ceil(holders.len());
    let mut ours = holders.remove(view.us).unwrap_or_default();
    let at_once = match strategy {
        Strategy::Greedy => usize::MAX,
        Strategy::Balanced => 1,
    };
    let held = ours.len();
    while ours.len() < most && ours.len() - held < at_once {
        let taken = if let Some(taken) = pick(&mut free, random) {
            Some(taken)
        } else {
            // Holding a share, one takes only from a reader that has more than one too many.
            let limit = if ours.len() < least { least } else { most };
            let richest = holders.values_mut().max_by_key(|partitions| partitions.len());
            richest.filter(|partitions| partitions.len() > limit).and_then(|partitions| pick(partitions, random))
        };
        let Some(taken) = taken else { break };
        ours.push(taken);
    }
    for ownership in &mut ours {
        ownership.owner_id = Some(view.us.to_owned());
    }
    ours
}

/// Any of them: two who take at once rarely take the same.
fn pick(partitions: &mut Vec<Ownership>, random: &mut fastrand::Rng) -> Option<Ownership> {
    if partitions.is_empty() {
        return None;
    }
    Some(partitions.swap_remove(random.usize(..partitions.len())))
}

impl View<'_> {
    /// Who holds a partition. Our own hold lasts until somebody takes it.
    fn holder<'a>(&self, ownership: &'a Ownership) -> Option<&'a str> {
        let holder = ownership.owner_id.as_deref().filter(|owner| !owner.is_empty())?;
        let renewed: SystemTime = ownership.last_modified_time?.into();
        let expired = renewed.checked_add(self.expiration).is_some_and(|end| end < self.now);
        (holder == self.us || !expired).then_some(holder)
    }

    fn new_ownership(&self, partition: &str) -> Ownership {
        Ownership {
            fully_qualified_namespace: self.hub.namespace.clone(),
            event_hub_name: self.hub.eventhub.clone(),
            consumer_group: self.hub.group.clone(),
            partition_id: partition.to_owned(),
            ..Ownership::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Partitions by holder: `a` and `b` hold, `.` nobody does, a capital's hold has expired.
    struct Table {
        hub: Hub,
        partitions: Vec<String>,
        ownerships: Vec<Ownership>,
        now: SystemTime,
    }

    const EXPIRATION: Duration = Duration::from_secs(60);

    impl Table {
        fn new(holders: &str) -> Self {
            let now = SystemTime::now();
            let hub = Hub { namespace: "n".into(), eventhub: "h".into(), group: "g".into() };
            let partitions: Vec<String> = (0..holders.len()).map(|partition| partition.to_string()).collect();
            let ownerships =
                holders.chars().zip(&partitions).filter(|(holder, _)| *holder != '-').map(|(holder, id)| {
                    let age = if holder.is_uppercase() { EXPIRATION * 2 } else { Duration::from_secs(1) };
                    Ownership {
                        partition_id: id.clone(),
                        owner_id: (holder != '.').then(|| holder.to_lowercase().to_string()),
                        etag: Some(format!("0x{id}").into()),
                        last_modified_time: Some((now - age).into()),
                        ..Ownership::default()
                    }
                });
            let ownerships = ownerships.collect();
            Self { hub, partitions, ownerships, now }
        }

        fn claims(&self, us: &str, strategy: Strategy, seed: u64) -> Vec<Ownership> {
            let view = View {
                hub: &self.hub,
                partitions: &self.partitions,
                ownerships: &self.ownerships,
                us,
                now: self.now,
                expiration: EXPIRATION,
            };
            claims(&view, strategy, &mut fastrand::Rng::with_seed(seed))
        }

        /// Claims succeed.
        fn apply(&mut self, claims: Vec<Ownership>) {
            for claim in claims {
                self.ownerships.retain(|ownership| ownership.partition_id != claim.partition_id);
                self.ownerships.push(Ownership {
                    last_modified_time: Some(self.now.into()),
                    etag: Some("0xnew".into()),
                    ..claim
                });
            }
        }

        fn count(&self, holder: &str) -> usize {
            self.ownerships.iter().filter(|ownership| ownership.owner_id.as_deref() == Some(holder)).count()
        }
    }

    fn count(holders: &str, us: &str, strategy: Strategy) -> usize {
        Table::new(holders).claims(us, strategy, 1).len()
    }

    #[test]
    fn one_alone_takes_all_at_once_or_one_by_one() {
        assert_eq!(count("----", "a", Strategy::Greedy), 4);
        assert_eq!(count("....", "a", Strategy::Greedy), 4);
        assert_eq!(count("----", "a", Strategy::Balanced), 1);
        assert_eq!(count("aa..", "a", Strategy::Balanced), 3);
    }

    #[test]
    fn a_newcomer_takes_its_share_from_the_one_that_has_most() {
        let table = Table::new("aaaaaabb");
        let claimed = table.claims("c", Strategy::Greedy, 1);
        assert_eq!(claimed.len(), 3);
        let from_a = |claim: &Ownership| claim.partition_id.parse::<usize>().unwrap() < 6;
        assert!(claimed.iter().all(from_a), "{claimed:?}");
        assert!(claimed.iter().all(|claim| claim.etag.is_some() && claim.owner_id.as_deref() == Some("c")));
    }

    #[test]
    fn a_balance_stays_as_it_is() {
        for (holders, us, ours) in [("abc", "a", 1), ("aabbc", "c", 1), ("aabbc", "a", 2), ("aaaabbb", "b", 3)] {
            assert_eq!(count(holders, us, Strategy::Greedy), ours, "{us} of {holders}");
        }
    }

    #[test]
    fn what_is_left_over_or_expired_is_taken() {
        assert_eq!(count("aab.", "b", Strategy::Greedy), 2);
        assert_eq!(count("aaBB", "a", Strategy::Greedy), 4);
        assert_eq!(count("AABB", "a", Strategy::Greedy), 4, "one's own hold counts although it is old");
        assert_eq!(count("aabCb", "b", Strategy::Greedy), 3);
    }

    #[test]
    fn however_it_begins_all_end_with_their_share() {
        for strategy in [Strategy::Greedy, Strategy::Balanced] {
            for (partitions, readers) in [(32, 2), (32, 3), (5, 4), (3, 5), (7, 2)] {
                let mut table = Table::new(&"-".repeat(partitions));
                let names: Vec<String> = (0..readers).map(|reader| format!("reader-{reader}")).collect();
                for round in 0..200 {
                    for (at, name) in names.iter().enumerate() {
                        // They start one after the other.
                        if at <= round {
                            let claims = table.claims(name, strategy, (round * readers + at) as u64);
                            table.apply(claims);
                        }
                    }
                }
                let counts: Vec<usize> = names.iter().map(|name| table.count(name)).collect();
                let (least, most) = (partitions / readers, partitions.div_ceil(readers));
                assert!(counts.iter().all(|count| (least..=most).contains(count)), "{counts:?}");
                assert_eq!(counts.iter().sum::<usize>(), partitions);
            }
        }
    }
}
