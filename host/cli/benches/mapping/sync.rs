//! A sync of a large tenant's vulnerabilities, from the API to an output that discards: the program on one core, the tenant
//! on another.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use defenderbeat_simulator::{GraphOptions, Options, Simulator, VulnerabilityOptions};

use crate::pass::root;

/// Rows of products: as many as a large enterprise has, twice and five times as many.
const ROWS: [u64; 3] = [1_000_000, 2_000_000, 5_000_000];

/// What a sync took.
struct Sync {
    documents: f64,
    bytes: f64,
    seconds: f64,
    /// Peak of the resident set, KiB.
    peak: u64,
}

/// Runs a sync for each number of rows.
pub(crate) fn measure() {
    let program = root("target/release/defenderbeat");
    if !program.exists() {
        println!("skipped: syncs of vulnerabilities; run `make build` first");
        return;
    }
    pin(&std::process::id().to_string());
    println!("a sync of 50,000 machines and 250,000 vulnerabilities, 20,000 of them exposed; one core");
    println!("{:>12} {:>10} {:>12} {:>8} {:>10}", "product rows", "seconds", "documents/s", "MB/s", "RSS MiB");
    for rows in ROWS {
        let sync = sync(&program, rows);
        println!(
            "{rows:>12} {:>10.1} {:>12.0} {:>8.0} {:>10}",
            sync.seconds,
            sync.documents / sync.seconds,
            sync.bytes / 1e6 / sync.seconds,
            sync.peak / 1024
        );
    }
    println!();
}

/// Keeps a process, here this one with the tenant, to the second core; without `taskset` it runs where it will.
fn pin(process: &str) {
    let pinned = Command::new("taskset").args(["-acp", "1", process]).stdout(Stdio::null()).status();
    if !pinned.is_ok_and(|status| status.success()) {
        println!("taskset is not there: nothing is pinned to a core");
    }
}

fn sync(program: &std::path::Path, rows: u64) -> Sync {
    let options = Options {
        vulnerabilities: VulnerabilityOptions {
            machines: 50_000,
            vulnerabilities: 250_000,
            exposed: 20_000,
            products: rows,
            ..VulnerabilityOptions::default()
        },
        graph: GraphOptions { plain: true, ..GraphOptions::default() },
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let tenant = runtime.block_on(Simulator::start(options)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let access = &tenant.options().access;
    fs::write(folder.path().join("secret"), &access.client_secret).unwrap();
    let config = format!(
        "
inputs:
  - id: sync
    type: vulnerability
    url: {url}
    login_url: {url}
    tenant_id: {tenant_id}
    client_id: {client_id}
    client_secret: file:{folder}/secret
output.discard: {{}}
path.data: {folder}/data
",
        url = tenant.url(),
        tenant_id = access.tenant_id,
        client_id = access.client_id,
        folder = folder.path().display(),
    );
    let file = folder.path().join("defenderbeat.yml");
    fs::write(&file, config).unwrap();
    let pinned = Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_ok();
    let mut command = if pinned { Command::new("taskset") } else { Command::new(program) };
    if pinned {
        command.args(["-c", "0"]).arg(program);
    }
    let began = Instant::now();
    let mut process =
        command.args(["run", "--once", "-c"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut peak = 0;
    while process.try_wait().unwrap().is_none() {
        peak = peak.max(resident(process.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = began.elapsed().as_secs_f64();
    let output = process.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let (_, discarded) = log.split_once("discarded ").expect("the output says what it discarded");
    let mut numbers = discarded.split(' ').filter_map(|word| word.parse::<f64>().ok());
    Sync { documents: numbers.next().unwrap(), bytes: numbers.next().unwrap(), seconds, peak }
}

/// The peak of a process's resident set, in KiB, once it is the program.
fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.starts_with("Name:\tdefenderbeat\n").then_some(())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
