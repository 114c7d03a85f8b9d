//! The Graph source against a tenant on loopback: every alert leaves once, whatever happens in between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod collector;
mod connection;
mod expand;
mod failures;
mod identity;
mod paging;
mod tenant;
