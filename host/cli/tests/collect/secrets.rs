//! Secrets: that a new one is taken while the program runs, and that none is ever shown. Every option that holds a secret is tried.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use defenderbeat_collector::config::secrets;
use defenderbeat_simulator::{AlertOptions, EventHubsOptions, Options};
use serde_json::json;

use crate::asked::{free_port, pause};
use crate::program::{Program, Running, Tenant, log, polled, streamed};

/// Further secrets than those of options: one that travels in an address, and those that a platform gives.
const FURTHER: [&str; 4] = [
    "alert.auth.IDENTITY_HEADER",
    "alert.auth.token_file",
    "event.storage_account_connection_string.SharedAccessSignature",
    "coordination.azure_blob.storage_account_connection_string.SharedAccessSignature",
];

/// What is looked for. All secrets hold it, with something behind it that is written otherwise in an address.
const PLANTED: &str = "Pl4ntedS3cret";

fn planted() -> String {
    format!("{PLANTED}+/&=?")
}

fn tenant() -> Tenant {
    let alerts = AlertOptions { count: 20, ..AlertOptions::default() };
    let event_hubs = EventHubsOptions { partitions: 1, ..EventHubsOptions::default() };
    Tenant::start(Options { alerts, event_hubs, ..Options::default() })
}

/// The forms in which something shows a secret: as it is, which is as in an address too, and as base64, wherever in a text it stands.
fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([secret.to_owned()]);
    for before in 0..3 {
        let text = "x".repeat(before) + secret;
        for base64 in [STANDARD, URL_SAFE] {
            let encoded = base64.encode(&text);
            let encoded = encoded.trim_end_matches('=');
            // The first and the last letters depend on what stands beside it.
            forms.insert(encoded[if before == 0 { 0 } else { 4 }..encoded.len() - 2].to_owned());
        }
    }
    forms
}

