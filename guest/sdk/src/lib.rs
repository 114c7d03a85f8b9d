//! What a guest component needs, and nothing of a vendor.
//!
//! A guest implements [`Guest`] and says `defenderbeat_sdk::export!(MyGuest);`. The [`Driver`] does the rest: it cuts
//! payloads into records, hands them to the guest one by one, collects documents into parts and keeps the receipt, so
//! that every record has exactly one fate. The driver knows no WebAssembly: tests, benchmarks and fuzzing call it
//! natively, with a [`Host`] of their own; the component is a thin layer over the same code. A guest that maps with
//! `defenderbeat-mapping` finds in [`engine`] what lies between the two.
//!
//! Nothing here reads a clock, draws a random number or opens a file. The same settings, facts, bytes, times and
//! lookups give the same parts and receipts everywhere.

mod documents;
mod driver;
pub mod engine;
mod guest;
mod host;
mod receipt;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod component;

pub use documents::{Documents, Meta, PART_SIZE};
pub use driver::{Batch, Driver};
pub use guest::{Descriptor, Fate, Feed, Guest, Outcome, Record, SettingsError, State};
pub use host::{Document, Host, Level, Memory};
pub use receipt::{Code, Drift, Receipt, Reject, Tally, hash};

/// The longest record a guest takes unless its settings say otherwise, in bytes.
pub use defenderbeat_records::DEFAULT_MAX_RECORD_SIZE;

/// Makes a component of a [`Guest`]. Does nothing where the target is not WebAssembly, so that a guest's crate is also
/// an ordinary library.
#[cfg(target_arch = "wasm32")]
#[macro_export]
macro_rules! export {
    ($guest:ty) => {
        const _: () = {
            type Component = $crate::component::Component<$guest>;
    $crate::component::export!(Component with_types_in $crate::component::bindings);
        };
    };
}

/// Makes a component of a [`Guest`]. Does nothing where the target is not WebAssembly, so that a guest's crate is also
/// an ordinary library.
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! export {
    ($guest:ty) => {
        const _: fn() = || {
            fn is_guest<G: $crate::Guest>() {}
            is_guest::<$guest>();
        };
    };
}
