//! Who collects: the identity of this installation and of this process.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::checkpoint::{millis, sync_folder, unix_millis};
use crate::config::Agent;

/// What is kept under `path.data`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    /// `agent.id`: the same as long as the folder lives.
    uuid: Uuid,
    /// When this installation was started first, milliseconds since 1970-01-01T00:00:00Z.
    #[serde(default)]
    first_start: Option<i64>,
    /// XXH3-64 of both as text, hexadecimal.
    #[serde(default)]
    xxh3: Option<String>,
}

impl Meta {
    fn hash(&self) -> String {
        format!("{:016x}", xxh3_64(format!("{} {:?}", self.uuid, self.first_start).as_bytes()))
    }
}

/// This installation.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) agent: Agent,
    /// When it was started first, milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) first_start: i64,
    /// That is now.
    pub(crate) is_new: bool,
}

/// Reads the installation's id from `<data>/meta.json`, or makes one.
///
/// # Errors
///
/// The file cannot be read or written, or is damaged.
pub(crate) fn identify(data: &Path, name: Option<&str>) -> io::Result<Installation> {
    let file = data.join("meta.json");
    let (meta, first_start, is_new) = match fs::read(&file) {
        Ok(text) => {
            let meta = read(&text)?;
            // Older versions did not write it.
            let first_start = match meta.first_start {
                Some(first_start) => first_start,
                None => millis(fs::metadata(&file)?.modified()?),
            };
            (meta, first_start, false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let first_start = unix_millis();
            let mut meta = Meta { uuid: Uuid::new_v4(), first_start: Some(first_start), xxh3: None };
            meta.xxh3 = Some(meta.hash());
            let new = data.join("meta.json.new");
            let mut writer = fs::File::create(&new)?;
            writer.write_all(&serde_json::to_vec(&meta)?)?;
            writer.sync_all()?;
            fs::rename(&new, &file)?;
            sync_folder(data)?;
            (meta, first_start, true)
        }
        Err(error) => return Err(error),
    };
    let name = name.map_or_else(|| gethostname::gethostname().to_string_lossy().into_owned(), str::to_owned);
    let agent = Agent {
        id: meta.uuid.to_string(),
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ephemeral_id: Uuid::new_v4().to_string(),
    };
    Ok(Installation { agent, first_start, is_new })
}

fn read(text: &[u8]) -> io::Result<Meta> {
    let damaged = |reason: &str| {
        let message = format!(
            "it is damaged ({reason}): put a backup in its place, or remove it, and this installation gets another agent.id"
        );
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    let meta: Meta = serde_json::from_slice(text).map_err(|error| damaged(&error.to_string()))?;
    if meta.xxh3.as_ref().is_some_and(|hash| *hash != meta.hash())
        || (meta.xxh3.is_none() && meta.first_start.is_some())
    {
        return Err(damaged("its content does not match its hash"));
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_keeps_its_id_and_a_process_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let first = identify(folder.path(), None).unwrap();
        let second = identify(folder.path(), Some("collector-1")).unwrap();
        assert_eq!((&first.agent.id, second.agent.name.as_str()), (&second.agent.id, "collector-1"));
        assert_ne!(first.agent.ephemeral_id, second.agent.ephemeral_id);
        assert_eq!((first.is_new, second.is_new, second.first_start), (true, false, first.first_start));
    }

    #[test]
    fn a_file_of_an_older_version_dates_from_when_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meta.json");
        fs::write(&file, r#"{"uuid":"6f0f3a8e-1f0e-4e6c-9b55-0c3f6a1f7d10"}"#).unwrap();
        let written = millis(fs::metadata(&file).unwrap().modified().unwrap());
        let found = identify(folder.path(), None).unwrap();
        assert_eq!((found.first_start, found.is_new), (written, false));
    }

    #[test]
    fn a_file_cut_or_flipped_anywhere_is_said_to_be_damaged_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meta.json");
        let agent = identify(folder.path(), None).unwrap().agent;
        let whole = fs::read(&file).unwrap();
        let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
        let flipped = (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))).map(|(at, bit)| {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            flipped
        });
        for bytes in cut.chain(flipped) {
            fs::write(&file, &bytes).unwrap();
            // JSON has two ways to write some letters, which say the same.
            match identify(folder.path(), None) {
                Ok(found) => assert_eq!(found.agent.id, agent.id, "{}", String::from_utf8_lossy(&bytes)),
                Err(error) => assert!(error.to_string().contains("it is damaged"), "{error}"),
            }
            assert_eq!(fs::read(&file).unwrap(), bytes);
        }
    }
}