/// Refuses what is asked for: as Elasticsearch does, with the number and the words of a wrong key.
fn refusing_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut buffer = [0; 65536];
                let body = r#"{"error":{"type":"security_exception","reason":"unable to authenticate"},"status":401}"#;
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    let answer = format!(
                        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn certificate(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/tests/certificates").join(name).display().to_string()
}

/// A key whose text is looked for instead.
fn key() -> String {
    fs::read_to_string(certificate("first.key")).unwrap()
}

/// The secret to plant for an option, and the JSON of its input or output around `${SECRET}`, or around the file FOLDER/token, which holds
/// it too.
fn plant(option: &str, tenant: &Tenant, port: u16) -> (String, serde_json::Value) {
    let url = tenant.simulator.url();
    let (planted, secret) = (planted(), "${SECRET}");
    let encoded = STANDARD.encode(&planted);
    let base = |kind: &str| {
        json!({"id": "planted", "type": kind, "url": url, "login_url": url, "tenant_id": "t", "client_id": "c",
            "interval": "1s", "retry": {"max_attempts": 2, "wait_min": "1ms"}})
    };
    let hub = |more: serde_json::Value| {
        let mut hub = json!({"id": "planted", "type": "event", "eventhub": "defender",
            "custom_endpoint": tenant.simulator.event_hubs().url(), "retry": {"wait_min": "10ms", "wait_max": "100ms"}});
        hub.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        hub
    };
    let with = |mut base: serde_json::Value, more: serde_json::Value| {
        base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        base
    };
    let application = json!({"type": "client_secret", "tenant_id": "t", "client_id": "c", "client_secret": secret});
    let pfx = |name: &str| {
        json!({"type": "certificate", "tenant_id": "t", "client_id": "c", "certificate": certificate(name),
            "certificate_password": secret})
    };
    let proxy = format!("http://user:{PLANTED}%2B@127.0.0.1:{port}");
    let tls = json!({"certificate": certificate("first.crt"), "key": secret});
    let namespace = "contoso.servicebus.windows.net";
    let own_hub = tenant.simulator.event_hubs().connection_string();
    let signed =
        format!("BlobEndpoint=http://127.0.0.1:{port}/contoso;SharedAccessSignature=sv=2021-12-02&sig={PLANTED}%2B");
    let by_platform = |auth: serde_json::Value| {
        let mut base = base("alert");
        base.as_object_mut().unwrap().retain(|key, _| !key.ends_with("_id"));
        with(base, json!({"auth": auth, "scopes": "https://graph.microsoft.com/.default"}))
    };
    let (kind, name) = option.split_once('.').unwrap();
    let polling = ["alert", "vulnerability"].contains(&kind);
    match (kind, name) {
        (_, "client_secret") if polling => (planted, with(base(kind), json!({"client_secret": secret}))),
        (_, "auth.client_secret") if polling => {
            let mut base = base(kind);
            base.as_object_mut().unwrap().retain(|key, _| !key.ends_with("_id"));
            (planted, with(base, json!({"auth": application})))
        }
        (_, "auth.certificate_password") if polling => {
            let mut base = base(kind);
            base.as_object_mut().unwrap().retain(|key, _| !key.ends_with("_id"));
            (planted, with(base, json!({"auth": pfx("first.pfx")})))
        }
        (_, "endpoint_params") if polling => {
            (planted, with(base(kind), json!({"client_secret": "x", "endpoint_params": {"assertion": [secret]}})))
        }
        (_, "proxy_url") if polling => (proxy, with(base(kind), json!({"client_secret": "x", "proxy_url": secret}))),
        (_, "ssl.key") if polling => (key(), with(base(kind), json!({"client_secret": "x", "ssl": tls}))),
        (_, "auth.IDENTITY_HEADER") => (PLANTED.to_owned(), by_platform(json!({"type": "managed_identity"}))),
        (_, "auth.token_file") => {
            let auth =
                json!({"type": "workload_identity", "tenant_id": "t", "client_id": "c", "token_file": "FOLDER/token"});
            (planted, by_platform(auth))
        }
        ("event", "connection_string") => (
            format!("Endpoint=sb://{namespace}/;SharedAccessKeyName=k;SharedAccessKey={encoded}"),
            hub(json!({"connection_string": secret})),
        ),
        ("event", "client_secret") => (
            planted,
            hub(json!({"auth_type": "client_secret", "eventhub_namespace": namespace, "authority_host": url,
                "tenant_id": "t", "client_id": "c", "client_secret": secret})),
        ),
        ("event", "auth.client_secret") => {
            (planted, hub(json!({"eventhub_namespace": namespace, "authority_host": url, "auth": application})))
        }
        ("event", "auth.certificate_password") => {
            (planted, hub(json!({"eventhub_namespace": namespace, "authority_host": url, "auth": pfx("first.pfx")})))
        }
        ("event", "storage_account_key") => (
            encoded,
            hub(json!({"connection_string": own_hub, "storage_account": "contoso", "storage_account_key": secret})),
        ),
        ("event", "storage_account_connection_string") => (
            format!("AccountName=contoso;AccountKey={encoded};BlobEndpoint=http://127.0.0.1:{port}/contoso"),
            hub(json!({"connection_string": own_hub, "storage_account_connection_string": secret})),
        ),
        ("event", "storage_account_connection_string.SharedAccessSignature") => {
            (signed, hub(json!({"connection_string": own_hub, "storage_account_connection_string": secret})))
        }
        ("event", "storage_account_auth.client_secret") => (
            planted,
            hub(json!({"connection_string": own_hub, "authority_host": url, "storage_account": "contoso",
                "storage_account_auth": application})),
        ),
        ("event", "storage_account_auth.certificate_password") => (
            planted,
            hub(json!({"connection_string": own_hub, "authority_host": url, "storage_account": "contoso",
                "storage_account_auth": pfx("first.pfx")})),
        ),
        ("event", "proxy_url") => (
            proxy,
            hub(json!({"auth_type": "client_secret", "eventhub_namespace": namespace, "authority_host": url,
                "tenant_id": "t", "client_id": "c", "client_secret": "x", "proxy_url": secret})),
        ),
        ("event", "ssl.key") => (key(), hub(json!({"connection_string": own_hub, "ssl": tls}))),
        ("output", name) => {
            let (output, option) = name.split_once('.').unwrap();
            let host =
                if output == "elasticsearch" { format!("http://127.0.0.1:{port}") } else { "127.0.0.1:9".into() };
            let (planted, more) = match option {
                "api_key" => (format!("id:{planted}"), json!({"api_key": secret})),
                "password" => (planted, json!({"username": "u", "password": secret})),
                "headers" => (planted, json!({"headers": {"x-token": secret}})),
                "proxy_url" => (proxy, json!({"proxy_url": secret})),
                "ssl.key" => (key(), json!({"ssl": tls})),
                "auth.client_secret" => {
                    (planted, json!({"sasl.mechanism": "OAUTHBEARER", "login_url": url, "auth": application}))
                }
                "auth.certificate_password" => {
                    (planted, json!({"sasl.mechanism": "OAUTHBEARER", "login_url": url, "auth": pfx("first.pfx")}))
                }
                _ => panic!("{name} is new: plant it here"),
            };
            let mut base = json!({"hosts": [host], "backoff": {"init": "10ms", "max": "100ms"}, "timeout": "2s"});
            if output == "kafka" {
                base = with(base, json!({"topic": "t"}));
            }
            (planted, with(base, more))
        }
        ("coordination", name) => {
            let account = format!("BlobEndpoint=http://127.0.0.1:{port}/contoso");
            let other = json!({"type": "client_secret", "tenant_id": "t", "client_id": "c", "client_secret": "x"});
            let at = || json!({"storage_account_connection_string": account, "authority_host": url});
            match name.strip_prefix("azure_blob.").unwrap() {
                "storage_account_key" => {
                    (encoded, json!({"storage_account": "contoso", "storage_account_key": secret}))
                }
                "storage_account_connection_string" => (
                    format!("AccountName=contoso;AccountKey={encoded};{account}"),
                    json!({"storage_account_connection_string": secret}),
                ),
                "storage_account_connection_string.SharedAccessSignature" => {
                    (signed, json!({"storage_account_connection_string": secret}))
                }
                "storage_account_auth.client_secret" => {
                    (planted, with(at(), json!({"storage_account_auth": application})))
                }
                "storage_account_auth.certificate_password" => {
                    (planted, with(at(), json!({"storage_account_auth": pfx("first.pfx")})))
                }
                "proxy_url" => (proxy, with(at(), json!({"proxy_url": secret, "storage_account_auth": other}))),
                "ssl.key" => (key(), with(at(), json!({"ssl": tls, "storage_account_auth": other}))),
                _ => panic!("{option} is new: plant it here"),
            }
        }
        _ => panic!("{option} is new: plant it here"),
    }
}

/// A program with one secret, which is in its keystore.
struct Planted {
    program: Program,
    secret: String,
    port: u16,
    /// What the platform says in the environment.
    variables: Vec<(&'static str, String)>,
}

impl Planted {
    /// `server` refuses what it is asked for.
    fn new(option: &str, tenant: &Tenant, server: u16) -> Self {
        let (secret, json) = plant(option, tenant, server);
        let (program, port) = (Program::of(tenant, &[], &[]), free_port());
        let folder = program.folder.path();
        fs::write(folder.join("token"), &secret).unwrap();
        // One that goes on when the other ends for good.
        let good = format!("  - id: good\n    {}\n", polled(tenant, "alert", "1s"));
        let to_file = "output.file.path: FOLDER/out\n";
        let (inputs, output) = match option.split_once('.') {
            Some(("coordination", _)) => (good, format!("{to_file}coordination.azure_blob: {json}\n")),
            Some(("output", name)) => (good, format!("output.{}: {json}\n", name.split('.').next().unwrap())),
            _ => (format!("{good}  - {json}\n"), to_file.to_owned()),
        };
        let config = format!(
            "inputs:\n{inputs}{output}path.data: FOLDER/data\nlogging.level: debug\nshutdown_timeout: 1s\n\
             http: {{enabled: true, port: {port}}}\n"
        );
        fs::write(folder.join("defenderbeat.yml"), config.replace("FOLDER", &folder.display().to_string())).unwrap();
        let variables = if option.ends_with("IDENTITY_HEADER") {
            let endpoint = format!("http://127.0.0.1:{server}/msi/token");
            vec![("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", secret.clone())]
        } else {
            Vec::new()
        };
        let planted = Self { program, secret, port, variables };
        assert!(planted.command(&["keystore", "create"]).output().unwrap().status.success());
        let mut add = planted.command(&["keystore", "add", "SECRET", "--stdin"]).stdin(Stdio::piped()).spawn().unwrap();
        add.stdin.take().unwrap().write_all(planted.secret.as_bytes()).unwrap();
        assert!(add.wait().unwrap().success());
        planted
    }

    /// The program with its configuration and nothing else on the command line.
    fn command(&self, command: &[&str]) -> Command {
        self.command_of("defenderbeat.yml", command)
    }

    fn command_of(&self, config: &str, command: &[&str]) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_defenderbeat"));
        process.args(command).arg("-c").arg(self.program.folder.path().join(config)).stdin(Stdio::null());
        process.envs(self.variables.iter().map(|(name, value)| (name, value)));
        process
    }

    /// What `export config` shows where the secret itself is in the file.
    fn exported(&self) -> String {
        let folder = self.program.folder.path();
        let (file, open) = (folder.join("defenderbeat.yml"), folder.join("open.yml"));
        // With its mode.
        fs::copy(&file, &open).unwrap();
        let written = fs::read_to_string(file).unwrap();
        fs::write(&open, written.replace("\"${SECRET}\"", &json!(self.secret).to_string())).unwrap();
        let output = self.command_of("open.yml", &["export", "config"]).output().unwrap();
        fs::remove_file(open).unwrap();
        let shown = said(&output);
        let is_redacted = output.status.success() && written.contains("${SECRET}");
        assert!(shown.contains("<redacted>") || !is_redacted, "{shown}");
        shown
    }

    /// Runs everything that may speak of the secret, and gives all that is then to be seen. `starts`: the program does.
    fn seen(&self, starts: bool) -> String {
        let mut seen = self.exported();
        for command in [&["keystore", "list"], &["export", "config"], &["test", "config"], &["test", "output"]] {
            seen += &said(&self.command(command).output().unwrap());
        }
        let file = self.program.folder.path().join("log");
        let mut run = self.command(&["run"]);
        let mut process = Running(run.stdout(Stdio::null()).stderr(File::create(&file).unwrap()).spawn().unwrap());
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(40));
            let log = fs::read_to_string(&file).unwrap();
            if log.contains("\"error\"") || log.contains("\"warn") || process.0.try_wait().unwrap().is_some() {
                break;
            }
        }
        if starts {
            seen += &self.told(&mut process);
        }
        Command::new("kill").arg(process.0.id().to_string()).stderr(Stdio::null()).status().unwrap();
        process.0.wait().unwrap();
        seen + &files(self.program.folder.path())
    }

    /// What the running process says of itself, and what the system says of it.
    fn told(&self, process: &mut Running) -> String {
        let mut told = String::new();
        for path in ["/metrics", "/stats", "/readyz"] {
            let mut stream = loop {
                match TcpStream::connect(("127.0.0.1", self.port)) {
                    Ok(stream) => break stream,
                    Err(_) => assert_eq!(
                        process.0.try_wait().unwrap(),
                        None,
                        "it has ended: {}",
                        files(self.program.folder.path())
                    ),
                }
                pause();
            };
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let before = told.len();
            stream.read_to_string(&mut told).unwrap();
            assert!(told[before..].starts_with("HTTP/1.1 "), "{path}");
        }
        let id = process.0.id();
        // Who gives a variable to a process shows it to the system.
        let files: &[&str] =
            if self.variables.is_empty() { &["cmdline", "comm", "environ"] } else { &["cmdline", "comm"] };
        for file in files {
            told += &String::from_utf8_lossy(&fs::read(format!("/proc/{id}/{file}")).unwrap());
        }
        for task in fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            assert_eq!(children, "", "it starts no other process");
        }
        told
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &log(output)
}

