//! A configuration, a folder for state and output, and the program on it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use defenderbeat_collector::checkpoint::LocalCheckpoints;
use defenderbeat_simulator::{Options, Simulator};
use serde_json::Value;

/// A tenant and the runtime that it runs on.
pub(crate) struct Tenant {
    pub(crate) simulator: Simulator,
    /// The simulator stops with it.
    _runtime: tokio::runtime::Runtime,
}

impl Tenant {
    pub(crate) fn start(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let simulator = runtime.block_on(Simulator::start(options)).unwrap();
        Self { simulator, _runtime: runtime }
    }

    /// Every alert that the tenant holds, as `id` and `lastUpdateDateTime` in milliseconds.
    pub(crate) fn expected(&self) -> Vec<(String, String)> {
        let mut expected: Vec<(String, String)> = self
            .simulator
            .expected()
            .into_iter()
            .map(|alert| (alert.id, millis(&alert.last_update_date_time)))
            .collect();
        expected.sort();
        expected
    }
}

/// A time with the three decimals that documents have.
fn millis(time: &str) -> String {
    let time = chrono::DateTime::parse_from_rfc3339(time).unwrap().to_utc();
    // Cut, not rounded.
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The program with files of its own.
pub(crate) struct Program {
    pub(crate) folder: tempfile::TempDir,
    options: Vec<String>,
}

/// An input that asks an API.
pub(crate) fn polled(tenant: &Tenant, kind: &str, interval: &str) -> String {
    let access = &tenant.simulator.options().access;
    format!(
        "type: {kind}
    url: {url}
    login_url: {url}
    tenant_id: {tenant_id}
    client_id: {client_id}
    client_secret: file:FOLDER/secret
    interval: {interval}
    retry: {{ wait_min: 1ms, wait_max: 20ms }}",
        url = tenant.simulator.url(),
        tenant_id = access.tenant_id,
        client_id = access.client_id,
    )
}

/// An input that reads the event hub.
pub(crate) fn streamed(tenant: &Tenant) -> String {
    let hubs = tenant.simulator.event_hubs();
    format!(
        "type: event
    eventhub: defender
    connection_string: {}
    custom_endpoint: {}",
        hubs.connection_string(),
        hubs.url()
    )
}

impl Program {
    /// Collects alerts of a tenant into files; `options` are `-E` values that come after.
    pub(crate) fn new(tenant: &Tenant, options: &[&str]) -> Self {
        Self::of(tenant, &[("contoso", polled(tenant, "alert", "1s"))], options)
    }

    /// Collects events of a tenant's event hub.
    pub(crate) fn of_events(tenant: &Tenant, options: &[&str]) -> Self {
        Self::of(tenant, &[("contoso", streamed(tenant))], options)
    }

    /// Collects a tenant's vulnerabilities.
    pub(crate) fn of_vulnerabilities(tenant: &Tenant, options: &[&str]) -> Self {
        Self::of(tenant, &[("contoso", polled(tenant, "vulnerability", "24h"))], options)
    }

    /// Collects by these inputs, which have ids.
    pub(crate) fn of(tenant: &Tenant, inputs: &[(&str, String)], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = &tenant.simulator.options().access.client_secret;
        fs::write(folder.path().join("secret"), format!("{secret}\n")).unwrap();
        let inputs: String = inputs.iter().map(|(id, input)| format!("  - id: {id}\n    {input}\n")).collect();
        let config = format!(
            "
inputs:
{inputs}
output.file:
  path: FOLDER/out
  rotate_every_kb: 4096
  number_of_files: 1024
path.data: FOLDER/data
logging.json: false
"
        );
        let config = config.replace("FOLDER", &folder.path().display().to_string());
        let file = folder.path().join("defenderbeat.yml");
        fs::write(&file, config).unwrap();
        // Whatever the umask is.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        Self { folder, options: options.iter().map(|option| (*option).to_owned()).collect() }
    }

    /// The same with further options.
    #[allow(dead_code, reason = "not all tests that share this need it")]
    pub(crate) fn with(mut self, options: &[String]) -> Self {
        self.options.extend_from_slice(options);
        self
    }

    pub(crate) fn command(&self, command: &[&str]) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_defenderbeat"));
        process.args(command).arg("-c").arg(self.folder.path().join("defenderbeat.yml"));
        for option in &self.options {
            process.args(["-E", &option.replace("FOLDER", &self.folder.path().display().to_string())]);
        }
        process.stdin(Stdio::null());
        process
    }

    /// Runs one cycle.
    pub(crate) fn once(&self) -> Output {
        self.command(&["run", "--once"]).output().unwrap()
    }

    /// Runs one more cycle, with further options.
    pub(crate) fn again(&self, options: &[&str]) -> Output {
        let mut process = self.command(&["run", "--once"]);
        for option in options {
            process.args(["-E", option]);
        }
        process.output().unwrap()
    }

    /// The cursor that was saved last.
    pub(crate) fn checkpoint(&self) -> String {
        fs::read_to_string(self.folder.path().join("data/checkpoints/contoso.checkpoint")).unwrap()
    }

    /// The cursor of the checkpoint, where there is one.
    pub(crate) fn saved_cursor(&self) -> Option<String> {
        let checkpoints = LocalCheckpoints::open(&self.folder.path().join("data")).unwrap();
        checkpoints.load("contoso").unwrap().map(|checkpoint| checkpoint.cursor)
    }

    /// Makes a checkpoint of a cursor, where there is none.
    pub(crate) fn save_cursor(&self, cursor: &str) {
        let checkpoints = LocalCheckpoints::open(&self.folder.path().join("data")).unwrap();
        checkpoints.commit("contoso", 0, cursor).unwrap();
    }

    /// Starts and does not wait.
    pub(crate) fn start(&self) -> Child {
        self.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The output's files, in the order in which they were written.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let Ok(folder) = fs::read_dir(self.folder.path().join("out")) else { return Vec::new() };
        let mut files: Vec<(usize, PathBuf)> = folder
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let stem = path.file_stem().unwrap().to_str().unwrap();
                (stem.rsplit('-').next().unwrap().parse().unwrap(), path)
            })
            .collect();
        files.sort();
        files.into_iter().map(|(_, path)| path).collect()
    }

    /// The documents in the output's files, in the order in which they were written.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let texts = self.files().into_iter().map(|path| fs::read_to_string(path).unwrap());
        texts
            // A line without an end is still being written.
            .flat_map(|text| {
                let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
                lines.map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Alerts that were delivered, by `_id`, each once.
    pub(crate) fn delivered(&self) -> Vec<(String, String)> {
        let mut by_id = BTreeMap::new();
        for document in self.documents().iter().filter(|document| document["event"]["kind"] == "alert") {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let alert = (text(&document["event"]["id"]), text(&document["@timestamp"]));
            let id = text(&document["@metadata"]["_id"]);
            assert_eq!(by_id.entry(id).or_insert_with(|| alert.clone()), &alert, "one _id, one alert");
        }
        let mut delivered: Vec<(String, String)> = by_id.into_values().collect();
        delivered.sort();
        delivered
    }

    /// What could not be delivered; nothing where the process ended before it made the file.
    pub(crate) fn dead_letters(&self) -> String {
        match fs::read_to_string(self.folder.path().join("data/dead-letter/dead-letters.ndjson")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            letters => letters.unwrap(),
        }
    }
}

/// A process that ends with the test, however that ends.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a process a signal, such as `STOP`.
pub(crate) fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status().unwrap();
    assert!(sent.success());
}

/// What a process said on standard error.
pub(crate) fn log(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
