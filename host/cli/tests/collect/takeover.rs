//! Two processes on one event hub, with a storage account between them: what one leaves when it dies, the other takes over.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::thread::sleep;
use std::time::{Duration, Instant};

use defenderbeat_simulator::{EventHubsOptions, Options};

use crate::azurite::Azurite;
use crate::program::{Program, Running, Tenant};

const RECORDS: u64 = 200_000;
/// What one of them has delivered when it is killed.
const KILLED_AT: usize = 5_000;
/// More than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(400);

/// What a process has delivered, read as its file grows.
struct Delivered {
    file: BufReader<File>,
    line: Vec<u8>,
    ids: BTreeSet<u128>,
}

impl Delivered {
    /// None before there is a file.
    fn open(program: &Program) -> Option<Self> {
        let file = program.files().into_iter().next()?;
        let file = BufReader::new(File::open(file).unwrap());
        Some(Self { file, line: Vec::new(), ids: BTreeSet::new() })
    }

    /// The identities of all documents by now.
    fn ids(&mut self) -> &BTreeSet<u128> {
        // A line that is not whole yet is gone on with later.
        while self.file.read_until(b'\n', &mut self.line).unwrap() > 0 && self.line.ends_with(b"\n") {
            let (_, id) = std::str::from_utf8(&self.line).unwrap().split_once("\"_id\":\"").unwrap();
            self.ids.insert(u128::from_str_radix(id.split('"').next().unwrap(), 16).unwrap());
            self.line.clear();
        }
        &self.ids
    }
}

fn wait<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(done) = done() {
            return done;
        }
        assert!(began.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_a_killed_process_leaves_another_takes_over_and_nothing_is_missing() {
    let Some(azurite) = Azurite::start() else { return };
    let tenant = Tenant::start(Options {
        event_hubs: EventHubsOptions {
            partitions: 32,
            events: RECORDS,
            events_per_second: Some(10_000.0),
            records_per_message: 100,
            ..EventHubsOptions::default()
        },
        ..Options::default()
    });
    let account = format!("inputs.0.storage_account_connection_string={}", azurite.connection_string());
    let program = || {
        Program::of_events(
            &tenant,
            &[
                account.as_str(),
                "inputs.0.processor_update_interval=1s",
                "inputs.0.processor_ownership_expiration=5s",
                "inputs.0.processors=[{drop_fields: {fields: [m365_defender, process, file, host, related]}}]",
                "output.file.rotate_every_kb=4194304",
            ],
        )
    };
    let (staying, dying) = (program(), program());
    let (stays, mut dies) = (Running(staying.start()), Running(dying.start()));
    let mut by_staying = wait("the first process delivers", || Delivered::open(&staying));
    let mut by_dying = wait("the second process delivers", || Delivered::open(&dying));
    wait("the second process has its share", || (by_dying.ids().len() >= KILLED_AT).then_some(()));
    dies.0.kill().unwrap();
    dies.0.wait().unwrap();

    let left = by_dying.ids().clone();
    assert!((left.union(by_staying.ids()).count() as u64) < RECORDS, "it was killed in the middle");
    // Each record has an identity of its own, and nothing else has one.
    wait("nothing is missing", || (left.union(by_staying.ids()).count() as u64 >= RECORDS).then_some(()));
    // What else is on its way.
    sleep(Duration::from_secs(2));
    assert_eq!(left.union(by_staying.ids()).count() as u64, RECORDS);
    assert_eq!((staying.dead_letters(), dying.dead_letters()), (String::new(), String::new()));
    drop(stays);
}
