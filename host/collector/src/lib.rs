//! Sources, outputs, delivery and checkpoints: all of the collector that touches the network or a disk.
//!
//! [`run::run`] runs what a [`config::Config`] describes. For each input a [`source`] gives deliveries of records,
//! worker threads map them in the sandbox (`defenderbeat_runtime`), and one [`deliver`] stage for all inputs hands the
//! documents to the [`output`], sets aside what cannot become a document ([`dead_letter`]) and saves what is settled
//! ([`checkpoint`]). Channels between them hold a few parts, so whatever is slowest slows the rest down.

mod agent;
#[cfg(test)]
#[path = "../tests/event_hubs/azurite.rs"]
mod azurite;
pub mod checkpoint;
pub mod config;
pub mod coordination;
pub mod dead_letter;
pub mod deliver;
mod facts;
pub mod http;
pub mod keystore;
pub mod lookup;
mod mapper;
pub mod metrics;
pub mod monitor;
pub mod oauth;
pub mod output;
mod permissions;
pub mod privileges;
pub mod probe;
pub mod replay;
pub mod run;
pub mod source;
mod storage;
mod sync;
mod turns;
mod worker;