/// All files below a folder, the keystore included, but for those that hold secrets as they are.
fn files(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            text += &files(&entry.path());
        } else if !["secret", "token"].contains(&entry.file_name().to_str().unwrap()) {
            text += &format!("\n{}\n", entry.path().display());
            text += &String::from_utf8_lossy(&fs::read(entry.path()).unwrap());
        }
    }
    text
}

#[test]
fn no_secret_of_any_option_is_shown_by_whatever_speaks_of_it() {
    let (tenant, port) = (tenant(), refusing_server());
    let mut options = secrets();
    assert!(options.len() >= 25, "{options:?}");
    options.extend(FURTHER.map(str::to_owned));
    let (tenant, options) = (&tenant, &options);
    thread::scope(|scope| {
        for first in 0..3 {
            scope.spawn(move || {
                for option in options.iter().skip(first).step_by(3) {
                    let planted = Planted::new(option, tenant, port);
                    // A password that opens nothing is refused before.
                    let starts = !option.ends_with("certificate_password");
                    let seen = planted.seen(starts);
                    // Without the storage account nobody leads.
                    let leads = starts && !option.starts_with("coordination.");
                    let id = if option.starts_with("output.") { "\"good\"" } else { "\"planted\"" };
                    let has_started = seen.lines().any(|line| line.contains("input starts") && line.contains(id));
                    assert_eq!(has_started, leads, "{option}: {seen}");
                    let key = planted.secret.lines().nth(3).filter(|_| planted.secret.contains("PRIVATE KEY"));
                    for form in forms(key.unwrap_or(PLANTED)) {
                        let at = seen.find(&form);
                        let around = at.map(|at| &seen[at.saturating_sub(300)..(at + 100).min(seen.len())]);
                        assert_eq!(around, None, "{option}");
                    }
                }
            });
        }
    });
}

