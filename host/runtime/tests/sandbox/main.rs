//! The sandbox against a guest that does what it is told, the forbidden included: each limit obeyed and violated.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod contract;
mod culprits;
mod invariant;
mod lies;
mod limits;
mod messages;
mod rig;
mod state;
