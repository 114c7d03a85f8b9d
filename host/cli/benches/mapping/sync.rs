//! A sync of a large tenant's vulnerabilities, from the API to an output that discards: the program on one core, the tenant
//! on another.

use std::process::{Command, Stdio};
use std::time::Instant;

use defenderbeat_simulator::{GraphOptions, Options, VulnerabilityOptions};

use crate::discard::{self, Discarded};
use crate::program::{Program, Tenant};

/// Rows of products: as many as a large enterprise has, twice and five times as many.
const ROWS: [u64; 3] = [1_000_000, 2_000_000, 5_000_000];

/// Runs a sync for each number of rows.
pub(crate) fn measure() {
    let pinned = pin();
    println!("a sync of 50,000 machines and 250,000 vulnerabilities, 20,000 of them exposed; one core");
    println!("{:>12} {:>10} {:>12} {:>8} {:>10}", "product rows", "seconds", "documents/s", "MB/s", "RSS MiB");
    for rows in ROWS {
        let (Discarded { documents, bytes, peak }, seconds) = sync(rows, pinned);
        println!(
            "{rows:>12} {seconds:>10.1} {:>12.0} {:>8.0} {:>10}",
            documents as f64 / seconds,
            bytes as f64 / 1e6 / seconds,
            peak / 1024
        );
    }
    println!();
}

/// Keeps this process, with the tenant, to the second core; false where `taskset` is missing.
fn pin() -> bool {
    let this = std::process::id().to_string();
    let status = Command::new("taskset").args(["-acp", "1", &this]).stdout(Stdio::null()).status();
    let pinned = status.is_ok_and(|status| status.success());
    if !pinned {
        println!("taskset cannot be used: nothing is pinned to a core");
    }
    pinned
}

/// What a sync of so many rows discards, and its seconds.
fn sync(rows: u64, pinned: bool) -> (Discarded, f64) {
    let tenant = Tenant::start(Options {
        vulnerabilities: VulnerabilityOptions {
            machines: 50_000,
            vulnerabilities: 250_000,
            exposed: 20_000,
            products: rows,
            ..VulnerabilityOptions::default()
        },
        graph: GraphOptions { plain: true, ..GraphOptions::default() },
        ..Options::default()
    });
    let program = Program::of_vulnerabilities(&tenant, &["output.file=null", "output.discard={}"]);
    let mut command = program.command(&["run", "--once"]);
    if pinned {
        let mut first = Command::new("taskset");
        first.args(["-c", "0"]).arg(command.get_program()).args(command.get_args());
        command = first;
    }
    let began = Instant::now();
    (discard::run(&mut command), began.elapsed().as_secs_f64())
}
