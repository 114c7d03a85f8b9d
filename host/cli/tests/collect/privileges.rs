//! What a running process has given up.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use defenderbeat_simulator::Options;

use crate::program::{Program, Running, Tenant};

/// Runs in the place of a shell that allows core dumps, until it has delivered documents.
fn started(program: &Program) -> Running {
    let run = program.command(&["run"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\""])
        .arg(run.get_program())
        .args(run.get_args());
    shell.current_dir(program.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(shell.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    while program.documents().is_empty() {
        assert!(Instant::now() < deadline, "it delivers nothing");
        sleep(Duration::from_millis(20));
    }
    running
}

/// A line of what the system says of each thread.
fn of_threads(process: &Child, name: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
    threads
        .filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("status")).ok())
        .map(|status| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned())
        .collect()
}

#[test]
fn every_thread_runs_without_privileges_and_the_process_leaves_no_core() {
    let tenant = Tenant::start(Options::default());
    let program = Program::new(&tenant, &[]);
    let mut running = started(&program);
    for (name, wanted) in [("NoNewPrivs:", "1"), ("Seccomp:", "2")] {
        let found = of_threads(&running.0, name);
        assert!(found.len() > 1 && found.iter().all(|value| value == wanted), "{name} {found:?}");
    }
    for capabilities in of_threads(&running.0, "CapEff:") {
        let dac_override = 1 << 1;
        assert_eq!(u64::from_str_radix(&capabilities, 16).unwrap() & !dac_override, 0);
    }
    let aborted = Command::new("kill").args(["-ABRT", &running.0.id().to_string()]).status().unwrap();
    assert!(aborted.success());
    let status = running.0.wait().unwrap();
    assert!(status.signal().is_some() && !status.core_dumped(), "{status}");
}

#[test]
fn privileges_are_kept_where_the_configuration_says_so() {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let tenant = Tenant::start(Options::default());
    let program = Program::new(&tenant, &["seccomp.enabled=false"]);
    let running = started(&program);
    for name in ["NoNewPrivs:", "Seccomp:", "CapEff:"] {
        let wanted = own.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        assert!(of_threads(&running.0, name).iter().all(|value| value == wanted), "{name}");
    }
}
