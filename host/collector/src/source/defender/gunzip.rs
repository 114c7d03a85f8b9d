//! Decompresses a file while it arrives.

use std::io::{self, Write};
use std::mem;

use bytes::{Buf, Bytes};
use flate2::write::GzDecoder;

use crate::http::{Body, Error};
use crate::source::records::Chunks;

/// Compressed bytes that are decompressed at once: gzip makes a thousand out of one at most, so 4 MiB.
const SLICE: usize = 4 << 10;
/// The first byte of gzip, which no JSON begins with.
const GZIP: u8 = 0x1f;

/// A file of gzip, of any number of members with zeros behind them, as blocks of a fixed length leave them; or plain text.
pub(super) struct Gunzip {
    body: Body,
    /// Compressed bytes to come.
    input: Bytes,
    form: Form,
}

enum Form {
    /// Nothing has arrived.
    Unknown,
    Plain,
    /// Within a member.
    Gzip(Box<GzDecoder<Vec<u8>>>),
    /// Behind a member.
    Behind,
    Ended,
}

impl Form {
    fn gzip() -> Self {
        Self::Gzip(Box::new(GzDecoder::new(Vec::new())))
    }
}

impl Gunzip {
    pub(super) fn new(body: Body) -> Self {
        Self { body, input: Bytes::new(), form: Form::Unknown }
    }

    /// Decompresses some of the input.
    fn decompress(&mut self) -> io::Result<Vec<u8>> {
        let Form::Gzip(decoder) = &mut self.form else { return Ok(Vec::new()) };
        let slice = self.input.slice(..SLICE.min(self.input.len()));
        let taken = decoder.write(&slice)?;
        self.input.advance(taken);
        if taken > 0 {
            return Ok(mem::take(decoder.get_mut()));
        }
        decoder.try_finish()?;
        let rest = mem::take(decoder.get_mut());
        self.form = Form::Behind;
        Ok(rest)
    }

    fn broken(&self, error: &io::Error) -> Error {
        let message = format!("its compression is broken or cut: {error}");
        Error::Body { host: self.body.host(), received: self.body.received(), message }
    }
}

impl Chunks for Gunzip {
    async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Form::Behind = self.form {
                let zeros = self.input.iter().take_while(|byte| **byte == 0).count();
                self.input.advance(zeros);
                if self.input.has_remaining() {
                    self.form = Form::gzip();
                }
            }
            if self.input.has_remaining() {
                let bytes = match &self.form {
                    Form::Gzip(_) => self.decompress().map_err(|error| self.broken(&error))?.into(),
                    _ => mem::take(&mut self.input),
                };
                if !bytes.is_empty() {
                    return Ok(Some(bytes));
                }
                continue;
            }
            match self.body.chunk().await? {
                Some(chunk) => self.input = chunk,
                None => {
                    return match mem::replace(&mut self.form, Form::Ended) {
                        Form::Gzip(decoder) => {
                            let rest = decoder.finish().map_err(|error| self.broken(&error))?;
                            Ok(Some(rest.into()).filter(|rest: &Bytes| !rest.is_empty()))
                        }
                        _ => Ok(None),
                    };
                }
            }
            if let (Form::Unknown, Some(first)) = (&self.form, self.input.first()) {
                self.form = if *first == GZIP { Form::gzip() } else { Form::Plain };
            }
        }
    }

    fn body(&self) -> &Body {
        &self.body
    }
}
