//! Who leads how many inputs: rules over what processes say of themselves.
//!
//! Two rules suffice, and nobody has to know what the others decide:
//! - an input that nobody leads is left, for a while, to processes that lead fewer;
//! - a process hands an input over to another that wants it and would still lead fewer than itself.
//!
//! So all end with numbers that differ by at most one, where all have the same inputs: each leads at most the inputs divided by the
//! processes, rounded up. A process that says it lives and takes nothing holds up nobody for longer than that while.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

/// What another process says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    /// Marks of the inputs that it leads or would lead.
    inputs: Vec<String>,
    /// How many it leads.
    leads: usize,
}

const INPUTS: &str = "inputs";
const LEADS: &str = "leads";

impl Member {
    pub(super) fn new<'a>(inputs: impl Iterator<Item = &'a str>, leads: usize) -> Self {
        Self { inputs: inputs.map(mark).collect(), leads }
    }

    pub(super) fn to_metadata(&self) -> [(&'static str, String); 2] {
        [(INPUTS, self.inputs.join(",")), (LEADS, self.leads.to_string())]
    }

    pub(super) fn of_metadata(metadata: &BTreeMap<String, String>) -> Self {
        let text = |key| metadata.get(key).map(String::as_str).unwrap_or_default();
        Self { inputs: text(INPUTS).split(',').map(str::to_owned).collect(), leads: text(LEADS).parse().unwrap_or(0) }
    }

    fn wants(&self, input: &str) -> bool {
        let mark = mark(input);
        self.inputs.contains(&mark)
    }
}

/// Metadata of a blob are 8 KiB at most; ids may be long. Two inputs with one mark would only be shared less evenly.
fn mark(input: &str) -> String {
    format!("{:08x}", xxh3_64(input.as_bytes()) >> 32)
}

/// Whether an input that nobody leads is left to others first, by a process that leads so many.
pub(super) fn is_left_to_others(input: &str, leads: usize, others: &[Member]) -> bool {
    others.iter().any(|other| other.leads < leads && other.wants(input))
}

/// Which input a process hands over that leads these, if any: the first that somebody wants who leads so few that he will not lead
/// more than it.
pub(super) fn to_hand_over<'a>(leads: &[&'a str], others: &[Member]) -> Option<&'a str> {
    let is_wanted = |input: &&&str| others.iter().any(|other| other.leads + 1 < leads.len() && other.wants(input));
    leads.iter().find(is_wanted).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes that each have all of the inputs or some, and the leader of each input.
    struct Table {
        inputs: Vec<String>,
        wants: Vec<Vec<usize>>,
        leaders: Vec<Option<usize>>,
    }

    impl Table {
        fn new(inputs: usize, processes: usize) -> Self {
            let names = (0..inputs).map(|input| format!("input-{input}")).collect();
            Self { inputs: names, wants: vec![(0..inputs).collect(); processes], leaders: vec![None; inputs] }
        }

        fn leads(&self, process: usize) -> Vec<&str> {
            let all = self.inputs.iter().zip(&self.leaders);
            all.filter(|(_, leader)| **leader == Some(process)).map(|(input, _)| input.as_str()).collect()
        }

        fn others(&self, process: usize, alive: &[usize]) -> Vec<Member> {
            let others = alive.iter().filter(|other| **other != process);
            let member = |other: &usize| {
                let wants = self.wants[*other].iter().map(|input| self.inputs[*input].as_str());
                // As a process says it, and as another reads it.
                let said = Member::new(wants, self.leads(*other).len()).to_metadata();
                Member::of_metadata(&said.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            };
            others.map(member).collect()
        }

        /// One look of a process; `patient`: nothing was left to others for long enough.
        fn turn(&mut self, process: usize, alive: &[usize], patient: bool) {
            let others = self.others(process, alive);
            for input in self.wants[process].clone() {
                let leads = self.leads(process).len();
                if self.leaders[input].is_none() && !(patient && is_left_to_others(&self.inputs[input], leads, &others))
                {
                    self.leaders[input] = Some(process);
                }
            }
            let given = to_hand_over(&self.leads(process), &others).map(str::to_owned);
            if let Some(given) = given {
                let at = self.inputs.iter().position(|input| *input == given).unwrap();
                self.leaders[at] = None;
            }
        }

        fn die(&mut self, process: usize) {
            for leader in self.leaders.iter_mut().filter(|leader| **leader == Some(process)) {
                *leader = None;
            }
        }

        fn counts(&self, alive: &[usize]) -> Vec<usize> {
            alive.iter().map(|process| self.leads(*process).len()).collect()
        }
    }

    #[test]
    fn whoever_comes_and_goes_each_has_its_share() {
        for (inputs, processes) in [(4, 2), (5, 2), (7, 3), (2, 3), (12, 5), (1, 2)] {
            let mut table = Table::new(inputs, processes);
            let mut alive = Vec::new();
            let check = |table: &mut Table, alive: &[usize]| {
                for _ in 0..3 * inputs {
                    alive.iter().for_each(|process| table.turn(*process, alive, true));
                }
                let counts = table.counts(alive);
                let most = inputs.div_ceil(alive.len());
                assert!(counts.iter().all(|count| *count <= most), "{counts:?} of {inputs}");
                assert_eq!(counts.iter().sum::<usize>(), inputs, "each input is led");
                // It stays so.
                let before = table.leaders.clone();
                alive.iter().for_each(|process| table.turn(*process, alive, true));
                assert_eq!(table.leaders, before);
            };
            for process in 0..processes {
                alive.push(process);
                check(&mut table, &alive);
            }
            while alive.len() > 1 {
                table.die(alive.remove(0));
                check(&mut table, &alive);
            }
        }
    }

    #[test]
    fn an_input_that_one_process_has_stays_with_it() {
        let mut table = Table::new(3, 2);
        table.wants[1] = vec![2];
        for _ in 0..4 {
            table.turn(0, &[0, 1], true);
        }
        assert_eq!(table.leads(0).len(), 2, "the one that both have is handed over");
        table.turn(1, &[0, 1], true);
        assert_eq!((table.leads(0), table.leads(1)), (vec!["input-0", "input-1"], vec!["input-2"]));
    }

    #[test]
    fn what_others_do_not_take_is_taken() {
        let mut table = Table::new(3, 2);
        table.turn(0, &[0, 1], true);
        assert_eq!(table.leads(0).len(), 1, "the rest is left to the one that leads none");
        table.turn(0, &[0, 1], false);
        assert!(table.leads(0).len() >= 2, "after a while it is not");
    }

    #[test]
    fn metadata_of_strangers_mean_nothing() {
        for (inputs, leads) in [("", ""), ("x,,y", "many"), ("ffffffff", "-1")] {
            let metadata = [(INPUTS.to_owned(), inputs.to_owned()), (LEADS.to_owned(), leads.to_owned())];
            let member = Member::of_metadata(&metadata.into());
            assert!(member.leads == 0 && !member.wants("input-0"));
        }
    }
}
