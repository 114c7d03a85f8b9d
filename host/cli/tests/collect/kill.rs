//! SIGKILL at any moment loses nothing.

use std::thread::sleep;
use std::time::Duration;

use defenderbeat_simulator::{AlertOptions, FaultOptions, GraphOptions, Options};

use crate::program::{Program, Tenant, log};

const KILLS: u64 = 20;

fn killed_twenty_times(unordered: bool, workers: usize) {
    let tenant = Tenant::start(Options {
        alerts: AlertOptions {
            count: 10_000,
            ties: 2_500,
            late: 200,
            late_after_requests: 40,
            ..AlertOptions::default()
        },
        graph: GraphOptions { unordered, ..GraphOptions::default() },
        faults: FaultOptions { throttled: 0.05, retry_after: 0, failed: 0.05, ..FaultOptions::default() },
        ..Options::default()
    });
    let workers = format!("inputs.0.workers={workers}");
    let options = ["output.file.rotate_on_startup=false", "inputs.0.batch_size=1000", workers.as_str()];
    let program = Program::new(&tenant, &options);
    let mut random = 1_u64;
    for _ in 0..KILLS {
        let mut process = program.start();
        // From before its first request to after its first cycles.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        sleep(Duration::from_millis(100 + (random >> 33) % 900));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    // The first cycle may still be busy with what was there. One that begins when late alerts are visible has them, however few
    // requests the killed ones came to make.
    let mut visible = false;
    while !visible {
        visible = tenant.simulator.counters().requests > 40;
        let output = program.once();
        assert!(output.status.success(), "{}", log(&output));
    }
    let (delivered, expected) = (program.delivered(), tenant.expected());
    let lost: Vec<_> = expected.iter().filter(|alert| delivered.binary_search(alert).is_err()).take(5).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(delivered.len(), expected.len());
    assert_eq!(program.dead_letters(), "");
}

#[test]
fn every_alert_arrives_although_the_process_is_killed_twenty_times() {
    killed_twenty_times(false, 1);
}

#[test]
fn every_alert_arrives_although_the_process_is_killed_twenty_times_and_nothing_is_ordered() {
    killed_twenty_times(true, 1);
}

#[test]
fn every_alert_arrives_although_the_process_is_killed_twenty_times_and_several_workers_map() {
    killed_twenty_times(false, 3);
}
