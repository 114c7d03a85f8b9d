//! The server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::TAP;
use super::answer::Answers;
use super::tap::Taps;
use crate::config::HttpOptions;
use crate::metrics::Registry;

/// Connections that are served side by side; further ones wait.
const CONNECTIONS: usize = 32;
/// How long a connection may take altogether, but for one that taps.
const CONVERSATION: Duration = Duration::from_secs(30);
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// After a failed accept, such as for want of file descriptors, the server waits before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often averages over time are taken.
const OBSERVE_EVERY: Duration = Duration::from_secs(1);

/// Why it cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The port cannot be listened on.
    #[error("http: listening on {host}:{port}: {source}{advice}")]
    Listen {
        /// `http.host`.
        host: String,
        /// `http.port`.
        port: u16,
        /// What the system says.
        source: std::io::Error,
        /// What to do about it.
        advice: &'static str,
    },
}

/// A server, as long as this lives.
#[derive(Debug)]
pub(crate) struct Monitor {
    tasks: Vec<JoinHandle<()>>,
}

impl Monitor {
    /// Starts to observe, and to answer where the options want that. Has to be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The port is taken, or the host is not this machine's.
    pub(crate) async fn start(
        options: &HttpOptions,
        registry: Arc<Registry>,
        taps: Option<Arc<Taps>>,
    ) -> Result<Self, MonitorError> {
        let observed = registry.clone();
        let mut tasks = vec![tokio::spawn(async move {
            loop {
                observed.observe();
                sleep(OBSERVE_EVERY).await;
            }
        })];
        if options.enabled {
            let listener = listen(options).await?;
            let answers = Answers { registry, taps, is_loopback: options.is_loopback() };
            tasks.push(tokio::spawn(serve(listener, Arc::new(answers))));
        }
        Ok(Self { tasks })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(options: &HttpOptions) -> Result<TcpListener, MonitorError> {
    let HttpOptions { host, port, .. } = options;
    let listener = TcpListener::bind((options.address(), *port)).await.map_err(|source| {
        let advice = match source.kind() {
            std::io::ErrorKind::AddrInUse => {
                ": another process listens there, perhaps a Beat or another collector; choose another one with http.port"
            }
            std::io::ErrorKind::PermissionDenied => "; choose a port above 1023 with http.port",
            _ => "; http.host has to be a name or an address of this machine",
        };
        MonitorError::Listen { host: host.clone(), port: *port, source, advice }
    })?;
    tracing::info!(host, port, "metrics and health can be asked for over HTTP");
    if !options.is_loopback() {
        tracing::warn!(
            host,
            port,
            "http.host is not loopback: everybody who reaches it sees metrics and the reasons of failures, without TLS or password"
        );
    }
    Ok(listener)
}

async fn serve(listener: TcpListener, answers: Arc<Answers>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "http: accepting a connection failed");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let answers = answers.clone();
        tokio::spawn(async move {
            converse(stream, peer, &answers).await;
            drop(permit);
        });
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, answers: &Answers) {
    let is_tap = AtomicBool::new(false);
    let service = service_fn(async |request: Request<Incoming>| {
        let answer = answers.answer(&request, peer);
        is_tap.store(request.uri().path() == TAP && answer.status().is_success(), Ordering::Relaxed);
        Ok::<_, Infallible>(answer)
    });
    let mut http = http1::Builder::new();
    // One request a connection: a client that keeps one open and idle would take a place from others.
    http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let served = match timeout(CONVERSATION, serving.as_mut()).await {
        Ok(served) => served,
        Err(_) if is_tap.load(Ordering::Relaxed) => serving.await,
        Err(_) => return tracing::debug!(%peer, "http: a client does not read its answer: the connection is closed"),
    };
    if let Err(error) = served {
        tracing::debug!(%error, "http: a connection broke off");
    }
}
