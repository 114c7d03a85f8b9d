//! The HTTP client of every polling source.
//!
//! A [`Service`] is one API: its origin, its token and its patience. It retries what is worth retrying (429 and
//! 503 after the time the server asks for, other 5xx and broken connections with exponential backoff and jitter),
//! renews a refused token once, and never sends the token anywhere but to the configured origin: a redirect or
//! a link that leads elsewhere is an error. Bodies are streamed and decompressed as they arrive; nothing here holds more
//! of a body than one chunk, except for the text of errors, which is bounded.

mod body;
mod client;
mod client_certificate;
mod error;
mod retry;
mod secret;
mod service;
mod settings;
mod tls;

pub use body::Body;
pub use client::{Client, check_secure};
pub(crate) use client::{address, is_loopback, is_loopback_host, origin};
pub(crate) use error::is_transient;
pub use error::{Answer, Error};
pub use retry::Retry;
pub(crate) use retry::retry_after;
pub use secret::{Secret, read_secret};
pub use service::Service;
pub(crate) use service::read_answer;
pub use settings::{HttpSettings, RetrySettings, SslSettings, VerificationMode};
pub(crate) use tls::config as tls_config;
