//! The Defender source against an API on loopback that says what it is told to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod api;
mod changes;
mod driver;
mod files;
mod lists;
mod syncs;
