//! Memory is bounded by the batch, not by the page.

use defenderbeat_simulator::{AlertOptions, GraphOptions, Options};

use crate::program::{Program, Tenant, log};

#[test]
fn a_page_of_200_mb_passes_in_64_mib() {
    use std::process::Stdio;
    use std::time::Duration;

    let tenant = Tenant::start(Options {
        alerts: AlertOptions { count: 1_000, alert_size: 200_000, ..AlertOptions::default() },
        graph: GraphOptions { plain: true, ..GraphOptions::default() },
        ..Options::default()
    });
    let program = Program::new(&tenant, &["output.file=null", "output.discard={}", "inputs.0.batch_size=1000"]);
    let mut process = program.command(&["run", "--once"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", process.id());
    let mut peak = 0_u64;
    while process.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", log(&output));
    let text = log(&output);
    let bytes = text.split("discarded 1000 documents of ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(bytes.unwrap().parse::<u64>().unwrap() > 100_000_000, "the page is as large as it should be: {text}");
    println!("peak resident set of a 200 MB page: {} MiB", peak / 1024);
    assert!(peak > 0 && peak < 64 * 1024, "{peak} KiB");
}
