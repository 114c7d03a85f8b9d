//! The HTTP server on loopback: which request goes where.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::defender::log::DefenderRequest;
use crate::event_hubs::{self, EventHubs};
use crate::generate::vulnerability::Vulnerabilities;
use crate::options::Options;
use crate::tenant::{Counters, Expected, ExpectedIncident, Tenant};
use crate::token::Audience;
use crate::{assertion, defender, graph, login, managed};

/// After a failed accept, such as for want of file descriptors, the server waits before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a simulator does not start. Trying again helps only where a port was taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Options contradict each other.
    #[error("reading the options of the simulator: {0}")]
    Options(String),
    /// The port cannot be listened on.
    #[error("listening on {address}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A running tenant. It runs on the tokio runtime that it was started on, and stops when it is dropped: no connection is
/// accepted any more, and open ones end after the answer under way.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    tenant: Arc<Tenant>,
    stop: watch::Sender<()>,
    server: JoinHandle<()>,
    event_hubs: EventHubs,
}

impl Simulator {
    /// Starts a tenant; when this returns it answers.
    pub async fn start(options: Options) -> Result<Self, Error> {
        options.check().map_err(Error::Options)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let hubs_listener = event_hubs::listen(options.event_hubs.port)?;
        let tenant = Arc::new(Tenant::new(options, format!("http://{address}")));
        let (stop, stopped) = watch::channel(());
        let event_hubs = EventHubs::start(hubs_listener, tenant.clone(), stopped.clone());
        let server = tokio::spawn(serve(listener, tenant.clone(), stopped));
        Ok(Self { address, tenant, stop, server, event_hubs })
    }

    /// The Event Hubs namespace.
    pub fn event_hubs(&self) -> &EventHubs {
        &self.event_hubs
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Root of the API and of the login server: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.tenant.url
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.tenant.options
    }

    /// What has happened since the start.
    pub fn counters(&self) -> Counters {
        self.tenant.tally.read()
    }

    /// All alerts that it holds, late ones included, in the order of their ids.
    pub fn expected(&self) -> Vec<Expected> {
        self.tenant.corpus.expected()
    }

    /// All incidents that it holds, late ones included, in the order of their ids.
    pub fn expected_incidents(&self) -> Vec<ExpectedIncident> {
        self.tenant.corpus.expected_incidents()
    }

    /// What it holds of vulnerabilities.
    pub fn vulnerabilities(&self) -> &Vulnerabilities {
        &self.tenant.vulnerabilities
    }

    /// Makes so many more changes of vulnerabilities, found at the present; the next that asks for changes gets them too.
    pub fn publish_changes(&self, count: u64) {
        self.tenant.published.add(&self.tenant.vulnerabilities, count, self.tenant.present());
    }

    /// The requests to the Defender for Endpoint API and for files of exports, in the order of their answers; the newest
    /// 10,000 of them.
    pub fn defender_requests(&self) -> Vec<DefenderRequest> {
        self.tenant.defender.log.read()
    }

    /// Revokes all tokens given so far.
    pub fn revoke_tokens(&self) {
        self.tenant.tokens.revoke();
    }

    /// A token of another issuer that the application trusts, as a Kubernetes cluster gives its pods: for one of its subjects, good
    /// for so long from now on.
    pub fn federated_token(&self, subject: &str, lifetime: Duration) -> String {
        assertion::federated_token(&self.tenant, subject, lifetime)
    }

    /// Whether a token is good for storage accounts.
    pub fn is_for_storage(&self, token: &str) -> bool {
        self.tenant.tokens.until(token, Audience::Storage).is_ok()
    }

    /// Stops, and waits for the answers under way.
    pub async fn stop(self) {
        self.stop.send_replace(());
        // It has ended where its runtime has.
        let _ = self.server.await;
        self.event_hubs.ended().await;
    }
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant").field("options", &self.options).finish_non_exhaustive()
    }
}

async fn serve(listener: TcpListener, tenant: Arc<Tenant>, mut stopped: watch::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            // An error says that the simulator was dropped.
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connect(stream, &tenant, &graceful),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn connect(stream: TcpStream, tenant: &Arc<Tenant>, graceful: &GracefulShutdown) {
    // Answers in small chunks would wait for acknowledgements otherwise; where it fails they do.
    let _ = stream.set_nodelay(true);
    let tenant = tenant.clone();
    let service = service_fn(move |request| {
        let tenant = tenant.clone();
        async move { Ok::<_, Infallible>(route(tenant, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        // A client that goes away, or an answer broken off on purpose, is no event here.
        let _ = watched.await;
    });
}

async fn route(tenant: Arc<Tenant>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (request.method(), segments.as_slice()) {
        (&Method::POST, [directory, "oauth2", "v2.0", "token"]) => login::answer(&tenant, directory, request).await,
        (&Method::GET, ["metadata", "identity", "oauth2", "token"]) => {
            managed::imds(&tenant, request.uri().query().unwrap_or_default(), request.headers())
        }
        (&Method::GET, ["msi", "token"]) => {
            managed::app_service(&tenant, request.uri().query().unwrap_or_default(), request.headers())
        }
        (method, ["v1.0", resource @ ..]) => {
            graph::answer(&tenant, method, resource, request.uri().query().unwrap_or_default(), request.headers())
        }
        (method, ["api", resource @ ..]) => {
            defender::answer(&tenant, method, request.uri(), resource, request.headers())
        }
        (method, ["export", file @ ..]) => defender::download(&tenant, method, request.uri(), file, request.headers()),
        _ => crate::answer::json(StatusCode::NOT_FOUND, ""),
    }
}
