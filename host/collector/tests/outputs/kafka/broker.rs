//! One node of Kafka on loopback, which is controller and broker (KRaft).

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use defenderbeat_collector::http::{Secret, SslSettings};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::kafka::login::Signer;

/// The password of all users: `writer`, who may do everything, and `stranger`, who may do nothing.
pub(crate) const PASSWORD: &str = "s3cret";
/// What tokens are for.
pub(crate) const AUDIENCE: &str = "https://kafka.example.com";

/// Where the broker listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Without TLS; everybody may do everything.
    Open,
    /// TLS, and users by PLAIN, SCRAM-SHA-256 or OAUTHBEARER.
    Secure,
    /// TLS with a certificate of the client, and users by SCRAM-SHA-512.
    Strict,
}

/// Ends when dropped, and its data with it.
pub(crate) struct Broker {
    process: Child,
    folder: TempDir,
    libraries: PathBuf,
    ports: [u16; 4],
    authority: Authority,
    /// Whose tokens it takes.
    pub(crate) signer: Arc<Signer>,
}

/// Kafka's classes, which Maven fetches once.
fn libraries() -> Result<PathBuf, String> {
    if !Command::new("java").arg("-version").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return Err("Java, which Kafka takes, is not here".to_owned());
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/kafka");
    let done = target.join("done");
    if done.exists() {
        return Ok(target);
    }
    let fetched = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "dependency:copy-dependencies", "-DincludeScope=runtime", "--file"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outputs/kafka/pom.xml"))
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

/// A program of Kafka's. Its compiler is the fast one, because each runs for seconds.
fn java(libraries: &Path, arguments: &[String], class: &str) -> Command {
    let mut command = Command::new(if cfg!(target_os = "linux") { "setpriv" } else { "java" });
    if cfg!(target_os = "linux") {
        // Where the test is killed, the broker must not stay.
        command.args(["--pdeathsig", "KILL", "java"]);
    }
    command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.args(arguments).arg("-cp").arg(format!("{}/*", libraries.display())).arg(class).stdin(Stdio::null());
    command
}

impl Broker {
    /// A broker whose topics have 3 partitions; `makes_topics` says whether it makes them when they are asked for. None, with a
    /// message, where it cannot run.
    pub(crate) fn start(makes_topics: bool) -> Option<Self> {
        static LIBRARIES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let libraries = match LIBRARIES.get_or_init(libraries) {
            Ok(libraries) => libraries.clone(),
            Err(cause) => {
                crate::skipped(cause);
                return None;
            }
        };
        // All at a time, so that no two are the same.
        let ports = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = ports.map(|listener| listener.local_addr().unwrap().port());
        let (folder, authority, signer) = (tempfile::tempdir().unwrap(), Authority::new(), Arc::new(Signer::new()));
        let (certificate, key) = authority.certificate("localhost");
        fs::write(folder.path().join("server.pem"), key.serialize_pem() + &certificate.pem()).unwrap();
        fs::write(folder.path().join("authority.pem"), &authority.pem).unwrap();
        fs::write(folder.path().join("keys.json"), signer.keys()).unwrap();
        let properties = properties(folder.path(), ports, makes_topics);
        fs::write(folder.path().join("server.properties"), properties).unwrap();
        let mut format = java(&libraries, &[], "kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw"]);
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            format.arg("--add-scram").arg(format!("{mechanism}=[name=writer,password={PASSWORD}]"));
        }
        let formatted = format.arg("--config").arg(folder.path().join("server.properties")).output().unwrap();
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let process = run(&libraries, folder.path());
        // The last one that opens.
        while TcpStream::connect(("127.0.0.1", ports[Listener::Strict as usize])).is_err() {
            thread::sleep(Duration::from_millis(50));
        }
        Some(Self { process, folder, libraries, ports, authority, signer })
    }

    /// Where it listens.
    pub(crate) fn address(&self, listener: Listener) -> String {
        format!("localhost:{}", self.ports[listener as usize])
    }

    /// What a client needs for [`Listener::Secure`] and [`Listener::Strict`].
    pub(crate) fn ssl(&self) -> SslSettings {
        let (certificate, key) = self.authority.certificate("collector");
        SslSettings {
            certificate_authorities: vec![self.authority.pem.clone()],
            certificate: Some(certificate.pem()),
            key: Some(Secret::new(key.serialize_pem())),
            ..SslSettings::default()
        }
    }

    /// Kills it (SIGKILL), and starts it anew with what it has on disk.
    pub(crate) fn kill_and_restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = run(&self.libraries, self.folder.path());
    }

    /// What Kafka's own consumer reads from a topic: partition, key and value.
    pub(crate) fn read(&self, topic: &str) -> Vec<(String, String, String)> {
        let read = java(&self.libraries, &[], "org.apache.kafka.tools.consumer.ConsoleConsumer")
            .args(["--bootstrap-server", &self.address(Listener::Open), "--topic", topic, "--from-beginning"])
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

/// A broker that starts again has to wait until its session of before is over. Where no validator of tokens is named, 4.1 takes one that
/// checks no signature.
fn properties(folder: &Path, [open, secure, strict, controller]: [u16; 4], makes_topics: bool) -> String {
    let folder = folder.display();
    let security = "org.apache.kafka.common.security";
    format!(
        r#"process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=OPEN://127.0.0.1:{open},SECURE://127.0.0.1:{secure},STRICT://127.0.0.1:{strict},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=OPEN://localhost:{open},SECURE://localhost:{secure},STRICT://localhost:{strict}
listener.security.protocol.map=OPEN:PLAINTEXT,SECURE:SASL_SSL,STRICT:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=OPEN
log.dirs={folder}/data
num.partitions=3
auto.create.topics.enable={makes_topics}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=200
group.initial.rebalance.delay.ms=0
message.max.bytes=100000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:writer
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/authority.pem
listener.name.strict.ssl.client.auth=required
listener.name.strict.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.strict.scram-sha-512.sasl.jaas.config={security}.scram.ScramLoginModule required;
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,OAUTHBEARER
listener.name.secure.plain.sasl.jaas.config={security}.plain.PlainLoginModule required user_writer="{PASSWORD}" user_stranger="{PASSWORD}";
listener.name.secure.scram-sha-256.sasl.jaas.config={security}.scram.ScramLoginModule required;
listener.name.secure.oauthbearer.sasl.jaas.config={security}.oauthbearer.OAuthBearerLoginModule required;
listener.name.secure.oauthbearer.sasl.server.callback.handler.class={security}.oauthbearer.OAuthBearerValidatorCallbackHandler
sasl.oauthbearer.jwt.validator.class={security}.oauthbearer.BrokerJwtValidator
sasl.oauthbearer.jwks.endpoint.url=file://{folder}/keys.json
sasl.oauthbearer.expected.audience={AUDIENCE}
listener.name.secure.oauthbearer.connections.max.reauth.ms=3600000
"#
    )
}

fn run(libraries: &Path, folder: &Path) -> Child {
    let log = File::create(folder.join("log")).unwrap();
    let keys = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{}/keys.json", folder.display());
    let mut command = java(libraries, &[keys], "kafka.Kafka");
    command.arg(folder.join("server.properties")).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
