//! SIGKILL at random moments, and a rollover now and then, while documents of all streams flow: none is lost, none doubled, and each
//! is what `transform` makes of its record.

use std::collections::HashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use defenderbeat_simulator::EventHubsOptions;

use crate::delivery::{DATASETS, differences, program, tenant};
use crate::program::Running;
use crate::server::{Server, shared_server};
use crate::stream::name;

/// How often in the tests; `make chaos` says 200.
const KILLS: &str = "8";
/// Events per kill; alerts, incidents and findings come on top.
const EVENTS: u64 = 700;
/// A process lives at least so long.
const LIFE: Duration = Duration::from_secs(3);
/// A rollover comes with every so many processes, of one data stream after the other.
const ROLLOVER: u64 = 4;
/// More than a slow machine needs for the rest.
const PATIENCE: Duration = Duration::from_secs(900);

fn counts(server: &Server) -> [u64; 4] {
    DATASETS.map(|dataset| server.count(&name(dataset, "chaos")))
}

/// Waits until nothing more comes.
fn settle(server: &Server, events: u64) {
    let began = Instant::now();
    let (mut before, mut since) = (counts(server), Instant::now());
    // A sync gives at least as many documents as it has rows.
    let enough = |counts: &[u64; 4]| counts[2] >= events && counts[3] >= events / 5;
    while !enough(&before) || since.elapsed() < Duration::from_secs(10) {
        assert!(began.elapsed() < PATIENCE, "everything arrives; by now {before:?}");
        sleep(Duration::from_secs(1));
        let now = counts(server);
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}

#[test]
fn every_document_arrives_once_although_the_process_is_killed_again_and_again() {
    let Some(server) = shared_server() else { return };
    let kills: u64 = std::env::var("CHAOS_KILLS").as_deref().unwrap_or(KILLS).parse().expect("CHAOS_KILLS is a number");
    let events = kills * EVENTS;
    let tenant = tenant(
        events,
        // They come as long as processes are killed.
        EventHubsOptions { events_per_second: Some(160.0), records_per_message: 20, ..EventHubsOptions::default() },
    );
    let program = program(&tenant, "chaos", &server.output(server.elasticsearch.writer()));
    let mut random = fastrand::Rng::with_seed(1);
    let mut rollovers = 0;
    for number in 0..kills {
        let mut process = Running(program.start());
        let life = LIFE + Duration::from_millis(random.u64(..2_000));
        let half = life.mul_f64(random.f64());
        sleep(half);
        let stream = name(DATASETS[random.usize(..4)], "chaos");
        if number % ROLLOVER == ROLLOVER - 1 && server.count(&stream) > 0 {
            server.roll_over(&stream);
            rollovers += 1;
            println!("{number} kills, {rollovers} rollovers: {:?} documents", counts(&server));
        }
        sleep(life - half);
        assert!(process.0.try_wait().unwrap().is_none(), "it runs until it is killed");
    }
    println!("killed {kills} times, rolled over {rollovers} times; arrived by then: {:?}", counts(&server));
    let last = Running(program.start());
    settle(&server, events);
    drop(last);
    println!("arrived: {:?}", counts(&server));
    assert_eq!(differences(&server, &tenant, "chaos"), HashMap::new());
    assert_eq!(program.dead_letters(), "");
}
