//! The program and a real Elasticsearch: documents arrive once, whatever fails.
//!
//! All tests share one server, which talks TLS and asks for a client's certificate; each has a namespace of its own and the server
//! to itself. Where Java or the distribution is absent they are skipped with a message, but not on a build server.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too, and says what it skips"
)]

mod access;
#[path = "../collect/asked.rs"]
#[allow(dead_code, reason = "a helper of other tests, of which these take a part")]
mod asked;
#[path = "../../../collector/tests/event_hubs/azurite.rs"]
#[allow(dead_code, reason = "a helper of other tests, of which these take a part")]
mod azurite;
mod comparison;
mod delivery;
mod expected;
#[cfg(target_os = "linux")]
mod faults;
mod kill;
mod lead;
mod mapper;
#[path = "../collect/program.rs"]
#[allow(dead_code, reason = "a helper of other tests, of which these take a part")]
mod program;
mod refusal;
mod rollover;
mod server;
mod setup;
mod stream;
