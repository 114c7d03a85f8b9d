//! All streams for an hour, 2,000 records a second, by two processes that share them, while everything around fails now and then and
//! one process after the other is killed, stopped or paused: what they take does not grow, and nothing is lost or doubled.
//!
//! The tenant and Event Hubs throttle, fail, revoke tokens and drop connections; in front of a server that only answers, requests meet all
//! [faults](defenderbeat_elasticsearch::Fault) of the proxy. The server refuses an id that it has, as Elasticsearch does within one index, and which ids
//! have to arrive follows from the tenant's options. `SOAK_MINUTES` says for how long, 60 if it does not. Ends with status 1 where something
//! grows, is missing, or was not expected. It takes Linux, and npm for Azurite. The processes' logs are in `target/tmp/soak`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints"
)]

mod arrived;
#[path = "../../tests/collect/asked.rs"]
#[allow(dead_code, reason = "a helper of tests, of which the bench takes a part")]
mod asked;
#[path = "../../../collector/tests/event_hubs/azurite.rs"]
#[allow(dead_code, reason = "a helper of tests, of which the bench takes a part")]
mod azurite;
mod expected;
mod fleet;
#[path = "../../tests/elasticsearch/mapper.rs"]
mod mapper;
#[path = "../mapping/median.rs"]
mod median;
mod member;
#[path = "../../tests/collect/program.rs"]
#[allow(dead_code, reason = "a helper of tests, of which the bench takes a part")]
mod program;
mod sample;
mod source;
mod table;
mod verdict;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use defenderbeat_elasticsearch::{Fault, Faults, Proxy, Sink};

use crate::arrived::Arrived;
use crate::azurite::Azurite;
use crate::expected::Expected;
use crate::fleet::Fleet;
use crate::source::Source;
use crate::table::Table;

const MINUTES: &str = "60";
const MINUTE: u64 = 60;
/// Seconds from one sample to the next.
const SAMPLE: u64 = 10;
/// The part of requests to the output that each of its faults befalls.
const BEFALLEN: f64 = 0.005;
/// Longer than the program waits for an answer.
const STALL: Duration = Duration::from_secs(3);
/// How long the rest may take to arrive, once nothing more comes.
const PATIENCE: Duration = Duration::from_secs(240);

fn main() -> ExitCode {
    let minutes = std::env::var("SOAK_MINUTES");
    let minutes: u64 = minutes.as_deref().unwrap_or(MINUTES).parse().expect("SOAK_MINUTES is a number");
    let Some(azurite) = Azurite::start() else { return ExitCode::SUCCESS };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let arrived = Arc::new(Mutex::new(Arrived::default()));
    let looking = arrived.clone();
    // The client asks for it, whether or not there is TLS. That it is there already is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sink = runtime.block_on(Sink::looking(move |sent| looking.lock().unwrap().look(sent))).unwrap();
    let proxy = runtime.block_on(Proxy::start(sink.url(), reqwest::Client::new(), 1)).unwrap();
    proxy.set(Faults { rates: Fault::ALL.map(|fault| (fault, BEFALLEN)).into(), stall: STALL });

    let source = Source::start(Duration::from_secs(minutes * MINUTE));
    let expected = Expected::begin(&source);
    let mut fleet = Fleet::start(&source, &azurite, proxy.url());
    let mut table = Table::begin();
    for second in 1..=minutes * MINUTE {
        sleep((source.began + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
        fleet.tend();
        // The last minute is quiet, and so is the first.
        if second % MINUTE == 0 && second < minutes * MINUTE {
            fleet.disturb(second / MINUTE);
        }
        if second % SAMPLE == 0 {
            table.add(second, fleet.sample());
        }
        if second % MINUTE == 0 {
            table.print(&source, &arrived.lock().unwrap(), fleet.dead_letters());
        }
    }

    let rest = Instant::now();
    while arrived.lock().unwrap().behind(source.all()) > 0 && rest.elapsed() < PATIENCE {
        fleet.tend();
        sleep(Duration::from_secs(1));
    }
    println!("{:.0} seconds later everything that will arrive has arrived", rest.elapsed().as_secs_f64());
    let dead_letters = fleet.end();
    println!("{}\n{:?}\n{:?}", source.faults(), proxy.counts(), fleet.disturbances());
    let failures = verdict::of(&table, expected.end(&source), &arrived.lock().unwrap(), dead_letters);
    for failure in &failures {
        println!("FAILED: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
