//! One node of Kafka on loopback, which is controller and broker (KRaft).

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Ends when dropped, and its data with it.
pub(crate) struct Broker {
    process: Child,
    folder: TempDir,
    libraries: PathBuf,
    pub(crate) port: u16,
}

/// Kafka's classes, which Maven fetches once.
fn libraries() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/kafka");
    let done = target.join("done");
    if done.exists() {
        return Ok(target);
    }
    let fetched = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "dependency:copy-dependencies", "-DincludeScope=runtime", "--file"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outputs/pom.xml"))
        .arg(format!("-DoutputDirectory={}", target.display()))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("Maven, which fetches Kafka, is not here: {error}"))?;
    if !fetched.status.success() {
        return Err(format!("Maven cannot fetch Kafka: {}", String::from_utf8_lossy(&fetched.stdout)));
    }
    File::create(done).unwrap();
    Ok(target)
}

fn java(libraries: &Path, class: &str) -> Command {
    // Where the test is killed, the broker must not stay.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "java", "-Xmx512m", "-cp"]);
    command.arg(format!("{}/*", libraries.display())).arg(class).stdin(Stdio::null());
    command
}

impl Broker {
    /// A broker with new topics of 3 partitions, which it makes when they are asked for; none, with a message, where it cannot run.
    pub(crate) fn start() -> Option<Self> {
        let java_is_here = Command::new("java").arg("-version").stderr(Stdio::null()).status().is_ok();
        let libraries = match libraries() {
            Ok(libraries) if java_is_here => libraries,
            Ok(_) => {
                crate::skipped("Java, which Kafka takes, is not here");
                return None;
            }
            Err(cause) => {
                crate::skipped(&cause);
                return None;
            }
        };
        let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (folder, port, controller) = (tempfile::tempdir().unwrap(), port(), port());
        let properties = format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}/data
num.partitions=3
offsets.topic.replication.factor=1
message.max.bytes=100000
",
            folder.path().display()
        );
        let file = folder.path().join("server.properties");
        fs::write(&file, properties).unwrap();
        let formatted = java(&libraries, "kafka.tools.StorageTool")
            .args(["format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let process = run(&libraries, folder.path());
        Some(Self { process, folder, libraries, port })
    }

    /// Kills it (SIGKILL), and starts it anew with what it has on disk.
    pub(crate) fn kill_and_restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = run(&self.libraries, self.folder.path());
    }

    /// What Kafka's own consumer reads from a topic: partition, key and value.
    pub(crate) fn read(&self, topic: &str) -> Vec<(String, String, String)> {
        let read = java(&self.libraries, "org.apache.kafka.tools.consumer.ConsoleConsumer")
            .args(["--bootstrap-server", &format!("127.0.0.1:{}", self.port), "--topic", topic, "--from-beginning"])
            .args(["--timeout-ms", "10000", "--property", "print.partition=true", "--property", "print.key=true"])
            .output()
            .unwrap();
        let text = String::from_utf8(read.stdout).unwrap();
        let records = text.lines().filter(|line| line.starts_with("Partition:")).map(|line| {
            let parts: Vec<&str> = line.splitn(3, '\t').collect();
            (parts[0].to_owned(), parts[1].to_owned(), parts[2].to_owned())
        });
        records.collect()
    }
}

fn run(libraries: &Path, folder: &Path) -> Child {
    let log = File::create(folder.join("log")).unwrap();
    java(libraries, "kafka.Kafka")
        .arg(folder.join("server.properties"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