#[test]
fn documents_and_dead_letters_hold_no_secret() {
    let tenant = tenant();
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    for text in ["no json", r#"{"records":[{"category":"AdvancedHunting-Unheard","properties":{"A":1}}]}"#] {
        hub.publish(0, text).unwrap();
    }
    let inputs = [("contoso", polled(&tenant, "alert", "1s")), ("hub", streamed(&tenant))];
    let program = Program::of(&tenant, &inputs, &["logging.level=debug"]);
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    assert!(program.dead_letters().contains("no json"));
    let connection = tenant.simulator.event_hubs().connection_string();
    let key = connection.split("SharedAccessKey=").nth(1).unwrap().split(';').next().unwrap();
    fs::remove_file(program.folder.path().join("defenderbeat.yml")).unwrap();
    let seen = log(&output) + &files(program.folder.path());
    for secret in [key, &tenant.simulator.options().access.client_secret] {
        for form in forms(secret) {
            assert!(!seen.contains(&form), "{seen}");
        }
    }
}

#[test]
fn a_secret_on_the_command_line_is_taken_and_warned_about() {
    let tenant = tenant();
    let program = Program::new(&tenant, &[]);
    let secret = tenant.simulator.options().access.client_secret.clone();
    let open = format!("inputs.0.client_secret={secret}");
    let output = program.again(&[&open]);
    let said = log(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("-E inputs.0.client_secret") && said.contains("command line"), "{said}");
    assert!(!said.contains(&secret), "{said}");
    let file = format!("inputs.0.client_secret=file:{}/secret", program.folder.path().display());
    assert!(!log(&program.again(&[&file])).contains("command line"));
}

