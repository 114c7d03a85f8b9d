//! A real Elasticsearch on loopback, for tests and demonstrations: what Elastic builds for integration tests (8.19, from Maven
//! Central), as a single node with security, its own users and a data folder that goes with it.
//!
//! It has data streams, rollover, security and TLS. Against a server that one installs it lacks ILM, transforms, ingest processors,
//! API keys, `GET /` and the field types `constant_keyword`, `wildcard`, `match_only_text`, `scaled_float` and `version`.
//!
//! It takes Java 17 or newer, `unzip` or a JDK, and on Linux `setpriv` and `taskset` (util-linux). The distribution is that of the environment's
//! `DEFENDERBEAT_ELASTICSEARCH` (a zip file), or Maven's; it is unpacked once, below `target/tmp`. The server never runs as root: where
//! we are root, it runs as `nobody`. It ends when it is dropped, and on Linux also when this process is killed.
//!
//! ```no_run
//! # async fn demonstration() -> Result<(), defenderbeat_elasticsearch::Error> {
//! use defenderbeat_elasticsearch::{Elasticsearch, Options};
//! use reqwest::Method;
//!
//! // None, with a message, where Java or the distribution is absent.
//! let Some(server) = Elasticsearch::start_if_possible(Options::default()).await? else { return Ok(()) };
//! let health = server.request(Method::GET, "/_cluster/health", "").await?;
//! println!("{} is {}, {} may write there", server.url(), health.body["status"], server.writer().name);
//! # Ok(())
//! # }
//! ```
//!
//! Beside it: a [`Proxy`] that lets requests fail in front of it, and a [`Sink`] that only answers.

mod certificates;
mod configuration;
mod distribution;
mod error;
mod options;
mod process;
mod proxy;
mod server;
mod sink;
mod users;

pub use certificates::Certificates;
pub use distribution::VERSION;
pub use error::Error;
pub use options::{Options, Tls};
pub use proxy::{Fault, Faults, Proxy};
pub use server::{Answer, Elasticsearch};
pub use sink::{Sent, Sink};
pub use users::User;

/// A free port on loopback, and its address as a URL.
async fn listen() -> Result<(tokio::net::TcpListener, String), Error> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(Error::Listen)?;
    Ok((listener, format!("http://{address}")))
}
