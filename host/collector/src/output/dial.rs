//! Steps of `test output` that all servers have in common: finding them, connecting, TLS.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::trial::{Trial, Verdict};
use crate::http::{SslSettings, VerificationMode, tls_config};

/// More than a refusal takes to arrive.
const SILENCE: Duration = Duration::from_secs(1);
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks a host up and connects to it. `options` are those to check where that fails.
pub(super) async fn connect(host: &str, port: u16, options: &str, trial: &mut Trial<'_>) -> Option<TcpStream> {
    trial.step(1, "connection", Verdict::Begun);
    let found = lookup_host((host, port)).await.map(|found| found.collect::<Vec<_>>());
    let addresses = trial.result(2, "dns lookup", found.map_err(|error| error.to_string()))?;
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    trial.step(2, "addresses", Verdict::Told(shown.join(", ")));
    let connected = match timeout(PATIENCE, TcpStream::connect(&addresses[..])).await {
        Ok(connected) => connected.map_err(|error| format!("{error}; check the port, firewalls{options}")),
        Err(_) => Err(format!("no answer within {} seconds; check firewalls{options}", PATIENCE.as_secs())),
    };
    trial.result(2, "dial up", connected)
}

/// Shakes hands; none where that did not go well.
pub(super) async fn secure(
    ssl: &SslSettings,
    host: &str,
    stream: TcpStream,
    trial: &mut Trial<'_>,
) -> Option<TlsStream<TcpStream>> {
    trial.step(1, "TLS", Verdict::Begun);
    match ssl.verification_mode {
        VerificationMode::Full => {}
        VerificationMode::Certificate => {
            trial.step(2, "security", Verdict::Warning("the server's name is not checked".to_owned()));
        }
        VerificationMode::None => {
            trial.step(2, "security", Verdict::Warning("the server's certificate is not checked".to_owned()));
        }
    }
    let handshake = async {
        let config = tls_config(ssl).map_err(|error| error.to_string())?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        match timeout(PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(|error| format!("{error}; check ssl.certificate_authorities")),
            Err(_) => Err(format!("no answer within {} seconds; is this a port with TLS?", PATIENCE.as_secs())),
        }
    };
    let stream = trial.result(2, "handshake", handshake.await)?;
    if let Some(version) = stream.get_ref().1.protocol_version() {
        trial.step(2, "TLS version", Verdict::Told(version.as_str().unwrap_or("unknown").to_owned()));
    }
    Some(stream)
}

/// Waits for what a server says that speaks only when it is asked: nothing, unless it is another one, or does not let us in, which with
/// TLS 1.3 is told after the handshake.
pub(super) async fn is_silent(mut stream: impl AsyncRead + Unpin) -> Result<(), String> {
    match timeout(SILENCE, stream.read_u8()).await {
        Err(_) => Ok(()),
        Ok(Ok(_)) => Err("it speaks without being asked".to_owned()),
        Ok(Err(error)) => Err(format!("it closes the connection: {error}")),
    }
}