#[test]
fn a_secret_in_a_file_may_be_replaced_and_taken_away_while_the_program_runs() {
    let tenant = tenant();
    let program = Program::new(&tenant, &["inputs.0.interval=100ms"]);
    let secret = program.folder.path().join("secret");
    let right = fs::read_to_string(&secret).unwrap();
    fs::write(&secret, "wrong\n").unwrap();
    let file = program.folder.path().join("log");
    let mut run = program.command(&["run"]);
    let mut process = Running(run.stdout(Stdio::null()).stderr(File::create(&file).unwrap()).spawn().unwrap());
    let mut until = |what: &str| {
        for _ in 0..3000 {
            if fs::read_to_string(&file).unwrap().contains(what) {
                return;
            }
            assert_eq!(process.0.try_wait().unwrap(), None, "it has ended");
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: {}", fs::read_to_string(&file).unwrap());
    };
    until("AADSTS7000215");
    fs::write(&secret, right).unwrap();
    until("has another secret now");
    for _ in 0..3000 {
        if program.delivered() == tenant.expected() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(program.delivered(), tenant.expected());
    // Without the file the last secret is used.
    fs::remove_file(&secret).unwrap();
    tenant.simulator.revoke_tokens();
    until("the secret that was in it is used");
    drop(process);
    let output = program.once();
    assert!(!output.status.success() && log(&output).contains("cannot be read"), "{}", log(&output));
}
