//! Bodies that are sent while they are made: at most one record and one chunk of them is in memory.

use std::collections::VecDeque;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame};
use tokio::time::Sleep;

use crate::options::GraphOptions;

/// Bytes of a chunk.
const CHUNK: usize = 32 * 1024;
/// Chunks that a slow body sends in a second.
const SLOW_CHUNKS: usize = 10;

/// A body ended on purpose before its end.
#[derive(Debug, thiserror::Error)]
#[error("the connection is broken off, as asked for")]
pub(crate) struct Broken;

/// How a body is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Compressed.
    pub(crate) gzip: bool,
    /// No faster than this.
    pub(crate) bytes_per_second: Option<u32>,
    /// Broken off in the middle of the piece of this number, or at the end where there are fewer.
    pub(crate) cut_at: Option<usize>,
}

impl Manner {
    /// As a client asks for it that accepts gzip or not, and as the tenant is told to answer.
    pub(crate) fn asked(options: &GraphOptions, accepts_gzip: bool) -> Self {
        Self { gzip: accepts_gzip && !options.plain, bytes_per_second: options.bytes_per_second, cut_at: None }
    }
}

enum Encoder {
    Plain(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

/// A body of pieces.
pub(crate) struct Streamed<I> {
    pieces: I,
    /// Pieces taken so far.
    taken: usize,
    cut_at: Option<usize>,
    encoder: Encoder,
    chunk: usize,
    /// Between two chunks.
    delay: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Chunks ready to be sent.
    ready: VecDeque<Bytes>,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    NotYet,
    Proper,
    /// Broken off, as soon as what was made so far is on its way.
    Flushing,
    Broken,
}

impl<I: Iterator<Item = Vec<u8>>> Streamed<I> {
    pub(crate) fn new(pieces: I, manner: Manner) -> Self {
        let encoder = if manner.gzip {
            Encoder::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::fast())))
        } else {
            Encoder::Plain(Vec::new())
        };
        let rate = manner.bytes_per_second.and_then(|rate| usize::try_from(rate).ok()).map(|rate| rate.max(1));
        let chunk = rate.map_or(CHUNK, |rate| (rate / SLOW_CHUNKS).clamp(1, CHUNK));
        let delay = rate.map(|rate| Duration::from_secs_f64(chunk as f64 / rate as f64));
        Self {
            pieces,
            taken: 0,
            cut_at: manner.cut_at,
            encoder,
            chunk,
            delay,
            sleep: None,
            ready: VecDeque::new(),
            end: End::NotYet,
        }
    }

    /// Makes more.
    fn advance(&mut self) -> std::io::Result<()> {
        let cut = self.cut_at == Some(self.taken);
        self.taken += 1;
        match self.pieces.next() {
            Some(piece) if cut => {
                self.encoder.write(piece.get(..piece.len() / 2).unwrap_or_default())?;
                self.encoder.flush()?;
                self.end = End::Flushing;
            }
            Some(piece) => self.encoder.write(&piece)?,
            None => {
                // Without its last bytes nothing is whole, not even where there were no records to cut.
                self.end = if self.cut_at.is_some() { End::Flushing } else { End::Proper };
                if self.end == End::Proper {
                    self.encoder.finish()?;
                }
            }
        }
        let ended = self.end != End::NotYet;
        let made = self.encoder.made();
        if made.len() >= self.chunk || ended {
            let mut made = Bytes::from(std::mem::take(made));
            while !made.is_empty() {
                self.ready.push_back(made.split_to(self.chunk.min(made.len())));
            }
        }
        Ok(())
    }
}

impl Encoder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(made) => made.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }

    fn finish(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(encoder) => encoder.try_finish(),
        }
    }

    fn made(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain(made) => made,
            Self::Gzip(encoder) => encoder.get_mut(),
        }
    }
}

impl<I: Iterator<Item = Vec<u8>> + Unpin> Body for Streamed<I> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(context));
            self.sleep = None;
        }
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                self.sleep = self.delay.map(|delay| Box::pin(tokio::time::sleep(delay)));
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            match self.end {
                End::NotYet => {
                    if self.advance().is_err() {
                        self.end = End::Broken;
                    }
                }
                End::Proper => return Poll::Ready(None),
                // The server flushes what it has when a body has nothing at the moment, and forgets it at an error.
                End::Flushing => {
                    self.end = End::Broken;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                End::Broken => return Poll::Ready(Some(Err(Broken))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use http_body_util::BodyExt;

    use super::*;

    fn pieces() -> impl Iterator<Item = Vec<u8>> + Unpin {
        (0..1000_u32).map(|number| format!("{number:0>200},").into_bytes())
    }

    fn whole() -> Vec<u8> {
        pieces().flatten().collect()
    }

    /// What arrives, the longest chunk, and whether it ended properly.
    async fn receive(manner: Manner) -> (Vec<u8>, usize, bool) {
        let mut body = Streamed::new(pieces(), manner);
        let (mut received, mut longest) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return (received, longest, false) };
            let data = frame.into_data().unwrap();
            longest = longest.max(data.len());
            received.extend_from_slice(&data);
        }
        (received, longest, true)
    }

    #[tokio::test]
    async fn all_pieces_arrive_in_chunks() {
        let (received, longest, proper) = receive(Manner::default()).await;
        assert!(proper && received == whole());
        assert!(longest <= CHUNK, "{longest}");
    }

    #[tokio::test]
    async fn compressed_pieces_arrive_too() {
        let (received, _, proper) = receive(Manner { gzip: true, ..Manner::default() }).await;
        let mut text = Vec::new();
        GzDecoder::new(&received[..]).read_to_end(&mut text).unwrap();
        assert!(proper && text == whole());
    }

    #[tokio::test]
    async fn a_cut_body_ends_with_half_a_piece() {
        let (received, _, proper) = receive(Manner { cut_at: Some(500), ..Manner::default() }).await;
        assert!(!proper);
        assert_eq!(received, whole()[..500 * 201 + 100]);
        let (received, _, proper) = receive(Manner { gzip: true, cut_at: Some(500), ..Manner::default() }).await;
        let mut text = Vec::new();
        GzDecoder::new(&received[..]).read_to_end(&mut text).unwrap_err();
        assert!(!proper);
        assert_eq!(text, whole()[..500 * 201 + 100]);
        let (received, _, proper) = receive(Manner { cut_at: Some(2000), ..Manner::default() }).await;
        assert!(!proper && received == whole());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_keeps_to_its_rate() {
        let start = tokio::time::Instant::now();
        let (received, longest, proper) = receive(Manner { bytes_per_second: Some(20_100), ..Manner::default() }).await;
        assert!(proper && received == whole());
        assert_eq!(longest, 2010);
        // The clock stands still except for sleeping, so this is exact up to the timer's millisecond a chunk.
        let seconds = start.elapsed().as_secs_f64();
        assert!((10.0..10.2).contains(&seconds), "{seconds}");
    }
}
