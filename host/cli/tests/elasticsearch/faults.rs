//! Between the program and the server everything fails that can: the same documents arrive in the end, and memory stays what it is
//! without faults.

use std::collections::HashMap;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use defenderbeat_elasticsearch::{Fault, Faults, Proxy};
use defenderbeat_simulator::EventHubsOptions;
use serde_json::json;

use crate::delivery::{DATASETS, differences, program, tenant};
use crate::program::{Program, Running, Tenant};
use crate::server::{Server, output, server};
use crate::stream::name;

const EVENTS: u64 = 12_000;
/// The program gives an answer up after this ...
const TIMEOUT: &str = "2s";
/// ... so a stall is longer.
const STALL: Duration = Duration::from_secs(3);
/// Requests that each fault befalls by itself, before all come together.
const BEFALLEN: u64 = 3;
/// More than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(300);

fn events() -> Tenant {
    tenant(EVENTS, EventHubsOptions { records_per_message: 50, ..EventHubsOptions::default() })
}

fn behind(proxy: &Proxy, server: &Server, tenant: &Tenant, namespace: &str) -> Program {
    // Small requests, so that there are many.
    let further = json!({"timeout": TIMEOUT, "bulk_max_size": 200});
    program(tenant, namespace, &output(proxy.url(), server.elasticsearch.writer(), further))
}

/// The peak of a process's resident set so far, in KiB.
fn peak(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Waits until all documents have arrived, and ends the process; gives the peak of its resident set.
fn finish(server: &Server, mut process: Running, namespace: &str) -> u64 {
    let began = Instant::now();
    let arrived = || DATASETS.map(|dataset| server.count(&name(dataset, namespace)));
    // Each alert is one within an incident too; a few incidents have none.
    let whole = |[alerts, incidents, events, findings]: [u64; 4]| {
        alerts >= EVENTS / 6 && incidents >= alerts + alerts / 50 && events >= EVENTS && findings >= EVENTS / 5 + 20
    };
    while !whole(arrived()) {
        assert!(began.elapsed() < PATIENCE, "everything arrives; by now {:?}", arrived());
        assert!(process.0.try_wait().unwrap().is_none(), "it goes on");
        sleep(Duration::from_millis(500));
    }
    // What may come in excess.
    sleep(Duration::from_secs(3));
    peak(&process.0)
}

#[test]
fn storms_of_faults_lose_and_double_nothing_and_take_no_more_memory() {
    let Some(mut server) = server() else { return };
    let upstream = (server.elasticsearch.url(), server.elasticsearch.client().clone());
    let proxy = server.runtime.block_on(Proxy::start(upstream.0, upstream.1, 1)).unwrap();

    let tenant = events();
    let calm = behind(&proxy, &server, &tenant, "calm");
    let without = finish(&server, Running(calm.start()), "calm");
    assert_eq!(differences(&server, &tenant, "calm"), HashMap::new());

    let tenant = events();
    let stormy = behind(&proxy, &server, &tenant, "stormy");
    let process = Running(stormy.start());
    for fault in Fault::ALL {
        proxy.set(Faults { rates: vec![(fault, 0.7)], stall: STALL });
        let began = Instant::now();
        while proxy.counts().get(&fault).is_none_or(|count| *count < BEFALLEN) {
            assert!(began.elapsed() < PATIENCE, "each fault comes: {:?}", proxy.counts());
            sleep(Duration::from_millis(20));
        }
    }
    proxy.set(Faults { rates: Fault::ALL.map(|fault| (fault, 0.05)).into(), stall: STALL });
    let Server { elasticsearch, runtime } = &mut *server;
    runtime.block_on(elasticsearch.kill());
    runtime.block_on(elasticsearch.start_again()).unwrap();
    sleep(Duration::from_secs(2));
    proxy.set(Faults::default());
    let with = finish(&server, process, "stormy");

    println!("peak of resident memory: {without} KiB without faults, {with} KiB with {:?}", proxy.counts());
    assert_eq!(differences(&server, &tenant, "stormy"), HashMap::new());
    assert_eq!(stormy.dead_letters(), "");
    assert!(with * 2 <= without * 3, "{with} KiB are at most 1.5 times {without} KiB");
}
