//! Secrets, written in the configuration or in files of their own.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use zeroize::Zeroizing;

/// What is written before the path of a file that holds the secret.
const FILE: &str = "file:";

/// A text that no log, error or debug output shows, and that is wiped from memory when it is no longer used.
///
/// Written as `file:PATH` it is what the file holds: it is read whenever it is asked for, so that a new secret that is put in its place is
/// used from the next request or connection on. Where it cannot be read any more, the last one that was read is used, with a warning.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Secret(Kept);

#[derive(Clone)]
enum Kept {
    Text(Text),
    File(Arc<SecretFile>),
}

type Text = Arc<Zeroizing<String>>;

struct SecretFile {
    path: PathBuf,
    last: Mutex<Last>,
}

/// What was read last.
struct Last {
    text: Text,
    /// The file cannot be read since, which was said.
    stale: bool,
}

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Kept::Text(Arc::new(Zeroizing::new(text.into()))))
    }

    /// Whether it is written as a file, so that no secret is where it is written.
    pub(crate) fn is_file(text: &str) -> bool {
        text.starts_with(FILE)
    }

    /// The text that it is now, to be sent and not to be shown nor kept.
    pub fn expose(&self) -> Arc<Zeroizing<String>> {
        match &self.0 {
            Kept::Text(text) => text.clone(),
            Kept::File(file) => file.current(),
        }
    }
}

impl SecretFile {
    fn current(&self) -> Text {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&self.path) {
            Ok(text) => {
                last.stale = false;
                if text != *last.text {
                    tracing::info!(file = %self.path.display(), "the file has another secret now, which is used from here on");
                    last.text = Arc::new(text);
                }
            }
            Err(message) if !last.stale => {
                last.stale = true;
                tracing::warn!("{message}; the secret that was in it is used until it can be read again");
            }
            Err(_) => {}
        }
        last.text.clone()
    }
}

/// The text of a secret, without line breaks at its end: editors and `echo` write some, and no secret has any.
///
/// # Errors
///
/// It cannot be read, or is no UTF-8.
pub fn read_secret(mut from: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.read_to_string(&mut text)?;
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    Ok(text)
}

/// What a file holds.
fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let name = path.display();
    let read = File::open(path).and_then(read_secret);
    let text = read.map_err(|error| format!("the file {name} cannot be read: {error}"))?;
    if text.is_empty() { Err(format!("the file {name} is empty")) } else { Ok(text) }
}

impl TryFrom<String> for Secret {
    type Error = String;

    /// Takes it as it is written.
    fn try_from(written: String) -> Result<Self, String> {
        let Some(path) = written.strip_prefix(FILE) else { return Ok(Self::new(written)) };
        let path = PathBuf::from(path);
        let last = Mutex::new(Last { text: Arc::new(read(&path)?), stale: false });
        Ok(Self(Kept::File(Arc::new(SecretFile { path, last }))))
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new("")
    }
}

impl PartialEq for Secret {
    /// Whether they are written the same: what a file holds may change.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kept::Text(one), Kept::Text(other)) => one == other,
            (Kept::File(one), Kept::File(other)) => one.path == other.path,
            _ => false,
        }
    }
}

impl Eq for Secret {}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "secret" })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_whenever_it_is_asked_for_and_its_last_secret_outlives_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let written = || Secret::try_from(format!("file:{}", path.display()));
        assert!(written().unwrap_err().contains("cannot be read"));
        fs::write(&path, "\n").unwrap();
        assert!(written().unwrap_err().ends_with("is empty"));
        fs::write(&path, "first\n").unwrap();
        let secret = written().unwrap();
        assert_eq!(secret.expose().as_str(), "first");
        fs::write(&path, " second \r\n\n").unwrap();
        assert_eq!(secret.expose().as_str(), " second ");
        assert_eq!(secret, written().unwrap());
        fs::remove_file(&path).unwrap();
        assert_eq!(secret.expose().as_str(), " second ");
        fs::write(&path, [0xff]).unwrap();
        assert_eq!(secret.expose().as_str(), " second ", "what is no text is no secret");
        fs::write(&path, "third").unwrap();
        assert_eq!(secret.expose().as_str(), "third");
        assert!(!format!("{secret:?}").contains("third"));
        assert!(secret != Secret::new("third"));
    }
}
