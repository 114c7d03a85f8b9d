//! Who collects: the identity of this installation and of this process.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::checkpoint::sync_folder;
use crate::config::Agent;

/// What is kept under `path.data`.
#[derive(Serialize, Deserialize)]
struct Meta {
    /// `agent.id`: the same as long as the folder lives.
    uuid: Uuid,
}

/// Reads the installation's id from `<data>/meta.json`, or makes one.
///
/// # Errors
///
/// The file cannot be read or written, or holds something else.
pub(crate) fn identify(data: &Path, name: Option<&str>) -> io::Result<Agent> {
    let file = data.join("meta.json");
    let id = match fs::read(&file) {
        Ok(text) => serde_json::from_slice::<Meta>(&text)?.uuid,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let meta = Meta { uuid: Uuid::new_v4() };
            let new = data.join("meta.json.new");
            let mut writer = fs::File::create(&new)?;
            writer.write_all(&serde_json::to_vec(&meta)?)?;
            writer.sync_all()?;
            fs::rename(&new, &file)?;
            sync_folder(data)?;
            meta.uuid
        }
        Err(error) => return Err(error),
    };
    let name = name.map_or_else(|| gethostname::gethostname().to_string_lossy().into_owned(), str::to_owned);
    Ok(Agent {
        id: id.to_string(),
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ephemeral_id: Uuid::new_v4().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_keeps_its_id_and_a_process_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let first = identify(folder.path(), None).unwrap();
        let second = identify(folder.path(), Some("collector-1")).unwrap();
        assert_eq!((&first.id, second.name.as_str()), (&second.id, "collector-1"));
        assert_ne!(first.ephemeral_id, second.ephemeral_id);
    }
}
