//! `output.elasticsearch` against a fake server, which answers as Elasticsearch 8.19 was seen to answer and fails on demand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod connection;
mod failures;
mod fake;
mod fates;
mod looking_up;
mod secrets;
mod trial;
