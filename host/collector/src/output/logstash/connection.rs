//! A connection: windows go out one after the other, and are acknowledged in that order.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::frames::{ACKNOWLEDGEMENT, acknowledged};
use crate::output::address::Address;
use crate::output::lock;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why a window is not, or not wholly, acknowledged.
#[derive(Debug)]
pub(super) struct Broken {
    /// So many of its documents are.
    pub(super) acknowledged: usize,
    pub(super) why: Arc<String>,
}

/// An open connection. Closed when dropped.
pub(super) struct Connection {
    writer: tokio::sync::Mutex<WriteHalf<Box<dyn Stream>>>,
    windows: Arc<Windows>,
    /// A window was begun and not sent to its end, so that nothing can follow.
    torn: AtomicBool,
    opened: Instant,
    timeout: Duration,
    reader: JoinHandle<()>,
}

/// What is not acknowledged yet, the oldest first.
#[derive(Default)]
struct Windows {
    open: Mutex<VecDeque<Window>>,
    broken: Mutex<Option<Arc<String>>>,
}

struct Window {
    size: usize,
    /// How much of it is acknowledged; also told where that does not change, as a sign of life.
    acknowledged: watch::Sender<usize>,
}

impl Connection {
    /// Connects, with TLS where that is given.
    pub(super) async fn open(
        address: &Address,
        tls: Option<Arc<ClientConfig>>,
        patience: Duration,
    ) -> io::Result<Self> {
        let connecting = async {
            let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
            stream.set_nodelay(true)?;
            let stream: Box<dyn Stream> = match tls {
                None => Box::new(stream),
                Some(tls) => {
                    let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
                    Box::new(TlsConnector::from(tls).connect(name, stream).await?)
                }
            };
            Ok::<_, io::Error>(stream)
        };
        let stream = match timeout(patience, connecting).await {
            Ok(connected) => connected?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        let (reader, writer) = split(stream);
        let windows = Arc::new(Windows::default());
        let reader = tokio::spawn(windows.clone().read(reader));
        Ok(Self {
            writer: tokio::sync::Mutex::new(writer),
            windows,
            torn: AtomicBool::new(false),
            opened: Instant::now(),
            timeout: patience,
            reader,
        })
    }

    /// Whether another window may be sent.
    pub(super) fn is_usable(&self, ttl: Duration) -> bool {
        let aged = !ttl.is_zero() && self.opened.elapsed() >= ttl;
        // While somebody writes it only looks torn.
        let torn = || self.writer.try_lock().is_ok_and(|_writer| self.torn.load(Ordering::Acquire));
        !aged && !torn() && lock(&self.windows.broken).is_none()
    }

    /// Sends a window of so many documents and waits until all are acknowledged. As long as the server gives signs of life, it has
    /// time.
    pub(super) async fn send(&self, frames: Vec<u8>, size: usize) -> Result<(), Broken> {
        let (tell, mut learn) = watch::channel(0);
        let patience = self.timeout;
        let broken = |learn: &watch::Receiver<usize>, why: String| {
            // What broke the connection, rather than what came of that.
            let why = lock(&self.windows.broken).get_or_insert_with(|| Arc::new(why)).clone();
            Broken { acknowledged: *learn.borrow(), why }
        };
        {
            let mut writer = self.writer.lock().await;
            if self.torn.swap(true, Ordering::AcqRel) || lock(&self.windows.broken).is_some() {
                return Err(broken(&learn, "the connection is closed".into()));
            }
            lock(&self.windows.open).push_back(Window { size, acknowledged: tell });
            let sent = timeout(patience, async {
                writer.write_all(&frames).await?;
                writer.flush().await
            });
            match sent.await {
                Ok(Ok(())) => self.torn.store(false, Ordering::Release),
                Ok(Err(error)) => return Err(broken(&learn, format!("sending: {error}"))),
                Err(_) => return Err(broken(&learn, format!("it took nothing for {} ms", patience.as_millis()))),
            }
        }
        while *learn.borrow_and_update() < size {
            match timeout(patience, learn.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(broken(&learn, "the connection is closed".into())),
                Err(_) => {
                    let why = format!("no acknowledgement and no sign of life for {} ms", patience.as_millis());
                    return Err(broken(&learn, why));
                }
            }
        }
        Ok(())
    }
}

impl Windows {
    /// Reads acknowledgements until the connection ends.
    async fn read(self: Arc<Self>, mut reader: ReadHalf<Box<dyn Stream>>) {
        let why = loop {
            let mut frame = [0; ACKNOWLEDGEMENT];
            if let Err(error) = reader.read_exact(&mut frame).await {
                break format!("reading acknowledgements: {error}");
            }
            let Some(count) = acknowledged(frame) else {
                break "it answers with something else than acknowledgements; is this an input for Beats?".into();
            };
            if !self.acknowledge(count) {
                break format!("it acknowledges {count} documents, which is more than it was sent");
            }
        };
        lock(&self.broken).get_or_insert_with(|| Arc::new(why));
        // Those who wait for these learn that nothing more comes.
        lock(&self.open).clear();
    }

    fn acknowledge(&self, count: usize) -> bool {
        let mut open = lock(&self.open);
        let Some(window) = open.front() else { return count == 0 };
        if count > window.size {
            return false;
        }
        let size = window.size;
        window.acknowledged.send_modify(|acknowledged| *acknowledged = count.max(*acknowledged));
        if count == size {
            open.pop_front();
        }
        // The others wait as well, for a server that is at work.
        open.iter().for_each(|window| window.acknowledged.send_modify(|_| {}));
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("opened", &self.opened).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_is_taken_is_a_sign_of_life_for_those_behind_it() {
        let windows = Windows::default();
        let [first, mut second] = [2, 3].map(|size| {
            let (acknowledged, learn) = watch::channel(0);
            lock(&windows.open).push_back(Window { size, acknowledged });
            learn
        });
        assert!(windows.acknowledge(2));
        assert_eq!((*first.borrow(), second.has_changed().unwrap()), (2, true));
        assert_eq!(*second.borrow_and_update(), 0);
        assert!(!windows.acknowledge(4), "the second has only 3");
    }
}
