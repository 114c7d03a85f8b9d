//! The tenant as its clients see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod changes;
mod client;
mod command;
mod export;
mod faults;
mod incidents;
mod pages;
mod token;
mod vulnerabilities;
