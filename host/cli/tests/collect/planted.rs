//! A program with a secret in its configuration, and all that it shows of it. Each option that holds one is known here.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::asked::{free_port, pause};
use crate::program::{Program, Running, Tenant, log, polled};

/// What is looked for. All secrets hold it, with something behind it that is written otherwise in an address.
pub(crate) const PLANTED: &str = "Pl4ntedS3cret";

fn planted() -> String {
    format!("{PLANTED}+/&=?")
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
pub(crate) struct Planted {
    program: Program,
    pub(crate) secret: String,
    port: u16,
    /// What the platform says in the environment.
    variables: Vec<(&'static str, String)>,
}

impl Planted {
    /// `server` refuses what it is asked for.
    pub(crate) fn new(option: &str, tenant: &Tenant, server: u16) -> Self {
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
    pub(crate) fn seen(&self, starts: bool) -> String {
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
pub(crate) fn files(folder: &Path) -> String {
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
