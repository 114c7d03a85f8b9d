//! Frames as Event Hubs writes them: with all their fields. AMQP lets a sender leave out the empty ones at the end, and
//! our AMQP library does; Python's client of Event Hubs reads them all the same, and fails where they are missing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a frame's header, and of a protocol header.
const HEADER: usize = 8;
/// What waits to be written is written before more is taken.
const LIMIT: usize = 128 * 1024;
/// AMQP's encoding of null.
const NULL: u8 = 0x40;

/// A stream that completes the frames written to it.
#[derive(Debug)]
pub(super) struct Complete<S> {
    inner: S,
    /// The beginning of a frame.
    begun: BytesMut,
    /// Frames to be written.
    ready: BytesMut,
}

impl<S> Complete<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, begun: BytesMut::new(), ready: BytesMut::new() }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        while let Some(length) = self.begun.first_chunk().map(length) {
            if self.begun.len() < length {
                return;
            }
            let frame = self.begun.split_to(length);
            match completed(&frame) {
                Some(whole) => self.ready.extend_from_slice(&whole),
                None => self.ready.unsplit(frame),
            }
        }
    }
}

/// Length of what begins with these bytes: a frame, or a protocol header.
fn length(begin: &[u8; 4]) -> usize {
    let size = if begin == b"AMQP" { HEADER } else { usize::try_from(u32::from_be_bytes(*begin)).unwrap_or(HEADER) };
    size.max(HEADER)
}

/// Number of a performative's fields (AMQP 1.0, part 2, section 7).
fn fields(performative: u8) -> Option<u32> {
    Some(match performative {
        0x10 => 10,
        0x11 => 8,
        0x12 => 14,
        0x13 | 0x14 => 11,
        0x15 => 6,
        0x16 => 3,
        0x17 | 0x18 => 1,
        _ => return None,
    })
}

/// A frame with all fields of its performative. None: it has them, or is no such frame.
fn completed(frame: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = frame.split_at_checked(HEADER)?;
    let &[_, _, _, _, offset @ 2, kind @ 0, channel, channel_low] = header else { return None };
    let (&[0x00, 0x53, performative], list) = body.split_first_chunk()? else { return None };
    let (count, size, members) = match list {
        [0x45, rest @ ..] => (0, 0, rest),
        [0xc0, size, count, rest @ ..] => (u32::from(*count), usize::from(*size).checked_sub(1)?, rest),
        [0xd0, rest @ ..] => {
            let (size, rest) = rest.split_first_chunk()?;
            let (count, rest) = rest.split_first_chunk()?;
            let size = usize::try_from(u32::from_be_bytes(*size)).ok()?.checked_sub(4)?;
            (u32::from_be_bytes(*count), size, rest)
        }
        _ => return None,
    };
    let (members, payload) = members.split_at_checked(size)?;
    let fields = fields(performative)?;
    let missing = usize::try_from(fields.checked_sub(count)?).ok().filter(|missing| *missing > 0)?;
    let list = u32::try_from(4 + members.len() + missing).ok()?;
    let mut whole = vec![0, 0, 0, 0, offset, kind, channel, channel_low, 0x00, 0x53, performative, 0xd0];
    whole.extend_from_slice(&list.to_be_bytes());
    whole.extend_from_slice(&fields.to_be_bytes());
    whole.extend_from_slice(members);
    whole.resize(whole.len() + missing, NULL);
    whole.extend_from_slice(payload);
    let length = u32::try_from(whole.len()).ok()?;
    whole.first_chunk_mut().map(|size| *size = length.to_be_bytes())?;
    Some(whole)
}

impl<S: AsyncWrite + Unpin> Complete<S> {
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ready.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.ready))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.ready.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Complete<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.ready.len() >= LIMIT {
            ready!(self.poll_drain(context))?;
        }
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Complete<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// A frame on channel 1.
    fn frame(body: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(8 + body.len()).unwrap().to_be_bytes().to_vec();
        frame.extend_from_slice(&[2, 0, 0, 1]);
        frame.extend_from_slice(body);
        frame
    }

    #[test]
    fn what_is_missing_is_null() {
        // end, without fields
        assert_eq!(
            completed(&frame(&[0, 0x53, 0x17, 0x45])).unwrap(),
            frame(&[0, 0x53, 0x17, 0xd0, 0, 0, 0, 5, 0, 0, 0, 1, 0x40])
        );
        // detach: handle 0, closed
        assert_eq!(
            completed(&frame(&[0, 0x53, 0x16, 0xc0, 3, 2, 0x43, 0x41])).unwrap(),
            frame(&[0, 0x53, 0x16, 0xd0, 0, 0, 0, 7, 0, 0, 0, 3, 0x43, 0x41, 0x40])
        );
        // transfer: handle 0, and a payload
        let mut transfer = vec![0, 0x53, 0x14, 0xd0, 0, 0, 0, 15, 0, 0, 0, 11, 0x43];
        transfer.resize(transfer.len() + 10, 0x40);
        transfer.extend_from_slice(b"payload");
        let short = [&[0, 0x53, 0x14, 0xc0, 2, 1, 0x43], &b"payload"[..]].concat();
        assert_eq!(completed(&frame(&short)).unwrap(), frame(&transfer));
    }

    #[test]
    fn what_is_whole_stays() {
        for whole in [
            frame(&[]),
            frame(&[0, 0x53, 0x17, 0xc0, 2, 1, 0x40]),
            frame(&[0, 0x53, 0x40, 0xc0, 2, 1, 0x40]),
            frame(&[0, 0x53, 0x17, 0xc0, 9, 1, 0x40]),
            [&[0, 0, 0, 12, 2, 1, 0, 0], &[0, 0x53, 0x44, 0x45][..]].concat(),
        ] {
            assert_eq!(completed(&whole), None, "{whole:x?}");
        }
    }

    #[tokio::test]
    async fn frames_may_be_written_in_pieces() {
        let written = [b"AMQP\x00\x01\x00\x00".to_vec(), frame(&[0, 0x53, 0x17, 0x45]), frame(&[])].concat();
        let expected =
            [b"AMQP\x00\x01\x00\x00".to_vec(), frame(&[0, 0x53, 0x17, 0xd0, 0, 0, 0, 5, 0, 0, 0, 1, 0x40]), frame(&[])]
                .concat();
        for size in 1..written.len() {
            let mut stream = Complete::new(io::Cursor::new(Vec::new()));
            for piece in written.chunks(size) {
                stream.write_all(piece).await.unwrap();
            }
            stream.flush().await.unwrap();
            assert_eq!(stream.inner.into_inner(), expected, "{size}");
        }
    }
}
