//! How a checkpoint is written: a line that says how long the rest is and what it hashes to, and the cursor. So one that was cut
//! or changed is noticed.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::Generation;

const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    generation: Generation,
    /// Milliseconds since 1970-01-01T00:00:00Z. Older versions did not write it.
    #[serde(default)]
    saved_at: Option<i64>,
    /// The session that wrote it, where several processes may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// Bytes of the cursor, which follows on the next line.
    length: usize,
    /// XXH3-64 of the generation, the time where there is one (64 bits each, little endian), the session where there is one, and
    /// the cursor, hexadecimal.
    xxh3: String,
}

/// What is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) generation: Generation,
    pub(crate) saved_at: Option<i64>,
    pub(crate) session: Option<String>,
    pub(crate) cursor: String,
}

/// Writes one.
pub(crate) fn write(generation: Generation, saved_at: i64, session: Option<&str>, cursor: &str) -> String {
    let xxh3 = hash(generation, Some(saved_at), session, cursor.as_bytes());
    let session = session.map(str::to_owned);
    let header = Header { version: VERSION, generation, saved_at: Some(saved_at), session, length: cursor.len(), xxh3 };
    // Numbers and texts have a form in JSON.
    let header = serde_json::to_string(&header).unwrap_or_default();
    format!("{header}\n{cursor}")
}

/// Reads one; the error says what is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<Saved, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it is cut short")?;
    let (line, rest) = bytes.split_at(end);
    let Header { version, generation, saved_at, session, length, xxh3 } =
        serde_json::from_slice(line).map_err(|_| "its first line is damaged")?;
    if version != VERSION {
        return Err(format!("it has version {version}, this program knows {VERSION}"));
    }
    let cursor = rest.get(1..).unwrap_or_default();
    if cursor.len() != length || hash(generation, saved_at, session.as_deref(), cursor) != xxh3 {
        return Err(if cursor.len() < length { "it is cut short" } else { "it is damaged" }.to_owned());
    }
    let cursor = String::from_utf8(cursor.to_vec()).map_err(|_| "it is damaged")?;
    Ok(Saved { generation, saved_at, session, cursor })
}

pub(super) fn hash(generation: Generation, saved_at: Option<i64>, session: Option<&str>, cursor: &[u8]) -> String {
    let mut hasher = Xxh3::new();
    hasher.update(&generation.to_le_bytes());
    if let Some(saved_at) = saved_at {
        hasher.update(&saved_at.to_le_bytes());
    }
    if let Some(session) = session {
        hasher.update(session.as_bytes());
    }
    hasher.update(cursor);
    format!("{:016x}", hasher.digest())
}
