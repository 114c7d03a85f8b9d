//! Two processes: one is there from the beginning to the end, so that what grows shows, the other starts again and again.

use std::collections::BTreeMap;

use crate::azurite::Azurite;
use crate::member::{Disturbance, Member};
use crate::sample::Sample;
use crate::source::Source;

/// The processes' names.
pub(crate) const NAMES: [&str; 2] = ["staying", "dying"];
const STAYING: usize = 0;
const DYING: usize = 1;

/// What befalls which process, minute after minute, by turns.
const PLAN: [(usize, Disturbance); 4] = [
    (STAYING, Disturbance::Pause),
    (DYING, Disturbance::Kill),
    (DYING, Disturbance::Pause),
    (DYING, Disturbance::Stop),
];

pub(crate) struct Fleet {
    members: [Member; 2],
    disturbances: BTreeMap<Disturbance, u64>,
}

impl Fleet {
    pub(crate) fn start(source: &Source, azurite: &Azurite, output: &str) -> Self {
        let members = NAMES.map(|name| Member::start(name, source, azurite, output));
        Self { members, disturbances: BTreeMap::new() }
    }

    /// Has befall a process what is due in a minute.
    pub(crate) fn disturb(&mut self, minute: u64) {
        let (member, disturbance) = PLAN[minute as usize % PLAN.len()];
        self.members[member].disturb(disturbance);
        *self.disturbances.entry(disturbance).or_default() += 1;
    }

    /// Ends what is over.
    pub(crate) fn tend(&mut self) {
        self.members.iter_mut().for_each(Member::tend);
    }

    /// Of each process, where it is there.
    pub(crate) fn sample(&self) -> [Option<Sample>; 2] {
        [self.members[STAYING].sample(), self.members[DYING].sample()]
    }

    /// How many dead letters there are.
    pub(crate) fn dead_letters(&self) -> usize {
        self.members.iter().map(Member::dead_letters).sum()
    }

    /// How often what has befallen them.
    pub(crate) fn disturbances(&self) -> &BTreeMap<Disturbance, u64> {
        &self.disturbances
    }

    /// Ends all processes; gives the number of dead letters.
    pub(crate) fn end(&mut self) -> usize {
        for member in &mut self.members {
            member.end();
        }
        self.dead_letters()
    }
}
