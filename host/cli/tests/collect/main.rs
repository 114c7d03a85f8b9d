//! The program as a user runs it, against a tenant on loopback: what it prints, what it keeps, and that nothing is lost
//! however it ends.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too, and says what it skips"
)]

mod asked;
#[path = "../../../collector/tests/event_hubs/azurite.rs"]
mod azurite;
mod coordination;
mod damage;
#[cfg(target_os = "linux")]
mod discard;
mod events;
mod export;
mod health;
mod identity;
mod incidents;
mod keystore;
mod kill;
#[cfg(target_os = "linux")]
mod memory;
mod once;
#[cfg(target_os = "linux")]
mod planted;
#[cfg(target_os = "linux")]
mod privileges;
mod program;
mod reload;
mod replay;
#[cfg(target_os = "linux")]
mod secrets;
mod stop;
mod takeover;
mod test_input;
mod test_output;
mod vulnerabilities;
