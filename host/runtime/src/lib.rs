//! Runs defenderbeat components in a wasmtime sandbox.
//!
//! A host opens a [`Component`], opens a [`Pipeline`] in it, pushes payloads and takes documents. This crate does no IO:
//! bytes come and go through arguments, a [`Sink`], a [`Lookup`] and [`Diagnostics`]. This is all of a host
//! (`examples/transform.rs`):
//!
//! ```no_run
#![doc = include_str!("../examples/transform.rs")]
//! ```
//!
//! # What is guaranteed
//!
//! - A component that imports anything but `diagnostics`, `sink` and `lookup` of the contract is refused.
//! - A call ends: it has a deadline, a memory limit and a stack limit ([`Limits`]).
//! - Nothing a guest says is believed unchecked: lengths of a part add up, indexes are in range, tallies balance and
//!   agree with what was written. Of a part that cannot be true nothing is passed on.
//! - A record that makes the guest trap costs that record only. The batch is run again in halves until the culprit is
//!   alone in a new instance; it becomes a [`Reject`] with its place in the batch, and documents that were passed on
//!   before are not passed on twice. (Feeds that keep a sync are the exception: there a trap ends the sync.)
//! - The same settings, facts, payloads, times and lookups give the same documents on every machine.
//!
//! # What a host owes
//!
//! - It gives the facts of each receipt to [`learn`](Transform::learn) of every pipeline of that component, in one order,
//!   before the next push; or drops them all, and gets less enrichment:
//!
//! ```no_run
//! # use defenderbeat_runtime::{Batch, Part, Pipeline, Result, SinkError, Transform};
//! # fn map(pipelines: &mut [Pipeline], batch: &Batch, take: &mut dyn FnMut(Part) -> std::result::Result<(), SinkError>) -> Result<()> {
//! let mut facts = Vec::new();
//! if let Some(first) = pipelines.first_mut() {
//!     facts = first.push(batch, &mut |part| take(part))?.facts;
//! }
//! for pipeline in pipelines {
//!     pipeline.learn(&facts)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - It pushes feeds that keep a sync ([`State::Sync`]) in the descriptor's order, to one pipeline, and ends the sync with
//!   [`finish`](Transform::finish).
//! - It counts a payload as done when its push has returned, and every part of it was delivered.
//!
//! # Threads
//!
//! [`Engine`], [`Component`] and [`Setup`] are cheap to clone and shared by threads; a [`Pipeline`] is one thread's at a time.
//! Compiling takes seconds and all cores; a host that starts often embeds [precompiled](Engine::precompile) code.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod bindings;
mod component;
mod convert;
mod engine;
mod error;
mod host;
mod imports;
mod instance;
mod limits;
mod pipeline;
mod search;
mod types;
mod verify;

pub use bytes::Bytes;
pub use component::Component;
pub use engine::{Engine, Options};
pub use error::{Error, Result, SinkError};
pub use imports::{Diagnostics, Lookup, Sink};
pub use limits::Limits;
pub use pipeline::{Pipeline, Setup, Transform};
pub use types::{Batch, Code, Descriptor, Document, Drift, Feed, Level, Part, Receipt, Reject, State, Tally, Usage};
