//! What a running process tells of itself over HTTP (`http.enabled`), and how it is asked.
//!
//! It runs beside the sources, so that it answers as long as these turn. Only GET and HEAD are answered, and nothing that is
//! asked changes anything. On loopback a request has to name this machine or an address: a page in a browser that had its own
//! name lead here (DNS rebinding) is refused. Connections are bounded in number and time.

mod answer;
mod ask;
mod server;
mod tap;

pub use ask::{Ask, AskError};
pub(crate) use server::Monitor;
pub use server::MonitorError;
pub(crate) use tap::Taps;

/// What is tapped.
pub const TAP: &str = "/tap";
