//! A server that runs: starting it, asking it, and what befalls servers.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{self, Process, Signal};
use crate::users::Users;
use crate::{Certificates, Error, Options, Tls, User, configuration, distribution};

/// More than a slow machine takes to start it.
const PATIENCE: Duration = Duration::from_secs(240);
const PAUSE: Duration = Duration::from_millis(200);

/// A server on loopback with one node; ends when dropped, and its data with it.
#[derive(Debug)]
pub struct Elasticsearch {
    // Before the folder, because fields are dropped in this order.
    process: Process,
    folder: TempDir,
    home: PathBuf,
    java: PathBuf,
    options: Options,
    users: Users,
    certificates: Certificates,
    client: reqwest::Client,
    url: String,
}

/// What the server said.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body; null where it is not JSON.
    pub body: Value,
}

impl Elasticsearch {
    /// Starts a server and waits until it takes documents: some 15 seconds.
    ///
    /// # Errors
    ///
    /// Java or the distribution is absent and cannot be fetched, or the server does not start.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let (java, home) = (distribution::java()?, distribution::home()?);
        let folder = distribution::own_folder()?;
        let config = folder.path().join("config");
        fs::create_dir_all(&config).map_err(Error::file(&config))?;
        let certificates = Certificates::make(&config)?;
        let users = Users::new();
        configuration::write(&home, folder.path(), &options, options.port, &users, &certificates)?;
        own(folder.path())?;
        let process = run(&home, &java, folder.path(), &options)?;
        let client = client(&certificates)?;
        let mut server = Self { process, folder, home, java, options, users, certificates, client, url: String::new() };
        server.ready().await?;
        Ok(server)
    }

    /// As [`start`](Self::start); none, with a message, where Java or the distribution is absent. A build server (where `CI` is set) has
    /// to have them.
    ///
    /// # Errors
    ///
    /// The server does not start.
    pub async fn start_if_possible(options: Options) -> Result<Option<Self>, Error> {
        match Self::start(options).await {
            Err(error @ Error::Missing { .. }) if std::env::var_os("CI").is_none() => {
                eprintln!("skipped: {error}");
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Where it listens, such as `http://127.0.0.1:41234`; the same after a restart.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who may do everything.
    pub fn admin(&self) -> &User {
        &self.users.admin
    }

    /// Who has `auto_configure`, `create_doc` and `read` on `logs-m365_defender.*`, and nothing else.
    pub fn writer(&self) -> &User {
        &self.users.writer
    }

    /// As [`writer`](Self::writer), without `read`.
    pub fn blind(&self) -> &User {
        &self.users.blind
    }

    /// Who has a password and no privilege.
    pub fn stranger(&self) -> &User {
        &self.users.stranger
    }

    /// What a client needs with [`Tls`].
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Connections to it, which trust its authority and show a certificate.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Asks as the one who may do everything. `path` begins with a slash; `body` is JSON, lines of JSON or empty.
    ///
    /// # Errors
    ///
    /// There is no answer. A status that is no success is an answer.
    pub async fn request(&self, method: Method, path: &str, body: impl Into<String>) -> Result<Answer, Error> {
        self.request_as(&self.users.admin, method, path, body).await
    }

    /// As [`request`](Self::request), as somebody else.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn request_as(
        &self,
        user: &User,
        method: Method,
        path: &str,
        body: impl Into<String>,
    ) -> Result<Answer, Error> {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.basic_auth(user.name, Some(&user.password));
        let request = request.header("content-type", "application/x-ndjson").body(body.into());
        let response = request.send().await.map_err(Error::Request)?;
        let status = response.status();
        let body = response.bytes().await.map_err(Error::Request)?;
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    /// Ends it at once, as a power failure does.
    pub async fn kill(&mut self) {
        self.end(Signal::Kill).await;
    }

    /// Ends it in order.
    pub async fn stop(&mut self) {
        self.end(Signal::Terminate).await;
    }

    async fn end(&mut self, signal: Signal) {
        self.process.signal(signal);
        self.process.ended().await;
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill), with its data and at the same address.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn start_again(&mut self) -> Result<(), Error> {
        self.end(Signal::Kill).await;
        let ports = self.ports();
        fs::remove_file(&ports).map_err(Error::file(&ports))?;
        self.process = run(&self.home, &self.java, self.folder.path(), &self.options)?;
        self.ready().await
    }

    /// Lets it answer nothing, until [`resume`](Self::resume); connections are taken all the same.
    pub fn pause(&self) {
        self.process.signal(Signal::Stop);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.signal(Signal::Continue);
    }

    /// Returns when the server has ended by itself.
    pub async fn ended(&mut self) {
        self.process.ended().await;
    }

    fn ports(&self) -> PathBuf {
        self.folder.path().join("logs/http.ports")
    }

    /// Waits until it takes documents, and learns where it listens.
    async fn ready(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            if self.listens()? && self.is_yellow().await {
                return Ok(());
            }
            let what = match (self.process.is_running(), began.elapsed() > PATIENCE) {
                (false, _) => "ended while it started".to_owned(),
                (true, true) => format!("is not ready after {PATIENCE:?}"),
                (true, false) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let said = fs::read_to_string(log(self.folder.path())).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let last = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default();
            return Err(Error::Start { what, log: last.join("\n") });
        }
    }

    /// Whether it listens. The first time the port it took becomes its setting, so that it takes the same after a restart.
    fn listens(&mut self) -> Result<bool, Error> {
        let Ok(ports) = fs::read_to_string(self.ports()) else { return Ok(false) };
        let Some(address) = ports.lines().next() else { return Ok(false) };
        if self.url.is_empty() {
            let scheme = if self.options.tls == Tls::Off { "http" } else { "https" };
            self.url = format!("{scheme}://{address}");
            let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
            let folder = self.folder.path();
            configuration::write(&self.home, folder, &self.options, port, &self.users, &self.certificates)?;
        }
        Ok(true)
    }

    async fn is_yellow(&self) -> bool {
        let health = self.request(Method::GET, "/_cluster/health?wait_for_status=yellow&timeout=1s", "").await;
        health.is_ok_and(|answer| answer.status == StatusCode::OK)
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("logs/standard.log")
}

fn run(home: &Path, java: &Path, folder: &Path, options: &Options) -> Result<Process, Error> {
    let log = log(folder);
    let file = OpenOptions::new().create(true).append(true).open(&log).map_err(Error::file(&log))?;
    Process::start(home, java, folder, options.core, file)
}

/// Gives a folder and what is in it to whom the server runs as.
fn own(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    if process::is_root() {
        std::os::unix::fs::chown(path, Some(process::NOBODY), Some(process::NOBODY)).map_err(Error::file(path))?;
        if path.is_dir() {
            for entry in fs::read_dir(path).map_err(Error::file(path))? {
                own(&entry.map_err(Error::file(path))?.path())?;
            }
        }
    }
    Ok(())
}

/// A client that trusts the server's authority and shows a certificate of it.
fn client(certificates: &Certificates) -> Result<reqwest::Client, Error> {
    let failed = |error: String| Error::Certificates(error);
    let read = |path: &Path| CertificateDer::from_pem_file(path).map_err(|error| failed(error.to_string()));
    let mut roots = RootCertStore::empty();
    roots.add(read(&certificates.authority)?).map_err(|error| failed(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&certificates.client_key).map_err(|error| failed(error.to_string()))?;
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![read(&certificates.client)?], key)
        .map_err(|error| failed(error.to_string()))?;
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().map_err(Error::Request)
}
