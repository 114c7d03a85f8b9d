//! The server that all tests share: most one after the other, those that take minutes side by side.

use std::process::Command;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use defenderbeat_elasticsearch::{Elasticsearch, Options, Tls, User};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The server, and the runtime that it is asked from.
pub(crate) struct Server {
    pub(crate) elasticsearch: Elasticsearch,
    pub(crate) runtime: Runtime,
}

static SERVER: OnceLock<Option<RwLock<Server>>> = OnceLock::new();

fn started() -> Option<&'static RwLock<Server>> {
    SERVER.get_or_init(|| Server::start().map(RwLock::new)).as_ref()
}

// A test that failed has left nothing that concerns another.

/// The server, for one test; none, with a message, where it cannot be had.
pub(crate) fn server() -> Option<RwLockWriteGuard<'static, Server>> {
    Some(started()?.write().unwrap_or_else(PoisonError::into_inner))
}

/// The same for a test that minds its own data streams only.
pub(crate) fn shared_server() -> Option<RwLockReadGuard<'static, Server>> {
    Some(started()?.read().unwrap_or_else(PoisonError::into_inner))
}

impl Server {
    fn start() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = Options { tls: Tls::ClientCertificate, ..Options::default() };
        let elasticsearch = runtime.block_on(Elasticsearch::start_if_possible(options)).unwrap()?;
        let server = Self { elasticsearch, runtime };
        server.set_up();
        Some(server)
    }

    /// Makes the data streams' templates, as a user does.
    fn set_up(&self) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("defenderbeat.yml");
        let asks = "tenant_id: t, client_id: c, client_secret: s";
        let reads = "eventhub: e, connection_string: 'Endpoint=sb://n/;SharedAccessKeyName=k;SharedAccessKey=a2V5'";
        let inputs = format!(
            "inputs:
  - {{type: alert, id: a, {asks}}}
  - {{type: incident, id: i, {asks}}}
  - {{type: event, id: e, {reads}}}
  - {{type: vulnerability, id: v, {asks}}}
"
        );
        std::fs::write(&config, inputs).unwrap();
        let mut setup = Command::new(env!("CARGO_BIN_EXE_defenderbeat"));
        setup.args(["setup", "-E", &self.output(self.elasticsearch.admin())]).arg("-c").arg(&config);
        let said = setup.output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }

    /// Asks for what has to succeed.
    pub(crate) fn ask(&self, method: Method, path: &str, body: &str) -> Value {
        let answer = self.runtime.block_on(self.elasticsearch.request(method, path, body)).unwrap();
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
        answer.body
    }

    /// The value of the program's option `output.elasticsearch` for a user.
    pub(crate) fn output(&self, user: &User) -> String {
        let files = self.elasticsearch.certificates();
        let ssl = json!({
            "certificate_authorities": [files.authority],
            "certificate": files.client,
            "key": files.client_key,
        });
        output(self.elasticsearch.url(), user, json!({"ssl": ssl}))
    }
}

/// The value of the option `output.elasticsearch`: a host, a user, and further options.
pub(crate) fn output(url: &str, user: &User, further: Value) -> String {
    let mut options = json!({
        "hosts": [url],
        "username": user.name,
        "password": user.password,
        "backoff": {"init": "50ms", "max": "1s"},
    });
    options.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    format!("output.elasticsearch={options}")
}
