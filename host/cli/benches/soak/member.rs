//! One process and what befalls it.

use std::fs::OpenOptions;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::asked::{Asked, free_port};
use crate::azurite::Azurite;
use crate::program::{Program, Running, polled, signal, streamed};
use crate::sample::Sample;
use crate::source::{SYNC, Source};

/// The shortest lease there is.
const LEASE: &str = "15s";
/// A process is gone or paused for longer, so that another takes over.
const AWAY: Duration = Duration::from_secs(25);
/// An answer of the output that takes longer is given up.
const TIMEOUT: &str = "2s";

/// What befalls a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disturbance {
    /// SIGKILL; it starts again after a while.
    Kill,
    /// SIGTERM; it starts again after a while.
    Stop,
    /// SIGSTOP, and SIGCONT after a while.
    Pause,
}

enum State {
    Runs,
    Paused { until: Instant },
    Away { until: Instant },
}

/// One of several processes with the same inputs.
pub(crate) struct Member {
    name: &'static str,
    asked: Asked,
    process: Option<Running>,
    state: State,
}

impl Member {
    pub(crate) fn start(name: &'static str, source: &Source, azurite: &Azurite, output: &str) -> Self {
        let (port, account) = (free_port(), azurite.connection_string());
        let tenant = &source.tenant;
        let inputs = [
            ("alerts", polled(tenant, "alert", "5s")),
            ("incidents", polled(tenant, "incident", "5s")),
            ("events", streamed(tenant)),
            ("vulnerabilities", polled(tenant, "vulnerability", SYNC)),
        ];
        let output = json!({"hosts": [output], "timeout": TIMEOUT, "backoff": {"init": "50ms", "max": "1s"}});
        let options = [
            "output.file=null".to_owned(),
            format!("output.elasticsearch={output}"),
            "inputs.0.overlap=10s".to_owned(),
            "inputs.1.overlap=10s".to_owned(),
            format!("inputs.2.storage_account_connection_string={account}"),
            "inputs.2.processor_update_interval=2s".to_owned(),
            "inputs.2.processor_ownership_expiration=10s".to_owned(),
            format!("coordination.azure_blob.storage_account_connection_string={account}"),
            format!("coordination.azure_blob.lease_duration={LEASE}"),
            "http.enabled=true".to_owned(),
            format!("http.port={port}"),
            "logging.level=warning".to_owned(),
        ];
        let program = Program::of(tenant, &inputs, &[]).with(&options);
        let _ = std::fs::remove_file(log(name));
        let mut member = Self { name, asked: Asked { program, port }, process: None, state: State::Runs };
        member.run();
        member
    }

    fn run(&mut self) {
        let mut command = self.asked.program.command(&["run"]);
        let log = OpenOptions::new().create(true).append(true).open(log(self.name)).unwrap();
        self.process = Some(Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap()));
        self.state = State::Runs;
    }

    fn id(&self) -> u32 {
        self.process.as_ref().expect("it is there").0.id()
    }

    /// Has something befall it, if nothing does at the moment.
    pub(crate) fn disturb(&mut self, disturbance: Disturbance) {
        let until = Instant::now() + AWAY;
        match disturbance {
            Disturbance::Pause => {
                signal(self.id(), "STOP");
                self.state = State::Paused { until };
            }
            Disturbance::Stop => {
                self.end();
                self.state = State::Away { until };
            }
            Disturbance::Kill => {
                self.process = None;
                self.state = State::Away { until };
            }
        }
    }

    /// Has it end by itself, if it is there.
    pub(crate) fn end(&mut self) {
        self.wake();
        let Some(mut process) = self.process.take() else { return };
        signal(process.0.id(), "TERM");
        let status = process.0.wait().unwrap();
        assert!(status.success(), "{} ends with {status}, see {}", self.name, log(self.name).display());
    }

    /// Ends what is over.
    pub(crate) fn tend(&mut self) {
        let now = Instant::now();
        match self.state {
            State::Runs => {
                let ended = self.process.as_mut().unwrap().0.try_wait().unwrap();
                assert_eq!(ended, None, "{} has ended, see {}", self.name, log(self.name).display());
            }
            State::Paused { until } if now >= until => self.wake(),
            State::Away { until } if now >= until => self.run(),
            State::Paused { .. } | State::Away { .. } => {}
        }
    }

    fn wake(&mut self) {
        if matches!(self.state, State::Paused { .. }) {
            signal(self.id(), "CONT");
            self.state = State::Runs;
        }
    }

    /// What it takes, and what it tells; none where it is not there.
    pub(crate) fn sample(&self) -> Option<Sample> {
        let process = self.process.as_ref()?.0.id();
        Some(Sample::take(process, self.answers().then_some(&self.asked)))
    }

    /// Whether it tells of itself: neither one that is paused does, nor one that has just started.
    fn answers(&self) -> bool {
        matches!(self.state, State::Runs) && TcpStream::connect(("127.0.0.1", self.asked.port)).is_ok()
    }

    /// Lines of its file of dead letters.
    pub(crate) fn dead_letters(&self) -> usize {
        let file = self.asked.program.folder.path().join("data/dead-letter/dead-letters.ndjson");
        std::fs::read_to_string(file).map_or(0, |letters| letters.lines().count())
    }
}

fn log(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("soak");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name).with_extension("log")
}
