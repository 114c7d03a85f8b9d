//! `output.logstash` against the server of Elastic's go-lumber.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use defenderbeat_collector::http::SslSettings;
use defenderbeat_collector::output::logstash::LogstashSettings;
use defenderbeat_collector::output::{Backoff, Logstash, Output as _};
use tempfile::TempDir;

use crate::{deliver, documents, skipped};

/// A server that ends when dropped.
struct Server {
    process: Child,
    folder: TempDir,
    program: PathBuf,
    address: String,
}

/// Builds the server; none, with a message, where Go or the module is not to be had.
fn build() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lumberjack");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outputs/logstash/foreign");
    let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).output();
    match built {
        Ok(built) if built.status.success() => return Some(program),
        Ok(built) => skipped(&String::from_utf8_lossy(&built.stderr)),
        Err(error) => skipped(&format!("Go, which builds the server, is not here: {error}")),
    }
    None
}

impl Server {
    fn start() -> Option<Self> {
        let program = build()?;
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("cert.pem"), key.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), key.signing_key.serialize_pem()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("localhost:{port}");
        let process = run(&program, folder.path(), &address);
        Some(Self { process, folder, program, address })
    }

    fn kill_and_restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = run(&self.program, self.folder.path(), &self.address);
    }

    fn output(&self, compression_level: u32) -> Logstash {
        let authority = self.folder.path().join("cert.pem").display().to_string();
        let ssl = SslSettings { certificate_authorities: vec![authority], ..SslSettings::default() };
        let settings = LogstashSettings {
            hosts: vec![self.address.clone()],
            compression_level,
            timeout: Duration::from_secs(10),
            backoff: Backoff { init: Duration::from_millis(100), max: Duration::from_secs(1) },
            ssl: Some(ssl),
            ..LogstashSettings::default()
        };
        Logstash::open(settings).unwrap()
    }

    /// What it printed; a line may be torn where it was killed.
    fn received(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.folder.path().join("out")).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

fn run(program: &Path, folder: &Path, address: &str) -> Child {
    let out = OpenOptions::new().create(true).append(true).open(folder.join("out")).unwrap();
    let log = File::create(folder.join("log")).unwrap();
    let mut command = Command::new(program);
    command.arg(address).arg(folder.join("cert.pem")).arg(folder.join("key.pem"));
    command.stdin(Stdio::null()).stdout(out).stderr(log).spawn().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Over TLS, several windows under way, and the server killed while they are.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_although_the_server_is_killed() {
    let Some(mut server) = Server::start() else { return };
    let mut sent = 0;
    for level in [0, 3, 9] {
        let output = server.output(level);
        let windows = (0..4).map(|window| deliver(&output, sent + window * 500..sent + (window + 1) * 500));
        futures_util::future::join_all(windows).await;
        let windows = (4..8).map(|window| deliver(&output, sent + window * 500..sent + (window + 1) * 500));
        let kill = async { server.kill_and_restart() };
        futures_util::future::join(futures_util::future::join_all(windows), kill).await;
        sent += 4000;
    }
    let received = server.received();
    let ids: BTreeSet<&str> = received.iter().filter_map(|event| event["@metadata"]["_id"].as_str()).collect();
    let expected: BTreeSet<String> = (0..sent).map(|id| format!("{id:032x}")).collect();
    assert_eq!(ids, expected.iter().map(String::as_str).collect());
    assert!(received.iter().all(|event| event["@metadata"]["beat"] == "defenderbeat"));
}

#[tokio::test]
async fn a_server_that_is_not_there_took_nothing() {
    // Nothing listens on port 1.
    let settings = LogstashSettings { hosts: vec!["127.0.0.1:1".into()], ..LogstashSettings::default() };
    let output = Logstash::open(settings).unwrap();
    let error = output.send(&[documents(0..1)]).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().starts_with("output.logstash: connecting to 127.0.0.1:1: "));
}
