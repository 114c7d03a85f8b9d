//! A server of the Lumberjack protocol whose answers the test gives, frame by frame.

use std::io::Read as _;

use defenderbeat_collector::output::logstash::LogstashSettings;
use flate2::read::ZlibDecoder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A listener on loopback.
pub(crate) struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// The server's end of a connection.
pub(crate) struct Connection(Box<dyn Stream>);

impl Server {
    pub(crate) async fn start(tls: Option<TlsAcceptor>) -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), tls }
    }

    /// Where one was before.
    pub(crate) async fn start_at(address: &str) -> Self {
        Self { listener: TcpListener::bind(address.replace("localhost", "127.0.0.1")).await.unwrap(), tls: None }
    }

    pub(crate) fn address(&self) -> String {
        format!("localhost:{}", self.listener.local_addr().unwrap().port())
    }

    pub(crate) fn settings(&self) -> LogstashSettings {
        LogstashSettings { hosts: vec![self.address()], ..LogstashSettings::default() }
    }

    /// The next connection. Without TLS where a handshake fails.
    pub(crate) async fn accept(&self) -> Connection {
        loop {
            let (stream, _) = self.listener.accept().await.unwrap();
            let Some(tls) = &self.tls else { return Connection(Box::new(BufReader::new(stream))) };
            if let Ok(stream) = tls.accept(stream).await {
                return Connection(Box::new(BufReader::new(stream)));
            }
        }
    }
}

impl Connection {
    /// Ids of the next window's documents; none where the connection ends.
    pub(crate) async fn window(&mut self) -> Option<Vec<u128>> {
        let (b'W', count) = frame(&mut self.0).await? else { panic!("no window") };
        let (kind, number) = frame(&mut self.0).await?;
        if kind == b'J' {
            return documents(&mut self.0, number, count).await;
        }
        let mut compressed = vec![0; number];
        self.0.read_exact(&mut compressed).await.ok()?;
        let mut frames = Vec::new();
        ZlibDecoder::new(&compressed[..]).read_to_end(&mut frames).unwrap();
        let mut frames = &frames[..];
        let (b'J', first) = frame(&mut frames).await? else { panic!("no document") };
        documents(&mut frames, first, count).await
    }

    /// That so many documents of the oldest window are taken; 0 says only that the server is at work.
    pub(crate) async fn acknowledge(&mut self, count: u32) {
        self.say(&[b"2A", &count.to_be_bytes()[..]].concat()).await;
    }

    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Acknowledges each window as soon as it is there; gives all ids when the connection ends.
    pub(crate) async fn acknowledge_all(mut self) -> Vec<u128> {
        let mut all = Vec::new();
        while let Some(ids) = self.window().await {
            self.acknowledge(ids.len() as u32).await;
            all.extend(ids);
        }
        all
    }
}

/// A frame's kind, and the number behind it.
async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, usize)> {
    let version = stream.read_u8().await.ok()?;
    assert_eq!(version, b'2');
    Some((stream.read_u8().await.ok()?, stream.read_u32().await.ok()? as usize))
}

/// Ids of so many documents; the sequence number of the first has been read.
async fn documents(stream: &mut (impl AsyncRead + Unpin), first: usize, count: usize) -> Option<Vec<u128>> {
    let (mut ids, mut sequence) = (Vec::new(), first);
    loop {
        let mut text = vec![0; stream.read_u32().await.ok()? as usize];
        stream.read_exact(&mut text).await.ok()?;
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        ids.push(u128::from_str_radix(document["@metadata"]["_id"].as_str().unwrap(), 16).unwrap());
        assert_eq!(sequence, ids.len());
        if sequence == count {
            return Some(ids);
        }
        let (b'J', next) = frame(stream).await? else { panic!("no document") };
        sequence = next;
    }
}
