//! Event Hubs as its clients see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod access;
mod client;
mod command;
mod facts;
mod faults;
mod foreign;
mod receive;
mod send;
