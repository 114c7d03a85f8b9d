//! The Event Hubs source against a namespace on loopback, and Azurite for the storage account.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too, and says what it skips"
)]

mod azurite;
mod failures;
mod foreign;
mod identity;
mod namespace;
mod reading;
mod sharing;
mod storage;
