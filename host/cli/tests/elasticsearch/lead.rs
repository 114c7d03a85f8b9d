//! Two processes collect all streams, and the one that leads is killed or paused again and again: no document is lost, none doubled,
//! and each is what `transform` makes of its record.

use std::collections::HashMap;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use defenderbeat_simulator::{EventHubsOptions, GraphOptions, Options};

use crate::asked::{Asked, free_port};
use crate::azurite::Azurite;
use crate::delivery::{DATASETS, differences, options, program};
use crate::program::{Running, Tenant, signal};
use crate::server::{Server, shared_server};
use crate::stream::name;

/// How often in the tests; `make takeovers` says 50.
const TAKEOVERS: &str = "3";
/// Events per take-over, over the time of which they come; alerts, incidents and findings come on top.
const EVENTS: u64 = 1_500;
/// The shortest lease there is. A paused process sleeps for longer.
const LEASE: Duration = Duration::from_secs(15);
/// Inputs that are led: all but the events, whose partitions are shared.
const LED: [&str; 3] = ["alerts", "incidents", "vulnerabilities"];
/// More than a slow machine needs for the rest.
const PATIENCE: Duration = Duration::from_secs(900);

/// One of the two.
struct Process {
    asked: Asked,
    running: Running,
}

impl Process {
    fn start(tenant: &Tenant, azurite: &Azurite, server: &Server) -> Self {
        let (port, account) = (free_port(), azurite.connection_string());
        let program = program(tenant, "lead", &server.output(server.elasticsearch.writer())).with(&[
            format!("coordination.azure_blob.storage_account_connection_string={account}"),
            format!("coordination.azure_blob.lease_duration={}s", LEASE.as_secs()),
            format!("inputs.2.storage_account_connection_string={account}"),
            "inputs.2.processor_update_interval=1s".to_owned(),
            "inputs.2.processor_ownership_expiration=5s".to_owned(),
            "inputs.0.batch_size=50".to_owned(),
            "inputs.1.batch_size=20".to_owned(),
            "http.enabled=true".to_owned(),
            format!("http.port={port}"),
        ]);
        let asked = Asked { program, port };
        Self { running: asked.start(), asked }
    }

    /// How many inputs it leads.
    fn leads(&self) -> usize {
        // Where it is about to end or to start, none.
        if TcpStream::connect(("127.0.0.1", self.asked.port)).is_err() {
            return 0;
        }
        let (_, stats) = self.asked.get("/stats");
        let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
        LED.iter().filter(|input| stats["inputs"][*input]["leads"] == 1).count()
    }
}

fn wait(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(100));
    }
}

fn counts(server: &Server) -> [u64; 4] {
    DATASETS.map(|dataset| server.count(&name(dataset, "lead")))
}

/// Waits until nothing more comes.
fn settle(server: &Server, events: u64) {
    let (mut before, mut since) = (counts(server), Instant::now());
    // Alerts are those of incidents too; a sync gives at least as many documents as it has rows.
    let enough = |[alerts, incidents, of_hub, findings]: [u64; 4]| {
        alerts >= events / 6 && incidents >= events / 6 && of_hub >= events && findings >= events / 5
    };
    wait("everything arrives", || {
        let now = counts(server);
        if now != before {
            (before, since) = (now, Instant::now());
        }
        enough(now) && since.elapsed() > Duration::from_secs(10)
    });
}

#[test]
fn every_document_arrives_once_although_leaders_are_killed_and_paused_again_and_again() {
    let Some(server) = shared_server() else { return };
    let Some(azurite) = Azurite::start() else { return };
    let server: &Server = &server;
    let takeovers = std::env::var("CHAOS_TAKEOVERS");
    let takeovers: u64 = takeovers.as_deref().unwrap_or(TAKEOVERS).parse().expect("CHAOS_TAKEOVERS is a number");
    let events = takeovers * EVENTS;
    let event_hubs = EventHubsOptions {
        partitions: 8,
        events_per_second: Some(60.0),
        records_per_message: 20,
        ..EventHubsOptions::default()
    };
    // Pages take their time, so that leaders end in the middle.
    let graph = GraphOptions { bytes_per_second: Some(200_000), plain: true, ..GraphOptions::default() };
    let tenant = Tenant::start(Options { graph, ..options(events, event_hubs) });
    let mut processes = [(); 2].map(|()| Process::start(&tenant, &azurite, server));
    wait("each has its share", || {
        let mut shares = [processes[0].leads(), processes[1].leads()];
        shares.sort_unstable();
        shares == [1, 2]
    });

    let mut random = fastrand::Rng::with_seed(1);
    let (mut killed, mut paused) = (0, 0);
    for number in 0..takeovers {
        wait("each input is led", || processes[0].leads() + processes[1].leads() == LED.len());
        sleep(Duration::from_millis(random.u64(..3_000)));
        let leading: Vec<usize> = (0..2).filter(|process| processes[*process].leads() > 0).collect();
        let at = *random.choice(&leading).unwrap_or(&0);
        let other = 1 - at;
        assert!(processes[at].running.0.try_wait().unwrap().is_none(), "it runs until it is killed");
        if random.bool() {
            signal(processes[at].running.0.id(), "STOP");
            wait("the other one takes over", || processes[other].leads() == LED.len());
            sleep(Duration::from_millis(random.u64(..3_000)));
            signal(processes[at].running.0.id(), "CONT");
            wait("the paused one steps back", || processes[at].leads() + processes[other].leads() <= LED.len());
            paused += 1;
        } else {
            processes[at].running.0.kill().unwrap();
            processes[at].running.0.wait().unwrap();
            // One that starts soon has its inputs back; one that does not is followed.
            if random.bool() {
                wait("the other one takes over", || processes[other].leads() == LED.len());
            }
            processes[at].running = processes[at].asked.start();
            killed += 1;
        }
        println!("{number}: killed {killed}, paused {paused}: {:?} documents", counts(server));
    }
    settle(server, events);
    println!("killed {killed} times, paused {paused} times; arrived: {:?}", counts(server));
    assert_eq!(differences(server, &tenant, "lead"), HashMap::new());
    for Process { asked, .. } in &processes {
        assert_eq!(asked.program.dead_letters(), "");
    }
}
