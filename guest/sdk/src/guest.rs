//! What a guest is: the trait and the words it speaks.

use std::fmt;

use defenderbeat_records::Outline;

use crate::documents::Documents;
use crate::receipt::Code;

/// A mapping: records in, documents out.
///
/// A guest is pure. What it remembers is what its feed's [`State`] allows, because instances are replaced and run side
/// by side.
pub trait Guest: Sized + 'static {
    /// What the guest offers.
    const DESCRIPTOR: Descriptor;

    /// Reads settings, a JSON object, and refuses a key it does not know.
    fn open(settings: &str) -> Result<Self, SettingsError>;

    /// Maps one record. Documents committed to `out` stand whatever the outcome says, because they may have left
    /// already; bytes appended but not committed are discarded.
    fn map(&mut self, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome;

    /// Ends a sync or the stream: what was held leaves as documents. `received_at` is that of the last batch, 0 where
    /// there was none.
    fn finish(&mut self, received_at: i64, out: &mut Documents<'_>) {
        let _ = (received_at, out);
    }

    /// Takes facts that an instance found, in the order in which receipts gave them.
    fn learn(&mut self, facts: &[u8]) {
        let _ = facts;
    }

    /// All that was learned, compact.
    fn facts(&self) -> Vec<u8> {
        Vec::new()
    }

    /// The longest record taken, in bytes; a longer one is rejected unread. A guest with the setting `max_record_size`
    /// answers with it.
    fn max_record_size(&self) -> usize {
        crate::DEFAULT_MAX_RECORD_SIZE
    }
}

/// What a guest offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The component's name, such as `alert`.
    pub name: &'static str,
    /// The component's own version.
    pub version: &'static str,
    /// Version of the Elastic Common Schema its documents follow.
    pub ecs_version: &'static str,
    /// Digest of the mapping tables, hexadecimal.
    pub tables: &'static str,
    /// Kinds of input.
    pub feeds: &'static [Feed],
    /// Data streams by dataset, such as `m365_defender.alert`.
    pub routes: &'static [&'static str],
}

/// A kind of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The feed's name, unique in the component.
    pub name: &'static str,
    /// Keys under which an envelope keeps its records. Without any a payload is one record, whatever is in it.
    pub keys: &'static [&'static str],
    /// What the feed keeps between pushes.
    pub state: State,
}

/// What state a feed keeps between pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// None: instances are replaced and run side by side at will.
    None,
    /// Facts, which leave in receipts and take effect through [`Guest::learn`] only.
    Facts,
    /// Pushes build on each other until the sync is finished.
    Sync,
}

/// One record, cut out of its payload.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Index into [`Descriptor::feeds`].
    pub feed: usize,
    /// The record: a JSON object by its first and last byte, not yet checked inside. All of the payload where the feed has
    /// no keys.
    pub bytes: &'a [u8],
    /// Where its members are, if that is known of these very bytes.
    pub outline: Option<&'a Outline>,
    /// When the host received the payload, milliseconds since 1970-01-01T00:00:00Z.
    pub received_at: i64,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The record's one fate.
    pub fate: Fate,
    /// Its place in its source's order, 100 ns ticks since 1970-01-01T00:00:00Z; 0 where there is none. To be given for
    /// dropped and rejected records too, so that a page without documents moves the cursor.
    pub position: u64,
}

/// The one fate of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It left as one document or more.
    Mapped,
    /// It is kept as input of a join.
    Held,
    /// A rule of the user or of the mapping leaves it out.
    Dropped,
    /// Its bytes could not become a document.
    Rejected {
        /// The kind of fault.
        code: Code,
        /// Where in the record, as a JSONPath; empty where it is the whole.
        path: String,
        /// The fault, for a person.
        message: String,
    },
}

/// Why settings were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The key at fault, as a JSONPath; `$` where it is the whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "settings refused at {}: {}", self.path, self.message)
    }
}

impl std::error::Error for SettingsError {}
