//! The body of an answer, chunk by chunk.

use std::time::SystemTime;

use bytes::Bytes;

use super::{Error, client};

/// A body that is still arriving, already decompressed.
#[derive(Debug)]
pub struct Body {
    response: reqwest::Response,
    received: u64,
}

impl Body {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self { response, received: 0 }
    }

    /// The next bytes, or none at the proper end. A body that ends too early, or whose compression is broken, is an
    /// error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match self.response.chunk().await {
            Ok(chunk) => {
                self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
                Ok(chunk)
            }
            Err(error) => Err(Error::broken(self.host(), self.received, &error)),
        }
    }

    /// All of the body, but not more than `limit` bytes of it.
    pub async fn read_up_to(mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            let room = limit - text.len();
            text.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if text.len() == limit {
                break;
            }
        }
        Ok(text)
    }

    /// The status that it came with.
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Bytes that have arrived, decompressed.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Scheme, host and port that it comes from.
    pub fn host(&self) -> String {
        client::origin(self.response.url())
    }

    /// The `Content-Type`, empty where there is none.
    pub fn content_type(&self) -> &str {
        let value = self.response.headers().get(reqwest::header::CONTENT_TYPE);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The server's clock, whole seconds.
    pub fn date(&self) -> Option<SystemTime> {
        let value = self.response.headers().get(reqwest::header::DATE)?;
        httpdate::parse_http_date(value.to_str().ok()?).ok()
    }

    pub(super) fn response(&self) -> &reqwest::Response {
        &self.response
    }
}
