//! The mapping engine: one JSON record in, one Elastic Common Schema document out.
//!
//! What maps to what is data: a [`Table`](table::Table), compiled from `pipelines/*.yml` by `defenderbeat-tables`.
//! The engine knows no vendor and no field beyond those that every document has.
//!
//! A record is read once. `walk` descends the table's trie of source paths during the parse and keeps the raw text
//! of what some row asks for, so that a value which is only copied is never unescaped, re-escaped or turned into a
//! number. Then the [`cells`](table::Cell) of the table (conversions and functions) are computed in the order of their
//! rows, and the outputs, sorted by path at build time, are written one after the other, without an output tree.
//!
//! The engine is pure: it reads no clock and no randomness, and iterates over no hash map. The same table, settings,
//! record, time and lookups give the same bytes.

mod arena;
mod args;
mod buffer;
mod compute;
mod convert;
mod digits;
mod engine;
mod explain;
mod flat;
pub mod functions;
mod held;
mod identity;
mod item;
mod kept;
pub mod letters;
mod members;
mod padded;
mod processors;
mod raw;
mod record;
mod set;
mod settings;
pub mod table;
mod text;
pub mod time;
mod trace;
mod url;
mod value;
mod values;
mod walk;
mod words;
mod write;
mod xxh3;

pub use arena::{Arena, List};
pub use args::{Args, Function, Lookup, NoLookup, Results};
pub use defenderbeat_records::Json;
pub use engine::{Engine, Malformed, Mapped, Reading, check};
pub use identity::{Identity, hash as hash_bytes, hex, member_key, null_member};
pub use members::Names;
pub use raw::check as check_json_path;
pub use settings::{Settings, SettingsError};
pub use text::Text;
pub use url::PARTS as URL_PARTS;
pub use value::Value;
pub use write::{is_pruned, json as write_json, string as write_string};
